#pragma once

#include <cstdint>
#include <functional>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/result.hpp>
#include <span>
#include <vector>

#include "archive/room.hpp"

/// A content in which pieces of base64 were decoded (docs/archive-format.md, Composition): what is
/// left of it, the small pieces decoded in their places, the large ones as parts elsewhere.
namespace openarchiver::archive {

/// How decoded bytes were written: base64 in lines of `width` characters, an end of line between
/// two of them.
struct LineLayout {
    std::uint16_t width = 0;  ///< 0: one line
    bool crlf = false;        ///< else LF

    bool operator==(const LineLayout&) const = default;
};

/// Lines of one width, one after another: for pieces whose lines are of different widths, or end
/// differently. The last line of a piece has no end.
struct LineRun {
    std::uint32_t lines = 0;
    std::uint16_t width = 0;  ///< 0: blank lines, a few
    bool crlf = false;        ///< else LF

    bool operator==(const LineRun&) const = default;
};

/// Of one piece.
inline constexpr std::size_t kMaxLineRuns = 8192;
/// Blank lines one after another.
inline constexpr std::uint32_t kMaxBlankLines = 4;

/// Writes the records of a composition.
class CompositionWriter {
public:
    explicit CompositionWriter(sdk::ByteSink& sink) : sink_(sink) {}

    sdk::Status text(std::span<const std::byte> bytes);
    /// The lines of the piece that comes next, whose layout is to be {} then.
    sdk::Status lines(std::span<const LineRun> runs);
    /// Bytes that were decoded and stay in the composition.
    sdk::Status decoded(LineLayout layout, std::span<const std::byte> bytes);
    /// The next part, of so many bytes.
    sdk::Status part(LineLayout layout, std::uint64_t size);

private:
    sdk::ByteSink& sink_;
};

/// Makes the content again: takes a composition in pieces, passes the exact bytes on.
class Composer final : public sdk::ByteSink {
public:
    /// Writes part number `index` (from 0 on), of `size` bytes, to the sink.
    using ReadPart =
        std::function<sdk::Status(std::size_t index, std::uint64_t size, sdk::ByteSink& sink)>;

    /// `content` outlives the composer.
    Composer(sdk::ByteSink& content, ReadPart read_part);

    sdk::Status write(std::span<const std::byte> bytes) override;
    /// corrupt: the composition ended in the middle of a record.
    sdk::Status finish();

private:
    enum class Bytes : std::uint8_t { text, decoded, lines };

    sdk::Status begin_record();
    sdk::Status end_record();
    sdk::Status read_lines();

    sdk::ByteSink& content_;
    ReadPart read_part_;
    Room room_;                      // to encode in
    std::vector<std::byte> record_;  // the beginning of one, up to its bytes
    std::uint64_t left_ = 0;         // of the current record's bytes
    Bytes kind_ = Bytes::text;       // what they are
    LineLayout layout_;
    std::vector<LineRun> runs_;    // of the next piece; empty: as layout_ says
    std::vector<std::byte> held_;  // decoded bytes or lines, until all are there
    std::size_t parts_ = 0;
};

}  // namespace openarchiver::archive
