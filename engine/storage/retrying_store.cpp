#include "storage/retrying_store.hpp"

#include <string>
#include <utility>

namespace openarchiver::storage {

namespace {

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

sdk::StorageCapabilities RetryingStore::capabilities() const {
    return inner_->capabilities();
}

sdk::Status RetryingStore::put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                               std::stop_token stop) {
    bool first = true;
    return with_retries(options_, stop, [&]() -> sdk::Status {
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
        if (got || counting.refused() || !wait_for_retry(options_, next, got.error(), stop)) {
            return got;
        }
    }
}

sdk::Result<sdk::ObjectInfo> RetryingStore::stat(std::string_view key, std::stop_token stop) {
    return with_retries(options_, stop, [&] { return inner_->stat(key, stop); });
}

sdk::Status RetryingStore::list(std::string_view prefix, std::string_view start_after,
                                sdk::ObjectListSink& sink, std::stop_token stop) {
    ResumingListSink resuming(sink, start_after);
    return with_retries(options_, stop, [&]() -> sdk::Status {
        if (resuming.ended()) {
            return {};
        }
        const std::string behind = resuming.last();
        return inner_->list(prefix, behind, resuming, stop);
    });
}

sdk::Status RetryingStore::remove(std::string_view key, std::stop_token stop) {
    return with_retries(options_, stop, [&] { return inner_->remove(key, stop); });
}

sdk::Result<sdk::Capacity> RetryingStore::capacity(std::stop_token stop) {
    return with_retries(options_, stop, [&] { return inner_->capacity(stop); });
}

sdk::Status RetryingStore::lock(std::string_view key, sdk::Timestamp until, std::stop_token stop) {
    return with_retries(options_, stop, [&] { return inner_->lock(key, until, stop); });
}

sdk::Status RetryingStore::hold(std::string_view key, bool held, std::stop_token stop) {
    return with_retries(options_, stop, [&] { return inner_->hold(key, held, stop); });
}

sdk::Result<sdk::Protection> RetryingStore::protection(std::string_view key, std::stop_token stop) {
    return with_retries(options_, stop, [&] { return inner_->protection(key, stop); });
}

}  // namespace openarchiver::storage
