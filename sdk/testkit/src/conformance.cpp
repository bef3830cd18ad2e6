#include <exception>
#include <openarchiver/testkit/conformance.hpp>

namespace openarchiver::testkit {

bool Findings::expect(bool holds, std::string_view expectation) {
    return expect(holds, expectation, "");
}

bool Findings::expect(bool holds, std::string_view expectation, std::string_view seen) {
    if (!holds) {
        findings_.push_back({std::string(expectation), std::string(seen)});
    }
    return holds;
}

std::string Verdict::detail() const {
    std::string text;
    for (const Finding& finding : findings) {
        text += "expected: " + finding.expected;
        text += finding.seen.empty() ? "\n" : "; seen: " + finding.seen + "\n";
    }
    if (!text.empty()) {
        text += "contract: " + promise.contract + "\nto fix it: " + promise.remedy + "\n";
    }
    return text;
}

Verdict ConformanceCheck::run() const {
    Findings findings;
    try {
        body(findings);
    } catch (const std::exception& failure) {
        findings.expect(false, "no exception leaves a plugin", failure.what());
    } catch (...) {
        findings.expect(false, "no exception leaves a plugin", "one of unknown type");
    }
    return {.promise = promise, .findings = findings.all()};
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
