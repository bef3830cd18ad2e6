#include "line_reader.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>

namespace openarchiver::mailfiles {

namespace {

constexpr std::size_t kBuffer = 256U << 10U;

}  // namespace

sdk::Result<std::size_t> read_at(const FileDescriptor& file, std::uint64_t offset, char* bytes,
                                 std::size_t size) {
    std::size_t done = 0;
    while (done < size) {
        const ssize_t count =
            ::pread(file.get(), bytes + done, size - done, static_cast<off_t>(offset + done));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count < 0) {
            return read_failure(errno);
        }
        if (count == 0) {
            break;
        }
        done += static_cast<std::size_t>(count);
    }
    return done;
}

LineReader::LineReader(const FileDescriptor& file, std::uint64_t begin, std::uint64_t end)
    : file_(file), offset_(begin), end_(end), buffer_(kBuffer) {}

sdk::Status LineReader::fill() {
    std::memmove(buffer_.data(), buffer_.data() + position_, filled_ - position_);
    filled_ -= position_;
    position_ = 0;
    const std::uint64_t from = offset_ + filled_;
    const auto wanted = static_cast<std::size_t>(
        std::min<std::uint64_t>(buffer_.size() - filled_, end_ > from ? end_ - from : 0));
    OPENARCHIVER_TRY(const std::size_t count,
                     read_at(file_, from, buffer_.data() + filled_, wanted));
    filled_ += count;
    at_end_ = count < wanted || from + count >= end_;
    return {};
}

sdk::Result<std::optional<LineReader::Piece>> LineReader::next() {
    if (filled_ - position_ < 2 * kLookahead && !at_end_) {
        OPENARCHIVER_CHECK(fill());
    }
    const std::string_view buffered(buffer_.data() + position_, filled_ - position_);
    if (buffered.empty()) {
        return std::optional<Piece>();
    }
    Piece piece;
    piece.offset = offset_;
    piece.begins_line = !in_line_;
    const std::size_t newline = buffered.find('\n');
    piece.ends_line = newline != std::string_view::npos;
    if (piece.ends_line) {
        piece.bytes = buffered.substr(0, newline + 1);
    } else if (at_end_) {
        piece.bytes = buffered;
    } else {
        piece.bytes = buffered.substr(0, buffered.size() - kLookahead);
    }
    in_line_ = !piece.ends_line;
    position_ += piece.bytes.size();
    offset_ += piece.bytes.size();
    return std::optional(piece);
}

std::string_view LineReader::ahead() const noexcept {
    return {buffer_.data() + position_, filled_ - position_};
}

}  // namespace openarchiver::mailfiles
