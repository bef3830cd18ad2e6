#include "mbox_reader.hpp"

#include <algorithm>
#include <cstring>

#include "from_line.hpp"

namespace openarchiver::mailfiles {

MboxReader::MboxReader(FileDescriptor file, const MboxPlace& place, std::string digest,
                       sdk::Metrics& metrics)
    : file_(std::move(file)),
      unquote_(place.unquote),
      digest_(std::move(digest)),
      metrics_(metrics),
      lines_(file_, place.begin, place.end) {}

sdk::Status MboxReader::next_piece() {
    OPENARCHIVER_TRY(const auto piece, lines_.next());
    if (!piece) {
        ended_ = true;
        if (read_digest_.finish() != digest_) {
            return sdk::Error{.code = sdk::Errc::unavailable,
                              .message = "an mbox was rewritten while a message was read from it"};
        }
        return {};
    }
    read_digest_.add(piece->bytes, piece->begins_line);
    piece_ = piece->bytes;
    if (piece->begins_line && in_header_) {
        in_header_ = !without_line_end(piece_).empty();
    } else if (piece->begins_line && unquote_ && is_quoted_from(piece_)) {
        piece_.remove_prefix(1);
    }
    return {};
}

sdk::Result<std::size_t> MboxReader::read(std::span<std::byte> buffer) {
    std::size_t filled = 0;
    while (filled < buffer.size() && !ended_) {
        if (piece_.empty()) {
            OPENARCHIVER_CHECK(next_piece());
            continue;
        }
        const std::size_t count = std::min(piece_.size(), buffer.size() - filled);
        std::memcpy(buffer.data() + filled, piece_.data(), count);
        piece_.remove_prefix(count);
        filled += count;
    }
    metrics_.add("bytes_downloaded", filled);
    return filled;
}

}  // namespace openarchiver::mailfiles
