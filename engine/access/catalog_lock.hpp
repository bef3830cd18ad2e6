#pragma once

#include <filesystem>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <string>

namespace openarchiver::access {

/// The right to write a catalog: a lock on `lock` in its folder, which the system takes back from a
/// process that dies. The file names its holder.
class CatalogLock {
public:
    /// already_exists: held by another engine; the message names host and process.
    static sdk::Result<std::unique_ptr<CatalogLock>> acquire(const std::filesystem::path& folder);
    ~CatalogLock();
    CatalogLock(const CatalogLock&) = delete;
    CatalogLock& operator=(const CatalogLock&) = delete;

private:
    explicit CatalogLock(int file) : file_(file) {}

    int file_;
};

}  // namespace openarchiver::access
