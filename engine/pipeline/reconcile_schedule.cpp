#include "pipeline/reconcile_schedule.hpp"

#include <cstdint>

namespace openarchiver::pipeline {

namespace {

/// FNV-1a: the same in every build, unlike std::hash.
std::uint64_t stable_hash(std::string_view text, std::uint64_t hash = 0xcbf29ce484222325ULL) {
    for (const char c : text) {
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    }
    return hash;
}

}  // namespace

bool reconcile_due(std::string_view account_id, std::string_view folder_id, sdk::Timestamp last,
                   sdk::Timestamp now, std::chrono::seconds every) {
    if (last == sdk::Timestamp{} || now <= last || every <= std::chrono::seconds(0)) {
        return false;
    }
    const std::int64_t period = std::chrono::milliseconds(every).count();
    const std::uint64_t hash = stable_hash(folder_id, stable_hash(account_id));
    const auto phase = static_cast<std::int64_t>(hash % static_cast<std::uint64_t>(period));
    const auto turn = [&](sdk::Timestamp time) {
        return (time.time_since_epoch().count() + phase) / period;
    };
    return turn(now) > turn(last);
}

}  // namespace openarchiver::pipeline
