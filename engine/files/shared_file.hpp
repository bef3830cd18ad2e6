#pragma once

#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

#include "files/file_descriptor.hpp"

/// Small files that several processes write, of whichever users: the service often is another user
/// than who types commands. What root makes is given to the owner of the folder that it is in.
namespace openarchiver::files {

enum class Readers : std::uint8_t { owner, everyone };

/// Made where it is not there. Negative: it can't be opened (errno).
[[nodiscard]] int open_shared(const std::filesystem::path& file, int flags,
                              Readers readers = Readers::owner);

/// False: errno says why.
[[nodiscard]] bool write_all(int descriptor, std::string_view text);

/// Empty where there is none.
[[nodiscard]] std::string read_shared(const std::filesystem::path& file);

/// Durable on return; a reader finds the old text or the new one. resource_exhausted (no space),
/// permission_denied or unavailable.
[[nodiscard]] sdk::Status replace_file(const std::filesystem::path& file, std::string_view text,
                                       Readers readers = Readers::owner);

/// One holder at a time, while it lives.
class FileLock {
public:
    explicit FileLock(const std::filesystem::path& file);

    [[nodiscard]] bool held() const { return held_; }

private:
    FileDescriptor descriptor_;
    bool held_ = false;
};

}  // namespace openarchiver::files
