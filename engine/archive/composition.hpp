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

/// Writes the records of a composition.
class CompositionWriter {
public:
    explicit CompositionWriter(sdk::ByteSink& sink) : sink_(sink) {}

    sdk::Status text(std::span<const std::byte> bytes);
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
    sdk::Status begin_record();

    sdk::ByteSink& content_;
    ReadPart read_part_;
    Room room_;                      // to encode in
    std::vector<std::byte> record_;  // the beginning of one, up to its bytes
    std::uint64_t left_ = 0;         // of the current record's bytes
    bool encoded_ = false;           // they are decoded ones
    LineLayout layout_;
    std::vector<std::byte> decoded_;
    std::size_t parts_ = 0;
};

}  // namespace openarchiver::archive
