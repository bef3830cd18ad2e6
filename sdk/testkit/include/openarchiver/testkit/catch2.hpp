#pragma once

#include <catch2/catch.hpp>
#include <openarchiver/testkit/conformance.hpp>
#include <vector>

namespace openarchiver::testkit {

/// Runs a suite inside a TEST_CASE, each check as a section of its own: what stands before the call
/// (the fixture) is made anew for each.
inline void check_conformance(const std::vector<ConformanceCheck>& checks) {
    for (const ConformanceCheck& check : checks) {
        DYNAMIC_SECTION(check.promise.name) {
            const Verdict verdict = check.run();
            INFO(verdict.detail());
            CHECK(verdict.passed());
        }
    }
}

}  // namespace openarchiver::testkit
