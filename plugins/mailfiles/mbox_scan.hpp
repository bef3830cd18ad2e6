#pragma once

#include <cstdint>
#include <functional>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "file_access.hpp"
#include "settings.hpp"

namespace openarchiver::mailfiles {

/// A message of an mbox: the bytes between its "From " line and the empty line before the next one.
struct MboxMessage {
    /// Of its "From " line.
    std::uint64_t offset = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    /// MessageDigest.
    std::string digest = {};
    /// The writer quoted lines that begin with "From ", and that is to be undone.
    bool unquote = false;
    /// What follows "From ", without the line's end.
    std::string from = {};
    std::optional<sdk::Timestamp> delivered_at = {};
};

struct MboxEvents {
    /// An Error ends the scan.
    std::function<sdk::Status(const MboxMessage& message)> message;
    /// Bytes that are no message.
    std::function<sdk::Status(std::uint64_t offset, std::string what)> broken;
};

struct MboxRange {
    std::uint64_t size = 0;
    /// The file ends in the middle of something: its last message is not reported.
    bool open_end = false;
};

/// Goes through an mbox once, in memory that does not depend on it.
///
/// Where messages begin: at a line that begins with "From ". With `automatic` and the dialects by
/// length it has to have a date, and an empty line or the beginning of the file before it, or a
/// header field behind it: texts that nobody quoted have lines that begin with "From ", too. Except
/// in mboxo and mboxrd, a Content-Length counts where a "From " line or the end of the file follows
/// that body.
///
/// Quoting is undone in mboxrd; with `automatic`, in messages found by "From " lines alone of which
/// no line begins with "From " itself, so that quoting again would give the same bytes.
///
/// Returns the offset of a last message that was left out, or the size.
sdk::Result<std::uint64_t> scan_mbox(const FileDescriptor& file, const MboxRange& range,
                                     MboxDialect dialect, const MboxEvents& events,
                                     const std::stop_token& stop);

}  // namespace openarchiver::mailfiles
