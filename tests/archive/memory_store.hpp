#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/storage.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace openarchiver::test {

/// What a MemoryStore holds and how it misbehaves; outlives the stores that show it.
struct StoreContents {
    std::mutex mutex;  // guards `objects` and the counts
    std::map<std::string, std::string, std::less<>> objects;
    /// Called before and after an object is stored; an error is what the caller of put() gets.
    std::function<sdk::Status(std::string_view key)> before_put;
    std::function<sdk::Status(std::string_view key)> after_put;
    std::function<sdk::Status(std::string_view key)> before_get;
    /// A get delivers so many bytes and then fails, once.
    std::size_t break_get_after = 0;
    sdk::Result<sdk::Capacity> capacity =
        sdk::Error{.code = sdk::Errc::unsupported, .message = "it has no bounds"};
    bool put_if_absent = true;
    unsigned capacity_calls = 0;
    unsigned puts = 0;
    unsigned gets = 0;
};

class MemoryStore final : public sdk::ObjectStore {
public:
    explicit MemoryStore(StoreContents& contents) : contents_(contents) {}

    [[nodiscard]] sdk::StorageCapabilities capabilities() const override {
        return {.put_if_absent = contents_.put_if_absent,
                .max_object_bytes = 1ULL << 40U,
                .parallelism = 4};
    }

    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                    std::stop_token stop) override {
        if (stop.stop_requested()) {
            return sdk::Error{.code = sdk::Errc::cancelled, .message = "stopped"};
        }
        if (contents_.before_put) {
            OPENARCHIVER_CHECK(contents_.before_put(key));
        }
        std::string bytes(static_cast<std::size_t>(source.size()), '\0');
        std::size_t size = 0;
        while (size < bytes.size()) {
            OPENARCHIVER_TRY(const std::size_t got,
                             source.read(std::as_writable_bytes(std::span(bytes)).subspan(size)));
            if (got == 0) {
                return sdk::Error{.code = sdk::Errc::internal, .message = "the source ended"};
            }
            size += got;
        }
        {
            const std::lock_guard lock(contents_.mutex);
            ++contents_.puts;
            if (mode == sdk::PutMode::if_absent && contents_.objects.contains(key)) {
                return sdk::Error{.code = sdk::Errc::already_exists,
                                  .message = std::string(key) + " exists"};
            }
            contents_.objects[std::string(key)] = std::move(bytes);
        }
        if (contents_.after_put) {
            OPENARCHIVER_CHECK(contents_.after_put(key));
        }
        return {};
    }

    sdk::Status get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                    std::stop_token) override {
        if (contents_.before_get) {
            OPENARCHIVER_CHECK(contents_.before_get(key));
        }
        std::string bytes;
        std::size_t broken = 0;
        {
            const std::lock_guard lock(contents_.mutex);
            broken = std::exchange(contents_.break_get_after, 0);
            ++contents_.gets;
            const auto found = contents_.objects.find(key);
            if (found == contents_.objects.end()) {
                return sdk::Error{.code = sdk::Errc::not_found,
                                  .message = "no object " + std::string(key)};
            }
            const std::string& whole = found->second;
            if (range.offset > whole.size() ||
                (range.length && *range.length > whole.size() - range.offset)) {
                return sdk::Error{.code = sdk::Errc::invalid_argument,
                                  .message = "the range reaches beyond the end"};
            }
            bytes = whole.substr(range.offset, range.length.value_or(whole.size()));
        }
        const auto all = std::as_bytes(std::span(bytes));
        const auto delivered = broken != 0 ? all.first(std::min(broken, all.size())) : all;
        // In pieces of an odd size, as a network delivers them.
        for (std::size_t at = 0; at < delivered.size(); at += 4099) {
            OPENARCHIVER_CHECK(sink.write(
                delivered.subspan(at, std::min<std::size_t>(4099, delivered.size() - at))));
        }
        if (broken != 0) {
            return sdk::Error{.code = sdk::Errc::unavailable, .message = "connection lost"};
        }
        return {};
    }

    sdk::Result<sdk::ObjectInfo> stat(std::string_view key, std::stop_token) override {
        const std::lock_guard lock(contents_.mutex);
        const auto found = contents_.objects.find(key);
        if (found == contents_.objects.end()) {
            return sdk::Error{.code = sdk::Errc::not_found,
                              .message = "no object " + std::string(key)};
        }
        return sdk::ObjectInfo{
            .key = std::string(key), .size = found->second.size(), .modified_at = {}};
    }

    sdk::Status list(std::string_view prefix, std::string_view start_after,
                     sdk::ObjectListSink& sink, std::stop_token) override {
        std::vector<sdk::ObjectInfo> found;
        {
            const std::lock_guard lock(contents_.mutex);
            for (auto at = start_after.empty() ? contents_.objects.begin()
                                               : contents_.objects.upper_bound(start_after);
                 at != contents_.objects.end(); ++at) {
                if (at->first.starts_with(prefix)) {
                    found.push_back(
                        {.key = at->first, .size = at->second.size(), .modified_at = {}});
                }
            }
        }
        for (const sdk::ObjectInfo& info : found) {
            if (!sink.object(info)) {
                break;
            }
        }
        return {};
    }

    sdk::Status remove(std::string_view key, std::stop_token) override {
        const std::lock_guard lock(contents_.mutex);
        if (const auto found = contents_.objects.find(key); found != contents_.objects.end()) {
            contents_.objects.erase(found);
        }
        return {};
    }

    sdk::Result<sdk::Capacity> capacity(std::stop_token) override {
        ++contents_.capacity_calls;
        return contents_.capacity;
    }

private:
    StoreContents& contents_;
};

}  // namespace openarchiver::test
