#pragma once

#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

#include "plugin/file_descriptor.hpp"

/// Files beside the catalog that several processes write, of whichever users (mode 0600).
namespace openarchiver::service {

/// Made, where it is not there, for the folder's owner, whoever comes first: the service often is
/// another user than who types commands. Negative: it can't be opened (errno).
[[nodiscard]] int open_shared(const std::filesystem::path& file, int flags);

/// False: errno says why.
[[nodiscard]] bool write_all(int descriptor, std::string_view text);

/// Empty where there is none.
[[nodiscard]] std::string read_shared(const std::filesystem::path& file);

/// Durable on return; a reader finds the old text or the new one. False: errno says why.
[[nodiscard]] bool replace_shared(const std::filesystem::path& file, std::string_view text);

/// One holder at a time, while it lives.
class FileLock {
public:
    explicit FileLock(const std::filesystem::path& file);

    [[nodiscard]] bool held() const { return held_; }

private:
    plugin::FileDescriptor descriptor_;
    bool held_ = false;
};

}  // namespace openarchiver::service
