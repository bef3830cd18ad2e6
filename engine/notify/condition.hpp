#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "profile/profile.hpp"

/// Tells people what needs them: conditions are read from the status, a ledger knows what each
/// target was told, deliveries bring the rest.
namespace openarchiver::notify {

enum class Kind : std::uint8_t { attention, lag, credential, verify, storage, evidence };

[[nodiscard]] std::string_view to_string(Kind kind);
[[nodiscard]] std::optional<Kind> kind_of(std::string_view name);

/// What somebody has to know of, or did.
struct Condition {
    Kind kind = Kind::attention;
    /// The id of a source, or "engine", "archive", "catalog".
    std::string subject = {};
    /// What people call the subject.
    std::string name = {};
    /// How bad it is: when it becomes higher, that is told.
    int degree = 1;
    /// Reminders are so many times rarer.
    int patience = 1;
    /// Sentences: what is so, and what to do about it.
    std::string summary = {};
    std::string advice = {};
    boost::json::object details = {};

    /// Two conditions of one key are the same one at different times.
    [[nodiscard]] std::string key() const { return std::string(to_string(kind)) + "/" + subject; }
};

/// All conditions that a look at the status shows.
struct Observation {
    std::vector<Condition> conditions = {};
    /// What was looked at: what is not there any more, or paused, is nobody's concern.
    std::set<std::string> subjects = {};
    /// False: of the rest nothing is known.
    bool complete = true;
};

/// `status` is the document of `status --json` (docs/cli.md).
[[nodiscard]] Observation observe(const boost::json::value& status,
                                  const profile::Notifications& settings,
                                  std::uint64_t free_space_floor, sdk::Timestamp now);
/// Where the status can't be made: the archive or the catalog can't be read.
[[nodiscard]] Observation nothing_to_see(const sdk::Error& error);

}  // namespace openarchiver::notify
