#include "api/request_rate.hpp"

#include <algorithm>

namespace openarchiver::api {

bool RequestRate::admit(const std::string& credential, Clock::time_point now) {
    const std::lock_guard lock(mutex_);
    auto& allowance = allowances_.try_emplace(credential, Allowance{.at = now}).first->second;
    const double passed = std::chrono::duration<double>(now - allowance.at).count();
    allowance.left = std::min(kAtOnce, allowance.left + passed * kEachSecond);
    allowance.at = now;
    if (allowance.left < 1) {
        return false;
    }
    allowance.left -= 1;
    return true;
}

}  // namespace openarchiver::api
