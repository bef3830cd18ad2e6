#include "archive/segment.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "archive/compression.hpp"
#include "archive/random.hpp"
#include "archive/seal.hpp"
#include "archive/wire.hpp"

namespace openarchiver::archive {

namespace {

constexpr std::string_view kMagic = "OARCSEGM";
constexpr std::uint32_t kFormat = 1;
constexpr std::size_t kHeaderSize = 80;
constexpr std::size_t kBlockHeaderSize = 64;
constexpr std::size_t kDigestSize = 32;
constexpr std::size_t kWriterSize = 16;
constexpr std::uint64_t kMaxBlockSize = 64U << 20;  // decompressed
constexpr std::size_t kSequenceDigits = 20;

sdk::Error damaged(std::string_view what) {
    return sdk::Error{.code = sdk::Errc::corrupt,
                      .message = "the segment is damaged: " + std::string(what)};
}

bool is_writer(std::string_view writer) {
    return writer.size() == kWriterSize && std::all_of(writer.begin(), writer.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
           });
}

sdk::Error invalid(std::string message) {
    return sdk::Error{.code = sdk::Errc::invalid_argument, .message = std::move(message)};
}

sdk::Status append_block(const EventBlock& block, std::uint32_t index, Compressor& compressor,
                         Sealer& sealer, std::vector<std::byte>& object) {
    const auto events = wire::bytes_of(block.events);
    if (events.size() > kMaxBlockSize) {
        return invalid("a block of " + std::to_string(events.size()) +
                       " bytes of events is too large: the limit is " +
                       std::to_string(kMaxBlockSize));
    }
    const std::size_t start = object.size();
    object.resize(start + kBlockHeaderSize + events.size() + kTagSize);
    const auto stored = std::span(object).subspan(start);
    const auto room = stored.subspan(kBlockHeaderSize, events.size());

    std::size_t size = events.size();
    auto compression = Compression::none;
    if (!events.empty()) {
        if (const auto compressed = compressor.compress(events, room.first(events.size() - 1),
                                                        Compressor::Reach::far)) {
            size = *compressed;
            compression = Compression::zstd;
        }
    }
    if (compression == Compression::none) {
        std::copy(events.begin(), events.end(), room.begin());
    }
    const std::size_t payload_size = size + (block.key.key ? kTagSize : 0);
    wire::put(stored, 0,
              static_cast<std::uint8_t>(block.key.key ? Cipher::aes_256_gcm : Cipher::none));
    wire::put(stored, 1, static_cast<std::uint8_t>(compression));
    wire::put(stored, 4, index);
    wire::put_bytes(stored, 8, block.key.id);
    wire::put(stored, 52, static_cast<std::uint32_t>(events.size()));
    wire::put(stored, 56, static_cast<std::uint32_t>(payload_size));
    if (block.key.key) {
        const Salt salt = random_bytes<16>();
        const Nonce nonce = random_bytes<12>();
        wire::put_bytes(stored, 24, salt);
        wire::put_bytes(stored, 40, nonce);
        sealer.seal({*block.key.key, kBlockPurpose, salt, nonce},
                    {std::span(object).first(kHeaderSize), stored.first(kBlockHeaderSize)},
                    stored.subspan(kBlockHeaderSize, size),
                    stored.subspan(kBlockHeaderSize + size).first<kTagSize>());
    }
    object.resize(start + kBlockHeaderSize + payload_size);
    return {};
}

// `rest` begins with the block; what follows it is left.
sdk::Result<EventBlock> read_block(std::span<const std::byte> header,
                                   std::span<const std::byte>& rest, std::uint32_t index,
                                   const Keyring& keyring, Decompressor& decompressor,
                                   Sealer& sealer) {
    const std::string name = "block " + std::to_string(index);
    if (rest.size() < kBlockHeaderSize) {
        return damaged(name + " is cut short");
    }
    const auto cipher = wire::get<std::uint8_t>(rest, 0);
    const auto compression = wire::get<std::uint8_t>(rest, 1);
    const auto raw_size = wire::get<std::uint32_t>(rest, 52);
    const auto payload_size = wire::get<std::uint32_t>(rest, 56);
    const std::size_t overhead = cipher == static_cast<std::uint8_t>(Cipher::none) ? 0 : kTagSize;
    if (cipher > static_cast<std::uint8_t>(Cipher::aes_256_gcm) ||
        compression > static_cast<std::uint8_t>(Compression::zstd) ||
        !wire::all_zero(rest.subspan(2, 2)) || !wire::all_zero(rest.subspan(60, 4)) ||
        wire::get<std::uint32_t>(rest, 4) != index || raw_size > kMaxBlockSize ||
        payload_size < overhead || payload_size > raw_size + overhead ||
        (compression == static_cast<std::uint8_t>(Compression::none) &&
         payload_size != raw_size + overhead)) {
        return damaged("the header of " + name + " is not one that the engine writes");
    }
    if (rest.size() - kBlockHeaderSize < payload_size) {
        return damaged(name + " is cut short");
    }
    const auto block_header = rest.first(kBlockHeaderSize);
    std::vector<std::byte> payload(payload_size);
    std::copy_n(rest.subspan(kBlockHeaderSize).begin(), payload_size, payload.begin());
    rest = rest.subspan(kBlockHeaderSize + payload_size);

    EventBlock block;
    block.key.id = wire::get_bytes<16>(block_header, 8);
    const sdk::Result<AccountKey> key = keyring.find(block.key.id);
    if (!key) {
        block.forgotten = true;
        return block;
    }
    block.key = *key;
    // An encrypted archive has no plain blocks: whoever writes one has no key.
    if ((overhead != 0) != key->key.has_value()) {
        return damaged(name + (key->key ? " is not encrypted, though the archive is"
                                        : " is encrypted, though the archive is not"));
    }
    std::span<std::byte> text(payload);
    if (key->key) {
        const auto tag = text.last<kTagSize>();
        text = text.first(text.size() - kTagSize);
        if (!sealer.open({*key->key, kBlockPurpose, wire::get_bytes<16>(block_header, 24),
                          wire::get_bytes<12>(block_header, 40)},
                         {header, block_header}, text, tag)) {
            return damaged(name + " does not authenticate");
        }
    }
    if (compression == static_cast<std::uint8_t>(Compression::none)) {
        block.events = wire::text_of(text);
        return block;
    }
    block.events.resize(raw_size);
    if (!decompressor.decompress(text, std::as_writable_bytes(std::span(block.events)))) {
        return damaged(name + " does not decompress");
    }
    return block;
}

}  // namespace

