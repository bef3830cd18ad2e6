#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "archive/compression.hpp"
#include "archive/pack.hpp"
#include "archive/room.hpp"
#include "archive/seal.hpp"

/// The bytes of packs and frames (docs/archive-format.md).
namespace openarchiver::archive {

inline constexpr std::size_t kPackHeaderSize = 16;
inline constexpr std::size_t kFrameHeaderSize = 64;
inline constexpr std::uint64_t kMaxFrameSize = 16U << 20;  ///< decompressed
inline constexpr std::uint64_t kMaxStoredFrameSize = kFrameHeaderSize + kMaxFrameSize + kTagSize;

[[nodiscard]] std::array<std::byte, kPackHeaderSize> pack_header();
/// corrupt or unsupported, without the name of the pack.
[[nodiscard]] sdk::Status check_pack_header(std::span<const std::byte> header);

struct FrameHeader {
    Cipher cipher = Cipher::none;
    Compression compression = Compression::none;
    KeyId key{};
    Salt salt{};
    Nonce nonce{};
    std::uint32_t raw_size = 0;
    std::uint32_t payload_size = 0;  ///< with the tag
    std::uint32_t index = 0;         ///< of the frame in its pack
};

void write_frame_header(const FrameHeader& header, std::span<std::byte> target);
[[nodiscard]] sdk::Result<FrameHeader> read_frame_header(std::span<const std::byte> source);

/// Makes frames. Used by one thread at a time.
class FrameEncoder {
public:
    /// The whole stored frame; the span is good until the next call. `single_content`: all of the
    /// bytes are one content, whose beginning tells whether compression is worth its time.
    [[nodiscard]] std::span<const std::byte> encode(const AccountKey& account, std::uint32_t index,
                                                    std::span<const std::byte> raw,
                                                    bool single_content);

private:
    Compressor compressor_;
    Sealer sealer_;
    std::vector<std::byte> stored_;
};

/// Opens frames. Used by one thread at a time.
class FrameDecoder {
public:
    /// `stored` (destroyed by it) is the frame that `frame` describes, `key` the key that it names.
    /// corrupt, without the names of pack and frame.
    [[nodiscard]] sdk::Result<Room> decode(const Frame& frame, std::uint32_t index,
                                           const AccountKey& key, std::span<std::byte> stored);

private:
    Decompressor decompressor_;
    Sealer sealer_;
};

}  // namespace openarchiver::archive
