#include <exception>
#include <openarchiver/testkit/conformance.hpp>

namespace openarchiver::testkit {

bool Findings::expect(bool holds, std::string_view expectation) {
    return expect(holds, expectation, "");
}

bool Findings::expect(bool holds, std::string_view expectation, std::string_view seen) {
    if (!holds) {
        text_ += text_.empty() ? "" : "\n";
        text_ += "expected: ";
        text_ += expectation;
        if (!seen.empty()) {
            text_ += "; seen: ";
            text_ += seen;
        }
    }
    return holds;
}

Verdict ConformanceCheck::run() const {
    Findings findings;
    try {
        body(findings);
    } catch (const std::exception& failure) {
        findings.expect(false, "no exception leaves a plugin", failure.what());
    }
    return {.name = name, .passed = findings.text().empty(), .detail = findings.text()};
}

std::vector<Verdict> run_all(const std::vector<ConformanceCheck>& checks) {
    std::vector<Verdict> verdicts;
    verdicts.reserve(checks.size());
    for (const ConformanceCheck& check : checks) {
        verdicts.push_back(check.run());
    }
    return verdicts;
}

std::string describe(const sdk::Error& error) {
    return std::string(sdk::to_string(error.code)) + ": " + error.message;
}

}  // namespace openarchiver::testkit
