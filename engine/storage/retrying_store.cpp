#include "storage/retrying_store.hpp"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <utility>

namespace openarchiver::storage {

namespace {

// Half of the delay is chance, so that many callers that failed together don't return together.
std::chrono::milliseconds jittered(std::chrono::milliseconds delay) {
    thread_local std::minstd_rand generator{std::random_device{}()};
    std::uniform_int_distribution<std::int64_t> part(delay.count() / 2, delay.count());
    return std::chrono::milliseconds(part(generator));
}

// Knows how much arrived, and whether a failure is the receiver's own.
class CountingSink final : public sdk::ByteSink {
public:
    explicit CountingSink(sdk::ByteSink& inner) : inner_(inner) {}

    sdk::Status write(std::span<const std::byte> bytes) override {
        sdk::Status written = inner_.write(bytes);
        if (written) {
            count_ += bytes.size();
        } else {
            refused_ = true;
        }
        return written;
    }

    [[nodiscard]] std::uint64_t count() const { return count_; }

    [[nodiscard]] bool refused() const { return refused_; }

private:
    sdk::ByteSink& inner_;
    std::uint64_t count_ = 0;
    bool refused_ = false;
};

class ResumingListSink final : public sdk::ObjectListSink {
public:
    ResumingListSink(sdk::ObjectListSink& inner, std::string_view start_after)
        : inner_(inner), last_(start_after) {}

    bool object(const sdk::ObjectInfo& info) override {
        last_ = info.key;
        ended_ = !inner_.object(info);
        return !ended_;
    }

    [[nodiscard]] const std::string& last() const { return last_; }

    [[nodiscard]] bool ended() const { return ended_; }

private:
    sdk::ObjectListSink& inner_;
    std::string last_;
    bool ended_ = false;
};

}  // namespace

RetryingStore::RetryingStore(std::unique_ptr<sdk::ObjectStore> inner, RetryOptions options)
    : inner_(std::move(inner)), options_(options) {}

bool RetryingStore::wait(unsigned next, const sdk::Error& error, std::stop_token stop) const {
    if (!is_retryable(error.code) || next > options_.tries) {
        return false;
    }
    // 200 ms, 400 ms, 800 ms, ...
    const unsigned doublings = std::min(next - 2, 20U);
    std::chrono::milliseconds delay =
        jittered(std::min(options_.longest_delay,
                          std::chrono::milliseconds(options_.first_delay.count() << doublings)));
    if (error.retry_after) {
        if (*error.retry_after > options_.longest_retry_after) {
            return false;
        }
        delay = std::max(delay, *error.retry_after);
    }
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    wake.wait_for(lock, stop, delay, [] { return false; });
    return !stop.stop_requested();
}

template <typename Call>
auto RetryingStore::repeat(const std::stop_token& stop, const Call& call) const {
    for (unsigned next = 2;; ++next) {
        auto result = call();
        if (result || !wait(next, result.error(), stop)) {
            return result;
        }
    }
}

sdk::StorageCapabilities RetryingStore::capabilities() const {
    return inner_->capabilities();
}

sdk::Status RetryingStore::put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                               std::stop_token stop) {
    bool first = true;
    return repeat(stop, [&]() -> sdk::Status {
        if (!std::exchange(first, false)) {
            OPENARCHIVER_CHECK(source.rewind());
        }
        return inner_->put(key, source, mode, stop);
    });
}

sdk::Status RetryingStore::get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                               std::stop_token stop) {
    CountingSink counting(sink);
    for (unsigned next = 2;; ++next) {
        const std::uint64_t done = counting.count();
        sdk::Range rest{.offset = range.offset + done, .length = range.length};
        if (rest.length) {
            *rest.length -= done;
            if (done != 0 && *rest.length == 0) {
                return {};
            }
        }
        sdk::Status got = inner_->get(key, rest, counting, stop);
        if (got || counting.refused() || !wait(next, got.error(), stop)) {
            return got;
        }
    }
}

sdk::Result<sdk::ObjectInfo> RetryingStore::stat(std::string_view key, std::stop_token stop) {
    return repeat(stop, [&] { return inner_->stat(key, stop); });
}

sdk::Status RetryingStore::list(std::string_view prefix, std::string_view start_after,
                                sdk::ObjectListSink& sink, std::stop_token stop) {
    ResumingListSink resuming(sink, start_after);
    return repeat(stop, [&]() -> sdk::Status {
        if (resuming.ended()) {
            return {};
        }
        const std::string behind = resuming.last();
        return inner_->list(prefix, behind, resuming, stop);
    });
}

sdk::Status RetryingStore::remove(std::string_view key, std::stop_token stop) {
    return repeat(stop, [&] { return inner_->remove(key, stop); });
}

sdk::Result<sdk::Capacity> RetryingStore::capacity(std::stop_token stop) {
    return repeat(stop, [&] { return inner_->capacity(stop); });
}

}  // namespace openarchiver::storage
