#pragma once

#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string_view>

#include "unpacked.hpp"

namespace openarchiver::mailfiles {

/// Unpacks what is mail of a zip or tar file: messages, mbox files, files in the `cur` and `new` of
/// a Maildir, and archives. Names of entries are names only: no entry lies outside of the folder,
/// and none is anything but a file or a folder. Bounded in size, number and ratio. The problems are
/// in `to`. corrupt: it is no archive; resource_exhausted: no space.
sdk::Status unpack_archive(const FileDescriptor& file, std::string_view name,
                           std::uint64_t most_bytes, Unpacked& to, const std::stop_token& stop);

}  // namespace openarchiver::mailfiles
