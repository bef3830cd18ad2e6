#include "archive/pack_format.hpp"

#include <algorithm>
#include <utility>

#include "archive/random.hpp"
#include "archive/wire.hpp"

namespace openarchiver::archive {

namespace {

constexpr std::string_view kPackMagic = "OARCPACK";
constexpr std::string_view kFrameMagic = "OAFR";
constexpr std::uint32_t kPackFormat = 1;
constexpr std::uint8_t kFrameFormat = 1;

// A content whose first bytes don't shrink by a 32nd is taken for compressed or encrypted already.
constexpr std::size_t kProbeSize = 32U << 10;

sdk::Error corrupt(std::string message) {
    return sdk::Error{.code = sdk::Errc::corrupt, .message = std::move(message)};
}

sdk::Error newer(std::string_view what, std::uint32_t found, std::uint32_t known) {
    return sdk::Error{.code = sdk::Errc::unsupported,
                      .message = "the " + std::string(what) + " has format " +
                                 std::to_string(found) + ", this engine reads up to format " +
                                 std::to_string(known) + ": use a newer engine"};
}

}  // namespace

std::string pack_key(const Digest& id) {
    const std::string hex = to_hex(id);
    return "packs/" + hex.substr(0, 2) + "/" + hex;
}

std::array<std::byte, kPackHeaderSize> pack_header() {
    std::array<std::byte, kPackHeaderSize> header{};
    wire::put_bytes(header, 0, wire::bytes_of(kPackMagic));
    wire::put(std::span<std::byte>(header), 8, kPackFormat);
    return header;
}

sdk::Status check_pack_header(std::span<const std::byte> header) {
    if (!wire::text_of(header).starts_with(kPackMagic)) {
        return corrupt("it does not begin with \"OARCPACK\"");
    }
    if (const auto format = wire::get<std::uint32_t>(header, 8); format > kPackFormat) {
        return newer("pack", format, kPackFormat);
    } else if (format == 0) {
        return corrupt("its header names a format that there never was");
    }
    if (!wire::all_zero(header.subspan(12, 4))) {
        return corrupt("its header has unknown fields");
    }
    return {};
}

void write_frame_header(const FrameHeader& header, std::span<std::byte> target) {
    wire::put_bytes(target, 0, wire::bytes_of(kFrameMagic));
    wire::put(target, 4, kFrameFormat);
    wire::put(target, 5, static_cast<std::uint8_t>(header.cipher));
    wire::put(target, 6, static_cast<std::uint8_t>(header.compression));
    wire::put(target, 7, std::uint8_t{0});
    wire::put_bytes(target, 8, header.key);
    wire::put_bytes(target, 24, header.salt);
    wire::put_bytes(target, 40, header.nonce);
    wire::put(target, 52, header.raw_size);
    wire::put(target, 56, header.payload_size);
    wire::put(target, 60, header.index);
}

sdk::Result<FrameHeader> read_frame_header(std::span<const std::byte> source) {
    if (source.size() < kFrameHeaderSize || !wire::text_of(source).starts_with(kFrameMagic)) {
        return corrupt("there is no frame: it does not begin with \"OAFR\"");
    }
    if (const auto format = wire::get<std::uint8_t>(source, 4); format > kFrameFormat) {
        return newer("frame", format, kFrameFormat);
    } else if (format == 0) {
        return corrupt("its header names a format that there never was");
    }
    const auto cipher = wire::get<std::uint8_t>(source, 5);
    const auto compression = wire::get<std::uint8_t>(source, 6);
    if (cipher > static_cast<std::uint8_t>(Cipher::aes_256_gcm) ||
        compression > static_cast<std::uint8_t>(Compression::zstd) ||
        wire::get<std::uint8_t>(source, 7) != 0) {
        return corrupt("its header names an unknown cipher or compression");
    }
    FrameHeader header{.cipher = Cipher{cipher},
                       .compression = Compression{compression},
                       .key = wire::get_bytes<16>(source, 8),
                       .salt = wire::get_bytes<16>(source, 24),
                       .nonce = wire::get_bytes<12>(source, 40),
                       .raw_size = wire::get<std::uint32_t>(source, 52),
                       .payload_size = wire::get<std::uint32_t>(source, 56),
                       .index = wire::get<std::uint32_t>(source, 60)};
    const std::uint64_t overhead = header.cipher == Cipher::none ? 0 : kTagSize;
    if (header.raw_size > kMaxFrameSize || header.payload_size < overhead ||
        header.payload_size > header.raw_size + overhead ||
        (header.compression == Compression::none &&
         header.payload_size != header.raw_size + overhead)) {
        return corrupt("its header has impossible sizes");
    }
    if (header.cipher == Cipher::none &&
        (!wire::all_zero(header.salt) || !wire::all_zero(header.nonce))) {
        return corrupt("its header has a nonce without a cipher");
    }
    return header;
}

std::span<const std::byte> FrameEncoder::encode(const AccountKey& account, std::uint32_t index,
                                                std::span<const std::byte> raw,
                                                bool single_content) {
    // Kept at its largest: to make it larger again would fill it with zeros each time.
    stored_.resize(std::max(stored_.size(), kFrameHeaderSize + raw.size() + kTagSize));
    const std::span<std::byte> stored(stored_);
    const std::span<std::byte> room = stored.subspan(kFrameHeaderSize, raw.size());

    FrameHeader header{
        .key = account.id, .raw_size = static_cast<std::uint32_t>(raw.size()), .index = index};
    std::size_t size = raw.size();
    const bool probe = single_content && raw.size() > 2 * kProbeSize;
    // Messages repeat each other; within one content, far away, little repeats.
    const auto reach = single_content ? Compressor::Reach::near : Compressor::Reach::far;
    if (!raw.empty() &&
        (!probe || compressor_.compress(raw.first(kProbeSize),
                                        room.first(kProbeSize - kProbeSize / 32), reach))) {
        // To be worth decompressing, it has to be smaller.
        if (const auto compressed = compressor_.compress(raw, room.first(raw.size() - 1), reach)) {
            size = *compressed;
            header.compression = Compression::zstd;
        }
    }
    if (header.compression == Compression::none) {
        std::copy(raw.begin(), raw.end(), room.begin());
    }
    header.payload_size = static_cast<std::uint32_t>(size);
    if (account.key) {
        header.cipher = Cipher::aes_256_gcm;
        header.salt = random_bytes<16>();
        header.nonce = random_bytes<12>();
        header.payload_size += static_cast<std::uint32_t>(kTagSize);
    }
    write_frame_header(header, stored);
    if (account.key) {
        sealer_.seal({*account.key, kFramePurpose, header.salt, header.nonce},
                     {stored.first(kFrameHeaderSize)}, stored.subspan(kFrameHeaderSize, size),
                     stored.subspan(kFrameHeaderSize + size).first<kTagSize>());
    }
    return stored.first(kFrameHeaderSize + header.payload_size);
}

sdk::Result<Room> FrameDecoder::decode(const Frame& frame, std::uint32_t index,
                                       const AccountKey& key, std::span<std::byte> stored) {
    OPENARCHIVER_TRY(const FrameHeader header, read_frame_header(stored));
    if (header.index != index || header.key != frame.key || header.raw_size != frame.raw_size ||
        kFrameHeaderSize + std::uint64_t{header.payload_size} != frame.stored_size ||
        stored.size() != frame.stored_size) {
        return corrupt("its header is not that of the frame that the log describes");
    }
    // An encrypted archive has no plain frames: whoever writes one has no key.
    if ((header.cipher != Cipher::none) != key.key.has_value()) {
        return corrupt(key.key ? "it is not encrypted, though the archive is"
                               : "it is encrypted, though the archive is not");
    }
    std::span<std::byte> payload = stored.subspan(kFrameHeaderSize);
    if (key.key) {
        const auto tag = payload.last<kTagSize>();
        payload = payload.first(payload.size() - kTagSize);
        if (!sealer_.open({*key.key, kFramePurpose, header.salt, header.nonce},
                          {stored.first(kFrameHeaderSize)}, payload, tag)) {
            return corrupt("it does not authenticate: its bytes are not those that were written");
        }
    }
    Room raw(header.raw_size);
    if (header.compression == Compression::none) {
        std::ranges::copy(payload, raw.span().begin());  // as many: read_frame_header() says so
        return raw;
    }
    if (!decompressor_.decompress(payload, raw.span())) {
        return corrupt("it does not decompress to the " + std::to_string(header.raw_size) +
                       " bytes that its header promises");
    }
    return raw;
}

}  // namespace openarchiver::archive
