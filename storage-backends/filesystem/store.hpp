#pragma once

#include <openarchiver/sdk/storage.hpp>
#include <string>

#include "durable_folders.hpp"

namespace openarchiver::filesystem {

/// Objects are read-only files below the root, named by their keys. An object is written to a
/// temporary file, synced, and given its name in one step: link() for if-absent, rename() for
/// replace; then the folder is synced.
class Store final : public sdk::ObjectStore {
public:
    explicit Store(std::string root) : root_(std::move(root)), folders_(root_) {}

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
    [[nodiscard]] std::string path_of(std::string_view key) const;
    /// Gives the complete file its name in one step.
    sdk::Status publish(std::string_view key, class TemporaryFile& file, sdk::PutMode mode);

    const std::string root_;
    DurableFolders folders_;
};

}  // namespace openarchiver::filesystem
