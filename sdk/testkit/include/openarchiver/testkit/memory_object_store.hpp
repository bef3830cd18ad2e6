#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/storage.hpp>
#include <openarchiver/testkit/byte_streams.hpp>
#include <string>

namespace openarchiver::testkit {

/// What memory stores hold; shared by those that are opened on it, as a folder or a bucket is.
class MemoryObjects {
public:
    struct Object {
        std::shared_ptr<const Bytes> bytes;
        sdk::Timestamp modified_at;
        sdk::Protection protection = {};
    };

    /// Called before each operation ("put", "get", "stat", "list", "remove",
    /// "lock", "hold", "protection") with its key or
    /// prefix; an error is its result. Set it before the store is in use.
    std::function<sdk::Status(std::string_view operation, std::string_view key)> before;

    [[nodiscard]] std::map<std::string, Object, std::less<>> all() const;

private:
    friend class MemoryObjectStore;

    mutable std::mutex mutex_;  // guards objects_
    std::map<std::string, Object, std::less<>> objects_;
};

/// An object store in memory that keeps the contract, for tests of what is built on one.
class MemoryObjectStore final : public sdk::ObjectStore {
public:
    explicit MemoryObjectStore(
        std::shared_ptr<MemoryObjects> objects = std::make_shared<MemoryObjects>())
        : objects_(std::move(objects)) {}

    [[nodiscard]] sdk::StorageCapabilities capabilities() const override;
    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                    std::stop_token stop) override;
    sdk::Status get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                    std::stop_token stop) override;
    sdk::Result<sdk::ObjectInfo> stat(std::string_view key, std::stop_token stop) override;
    sdk::Status list(std::string_view prefix, std::string_view start_after,
                     sdk::ObjectListSink& sink, std::stop_token stop) override;
    sdk::Status remove(std::string_view key, std::stop_token stop) override;
    sdk::Result<sdk::Capacity> capacity(std::stop_token stop) override;
    sdk::Status lock(std::string_view key, sdk::Timestamp until, std::stop_token stop) override;
    sdk::Status hold(std::string_view key, bool held, std::stop_token stop) override;
    sdk::Result<sdk::Protection> protection(std::string_view key, std::stop_token stop) override;

    [[nodiscard]] MemoryObjects& objects() noexcept { return *objects_; }

private:
    sdk::Status begin(std::string_view operation, std::string_view key,
                      const std::stop_token& stop) const;
    sdk::Result<MemoryObjects::Object> find(std::string_view key) const;
    sdk::Status protect(std::string_view operation, std::string_view key,
                        const std::stop_token& stop,
                        const std::function<void(sdk::Protection&)>& change);

    /// Shared by the stores that are opened on it and the test.
    const std::shared_ptr<MemoryObjects> objects_;
};

}  // namespace openarchiver::testkit
