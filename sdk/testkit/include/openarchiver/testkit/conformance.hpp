#pragma once

#include <functional>
#include <openarchiver/sdk/error.hpp>
#include <string>
#include <string_view>
#include <vector>

/// What a conformance suite is made of. No test framework here: `catch2.hpp` turns a suite into
/// sections, other programs run it themselves.
namespace openarchiver::testkit {

/// What the contract expects and was not found.
struct Finding {
    std::string expected;
    /// What was seen instead; empty where that is plain.
    std::string seen;
};

/// Collects what a check found wrong. Not for use by several threads at a time.
class Findings {
public:
    /// `expectation` says what the contract expects, in one sentence without a full stop.
    /// Returns `holds`, so that a check can end where going on makes no sense.
    bool expect(bool holds, std::string_view expectation);

    /// As expect(), with what was seen instead.
    bool expect(bool holds, std::string_view expectation, std::string_view seen);

    [[nodiscard]] const std::vector<Finding>& all() const noexcept { return findings_; }

private:
    std::vector<Finding> findings_;
};

/// A promise of a contract, in words.
struct Promise {
    /// A sentence: "a listing is in byte order of the keys".
    std::string name;
    /// Where the contract says so: "storage.hpp, ObjectStore::list()".
    std::string contract;
    /// How to fix a plugin that breaks it.
    std::string remedy;
};

struct Verdict {
    Promise promise;
    /// Empty when passed.
    std::vector<Finding> findings;

    [[nodiscard]] bool passed() const noexcept { return findings.empty(); }

    /// For people: each finding, where the contract says so, and how to fix it.
    [[nodiscard]] std::string detail() const;
};

/// One promise of a contract. Checks of a suite do not depend on each other: they may run in any
/// order, once each, on the same fixture or each on a fresh one.
struct ConformanceCheck {
    Promise promise;
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
