#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <openarchiver/sdk/storage.hpp>
#include <string>

namespace appliance {

namespace sdk = openarchiver::sdk;

/// A write-once appliance, with a mounted file system for its interface: objects are files below
/// `ROOT/objects`. One that was created if absent is locked: until it has been there for the
/// retention time, remove() is refused. One that is replaced leaves its earlier bytes in
/// `ROOT/versions`, where no call of this interface reaches them.
class Store final : public sdk::ObjectStore {
public:
    Store(const std::filesystem::path& root, std::chrono::seconds retention)
        : objects_(root / "objects"),
          incoming_(root / "incoming"),
          versions_(root / "versions"),
          retention_(retention) {}

    /// Creates the folders where there are none yet.
    sdk::Status prepare();

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

private:
    [[nodiscard]] std::filesystem::path file_of(std::string_view key) const {
        return objects_ / key;
    }

    std::filesystem::path objects_;
    std::filesystem::path incoming_;  // files that are not objects yet
    std::filesystem::path versions_;  // objects that were replaced
    std::chrono::seconds retention_;
    std::atomic<unsigned> next_{0};
};

}  // namespace appliance