std::string segment_key(std::string_view writer, std::uint64_t sequence) {
    std::string digits = std::to_string(sequence);
    digits.insert(0, kSequenceDigits - digits.size(), '0');
    return "log/" + std::string(writer) + "/" + digits;
}

std::optional<SegmentName> parse_segment_key(std::string_view key) {
    constexpr std::string_view kPrefix = "log/";
    const auto slash = key.rfind('/');
    if (!key.starts_with(kPrefix) || slash < kPrefix.size()) {
        return std::nullopt;
    }
    SegmentName name{.writer = std::string(key.substr(kPrefix.size(), slash - kPrefix.size()))};
    const auto parsed =
        std::from_chars(key.data() + slash + 1, key.data() + key.size(), name.sequence);
    if (parsed.ec != std::errc{} || name.sequence == 0 || !is_writer(name.writer) ||
        segment_key(name.writer, name.sequence) != key) {
        return std::nullopt;
    }
    return name;
}

sdk::Result<std::string> encode_segment(const Segment& segment) {
    if (!is_writer(segment.writer)) {
        return invalid("the writer of a segment has 16 characters of a-z and 0-9, not \"" +
                       segment.writer + "\"");
    }
    if (segment.sequence == 0 || segment.blocks.empty()) {
        return invalid("a segment has a number from 1 on and at least one block of events");
    }
    std::vector<std::byte> object(kHeaderSize);
    const std::span<std::byte> header(object);
    wire::put_bytes(header, 0, wire::bytes_of(kMagic));
    wire::put(header, 8, kFormat);
    wire::put(header, 12, static_cast<std::uint32_t>(segment.blocks.size()));
    wire::put_bytes(header, 16, wire::bytes_of(segment.writer));
    wire::put(header, 32, segment.sequence);
    wire::put_bytes(header, 40, segment.previous);
    wire::put(header, 72,
              static_cast<std::uint64_t>(segment.created_at.time_since_epoch().count()));

    Compressor compressor;
    Sealer sealer;
    std::uint32_t index = 0;
    for (const EventBlock& block : segment.blocks) {
        OPENARCHIVER_CHECK(append_block(block, index, compressor, sealer, object));
        ++index;
    }
    const Digest digest = sha256(object);
    object.insert(object.end(), digest.begin(), digest.end());
    return std::string(wire::text_of(object));
}

sdk::Result<Segment> decode_segment(std::string_view object, const Keyring& keyring) {
    const auto bytes = wire::bytes_of(object);
    if (bytes.size() < kHeaderSize + kDigestSize || !object.starts_with(kMagic)) {
        return damaged("it is too short, or does not begin with \"OARCSEGM\"");
    }
    const auto checked = bytes.first(bytes.size() - kDigestSize);
    if (sha256(checked) != wire::get_bytes<kDigestSize>(bytes, checked.size())) {
        return damaged("its checksum does not match");
    }
    if (const auto format = wire::get<std::uint32_t>(bytes, 8); format > kFormat) {
        return sdk::Error{.code = sdk::Errc::unsupported,
                          .message = "the segment has format " + std::to_string(format) +
                                     ", this engine reads up to format " + std::to_string(kFormat) +
                                     ": use a newer engine"};
    }
    Segment segment{.writer = std::string(object.substr(16, kWriterSize)),
                    .sequence = wire::get<std::uint64_t>(bytes, 32),
                    .previous = wire::get_bytes<kDigestSize>(bytes, 40),
                    .created_at = sdk::Timestamp(std::chrono::milliseconds(
                        static_cast<std::int64_t>(wire::get<std::uint64_t>(bytes, 72)))),
                    .blocks = {}};
    if (!is_writer(segment.writer) || segment.sequence == 0) {
        return damaged("its header is not one that the engine writes");
    }
    const auto header = checked.first(kHeaderSize);
    auto rest = checked.subspan(kHeaderSize);
    Decompressor decompressor;
    Sealer sealer;
    const auto count = wire::get<std::uint32_t>(bytes, 12);
    for (std::uint32_t index = 0; index < count; ++index) {
        OPENARCHIVER_TRY(EventBlock block,
                         read_block(header, rest, index, keyring, decompressor, sealer));
        segment.blocks.push_back(std::move(block));
    }
    if (count == 0 || !rest.empty()) {
        return damaged("the number of its blocks is wrong");
    }
    return segment;
}

}  // namespace openarchiver::archive
