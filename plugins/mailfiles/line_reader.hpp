#pragma once

#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string_view>
#include <vector>

#include "file_access.hpp"

namespace openarchiver::mailfiles {

/// A part of a file as lines. A line that is longer than the buffer comes in pieces, so that memory
/// is bounded whatever the lines are like.
class LineReader {
public:
    /// A piece that begins a line has at least so many bytes of it, or all of it; and behind a line
    /// up to this long, so many bytes of what follows can be looked at.
    static constexpr std::size_t kLookahead = 2048;

    struct Piece {
        /// Until the next call.
        std::string_view bytes;
        std::uint64_t offset = 0;
        bool begins_line = false;
        bool ends_line = false;
    };

    /// The bytes from `begin` to `end`, or to where the file ends before that. `file` lives longer.
    LineReader(const FileDescriptor& file, std::uint64_t begin, std::uint64_t end);

    /// Nothing: the end.
    sdk::Result<std::optional<Piece>> next();

    /// What is known to follow the piece.
    [[nodiscard]] std::string_view ahead() const noexcept;

private:
    sdk::Status fill();

    const FileDescriptor& file_;
    std::uint64_t offset_;  // in the file, of buffer_[position_]
    const std::uint64_t end_;
    bool at_end_ = false;  // of what can be read into the buffer
    bool in_line_ = false;
    std::vector<char> buffer_;
    std::size_t position_ = 0;
    std::size_t filled_ = 0;
};

/// Up to `size` bytes at `offset`; fewer only at the end of the file.
sdk::Result<std::size_t> read_at(const FileDescriptor& file, std::uint64_t offset, char* bytes,
                                 std::size_t size);

}  // namespace openarchiver::mailfiles
