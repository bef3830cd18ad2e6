#include "api/sign_in_guard.hpp"

namespace openarchiver::api {

std::optional<std::chrono::seconds> SignInGuard::wait(const std::string& address,
                                                      Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    const auto found = tries_.find(address);
    if (found == tries_.end() || found->second.count < kTries ||
        now - found->second.first >= kWithin) {
        return std::nullopt;
    }
    return std::chrono::ceil<std::chrono::seconds>(found->second.first + kWithin - now);
}

void SignInGuard::failed(const std::string& address, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    if (tries_.size() >= kAddresses) {
        std::erase_if(tries_, [&](const auto& one) { return now - one.second.first >= kWithin; });
    }
    if (tries_.size() >= kAddresses && !tries_.contains(address)) {
        return;
    }
    auto& tries = tries_[address];
    if (tries.count == 0 || now - tries.first >= kWithin) {
        tries = {.count = 0, .first = now};
    }
    ++tries.count;
}

}  // namespace openarchiver::api
