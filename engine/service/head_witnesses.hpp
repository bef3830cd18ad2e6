#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "access/access.hpp"
#include "profile/profile.hpp"

/// Who vouches for an archive's heads beside itself: the timestamp authority and the folder
/// elsewhere that the profile names.
namespace openarchiver::service {

/// How it went with one of the two so far. Kept in the catalog's folder, and may be lost: then one
/// more head is timestamped than needed.
struct WitnessState {
    std::uint64_t head = 0;  ///< the last one that it has; 0: none yet
    sdk::Timestamp at;       ///< when
    sdk::Timestamp failing_since;
    std::string error;
};

struct WitnessStates {
    std::optional<WitnessState> timestamp;
    std::optional<WitnessState> publication;
};

[[nodiscard]] WitnessStates read_witness_states(const profile::Profile& profile);
/// What a person has to see to, at `now`; an authority may be away for as long as two timestamps
/// lie apart.
[[nodiscard]] std::vector<std::string> witness_problems(const profile::Profile& profile,
                                                        const WitnessStates& states,
                                                        sdk::Timestamp now);

/// Used by one thread.
class HeadWitnesses {
public:
    /// What `context` refers to outlives it.
    explicit HeadWitnesses(const access::Context& context);

    /// Whether the profile names any.
    [[nodiscard]] bool any() const;
    /// Publishes the heads that are not yet, and has the newest one timestamped where one is due.
    /// Failures are logged and kept; they are tried again with a later call.
    void visit(archive::Archive& archive, const std::stop_token& stop);

private:
    sdk::Status publish(archive::Archive& archive, WitnessState& state,
                        const std::stop_token& stop);
    sdk::Status timestamp(archive::Archive& archive, const std::string& note, std::uint64_t number,
                          std::stop_token stop);
    void record(const char* what, WitnessState& state, std::uint64_t head, const sdk::Status& done);
    void save(const WitnessStates& states);

    access::Context context_;
    std::chrono::steady_clock::time_point next_timestamp_{};
    std::chrono::seconds wait_{0};
};

}  // namespace openarchiver::service
