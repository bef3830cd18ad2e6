#pragma once

#include <atomic>
#include <filesystem>
#include <openarchiver/sdk/storage.hpp>
#include <string>

namespace appliance {

namespace sdk = openarchiver::sdk;

/// A write-once appliance, with a mounted file system for its interface: objects are files below
/// `ROOT/objects`. Such appliances lock a file that is made read-only, until its access time: there
/// the lock's end stands. This one takes the appliance's part, too, and refuses what it would. An
/// object that is replaced leaves its earlier bytes in `ROOT/versions`, where no call of this
/// interface reaches them.
class Store final : public sdk::ObjectStore {
public:
    explicit Store(const std::filesystem::path& root)
        : objects_(root / "objects"), incoming_(root / "incoming"), versions_(root / "versions") {}

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
    sdk::Status lock(std::string_view key, sdk::Timestamp until, std::stop_token stop) override;
    sdk::Result<sdk::Protection> protection(std::string_view key, std::stop_token stop) override;

private:
    [[nodiscard]] std::filesystem::path file_of(std::string_view key) const {
        return objects_ / key;
    }

    std::filesystem::path objects_;
    std::filesystem::path incoming_;  // files that are not objects yet
    std::filesystem::path versions_;  // objects that were replaced
    std::atomic<unsigned> next_{0};
};

}  // namespace appliance
