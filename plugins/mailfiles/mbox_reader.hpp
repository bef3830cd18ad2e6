#pragma once

#include <cstdint>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/host.hpp>
#include <string>

#include "file_access.hpp"
#include "line_reader.hpp"
#include "message_digest.hpp"

namespace openarchiver::mailfiles {

/// Where a message lies in an mbox, and how it is read.
struct MboxPlace {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    bool unquote = false;
};

/// The bytes of a message in an mbox. Who rewrites the mbox moves what is in it: that it was this
/// message shows at the end, by its digest; if not, it is `unavailable`, and to be looked for
/// again.
class MboxReader final : public sdk::ByteReader {
public:
    MboxReader(FileDescriptor file, const MboxPlace& place, std::string digest,
               sdk::Metrics& metrics);

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override;

private:
    sdk::Status next_piece();

    const FileDescriptor file_;
    const bool unquote_;
    const std::string digest_;
    sdk::Metrics& metrics_;
    LineReader lines_;
    MessageDigest read_digest_;
    bool in_header_ = true;
    bool ended_ = false;
    std::string_view piece_;
};

}  // namespace openarchiver::mailfiles
