#pragma once

#include <openarchiver/testkit/conformance.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::tests {

struct Mutant {
    std::string_view name;
    /// What its author got wrong, and a part of the name of a check that notices it.
    std::string_view mistake;
    std::string_view caught_by;
};

/// Runs a check in a process of its own: what a mutant does to it (or that it does not come back)
/// is a verdict.
[[nodiscard]] testkit::Verdict verdict_of(const testkit::ConformanceCheck& check);

/// The suite's verdicts on the plugin with this mistake; with an empty name: on the sound one.
using Run = std::vector<testkit::Verdict> (*)(std::string_view mutant);

[[nodiscard]] const std::vector<Mutant>& provider_mutants();
[[nodiscard]] std::vector<testkit::Verdict> run_provider(std::string_view mutant);

[[nodiscard]] const std::vector<Mutant>& storage_mutants();
[[nodiscard]] std::vector<testkit::Verdict> run_storage(std::string_view mutant);

}  // namespace openarchiver::tests
