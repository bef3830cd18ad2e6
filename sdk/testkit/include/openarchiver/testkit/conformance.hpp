#pragma once

#include <functional>
#include <openarchiver/sdk/error.hpp>
#include <string>
#include <string_view>
#include <vector>

/// What a conformance suite is made of. No test framework here: `catch2.hpp` turns a suite into
/// sections, other programs run it themselves.
namespace openarchiver::testkit {

/// Collects what a check found wrong. Not for use by several threads at a time.
class Findings {
public:
    /// `expectation` says what the contract expects, in one sentence without a full stop.
    /// Returns `holds`, so that a check can end where going on makes no sense.
    bool expect(bool holds, std::string_view expectation);

    /// As expect(), with what was seen instead.
    bool expect(bool holds, std::string_view expectation, std::string_view seen);

    [[nodiscard]] const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
};

struct Verdict {
    /// The check's name.
    std::string name;
    bool passed = false;
    /// What the contract expects and was not found, one finding a line; empty when passed.
    std::string detail;
};

/// One promise of a contract. Checks of a suite do not depend on each other: they may run in any
/// order, once each, on the same fixture or each on a fresh one.
struct ConformanceCheck {
    /// A sentence: "a listing is in byte order of the keys".
    std::string name;
    std::function<void(Findings&)> body;

    [[nodiscard]] Verdict run() const;
};

[[nodiscard]] std::vector<Verdict> run_all(const std::vector<ConformanceCheck>& checks);

/// "unavailable: the disk is gone", for findings.
[[nodiscard]] std::string describe(const sdk::Error& error);

/// What came out of a call, for findings: "success" or the error.
template <typename ResultType>
[[nodiscard]] std::string outcome_of(const ResultType& result) {
    return result.has_value() ? std::string("success") : describe(result.error());
}

template <typename ResultType>
[[nodiscard]] bool failed_with(const ResultType& result, sdk::Errc code) {
    return !result.has_value() && result.error().code == code;
}

}  // namespace openarchiver::testkit
