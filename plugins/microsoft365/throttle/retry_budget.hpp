#pragma once

#include <algorithm>
#include <mutex>

namespace openarchiver::microsoft365 {

/// The retries of all requests of a session together: so many at once, and half as many more as
/// requests succeed. While the whole service is down, its failures are passed on instead of being
/// multiplied. Safe for concurrent use.
class RetryBudget {
public:
    static constexpr double kMost = 50;

    /// False: fail now.
    bool take() {
        const std::lock_guard lock(mutex_);
        if (left_ < 1) {
            return false;
        }
        left_ -= 1;
        return true;
    }

    void succeeded() {
        const std::lock_guard lock(mutex_);
        left_ = std::min(left_ + 0.5, kMost);
    }

private:
    std::mutex mutex_;
    double left_ = kMost;  // guarded by mutex_
};

}  // namespace openarchiver::microsoft365
