#include "archive/composition.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "archive/base64.hpp"
#include "archive/wire.hpp"

namespace openarchiver::archive {

namespace {

enum class Record : std::uint8_t { text = 0, decoded = 1, part = 2 };

// What a record begins with; its bytes follow, but for those of a part.
constexpr std::size_t kHeaderSize = 12;
constexpr std::uint64_t kMaxDecoded = 64U << 10;

// Room for the longest line that there may be, 65,532 characters, and its end.
constexpr std::size_t kLineEnd = 2;
constexpr std::size_t kEncodingRoom = (64U << 10) + 2 * kLineEnd;

sdk::Error corrupt(std::string message) {
    return sdk::Error{.code = sdk::Errc::corrupt, .message = std::move(message)};
}

std::array<std::byte, kHeaderSize> header(Record record, LineLayout layout, std::uint64_t size) {
    std::array<std::byte, kHeaderSize> bytes{};
    const std::span<std::byte> target(bytes);
    wire::put(target, 0, static_cast<std::uint8_t>(record));
    wire::put(target, 1, static_cast<std::uint8_t>(layout.crlf ? 1 : 0));
    wire::put(target, 2, layout.width);
    wire::put(target, 4, size);
    return bytes;
}

/// Encodes what is written to it, in lines.
class EncodingSink final : public sdk::ByteSink {
public:
    /// `room`: of kEncodingRoom bytes.
    EncodingSink(sdk::ByteSink& target, LineLayout layout, std::span<std::byte> room)
        : target_(target), layout_(layout), out_(room) {}

    sdk::Status write(std::span<const std::byte> bytes) override {
        while (!bytes.empty()) {
            // A group is only encoded once its three bytes are there.
            if (held_ > 0 || bytes.size() < 3) {
                const std::size_t take = std::min(3 - held_, bytes.size());
                std::copy_n(bytes.begin(), take, group_.begin() + held_);
                held_ += take;
                bytes = bytes.subspan(take);
                if (held_ == 3) {
                    held_ = 0;
                    OPENARCHIVER_CHECK(encode(group_));
                }
                continue;
            }
            const auto whole = bytes.first(std::min(bytes.size() / 3 * 3, kPiece));
            OPENARCHIVER_CHECK(encode(whole));
            bytes = bytes.subspan(whole.size());
        }
        return {};
    }

    sdk::Status finish() {
        const auto rest = std::span(group_).first(std::exchange(held_, 0));
        OPENARCHIVER_CHECK(encode(rest));
        return flush();
    }

private:
    static constexpr std::size_t kPiece = 12U << 10;

    // Groups of four never break where lines do: widths are multiples of four.
    sdk::Status encode(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            if (layout_.width != 0 && column_ == layout_.width) {
                line_end();
            }
            const std::size_t room =
                layout_.width == 0 ? kPiece : (layout_.width - column_) / 4U * 3U;
            const auto line = bytes.first(std::min(bytes.size(), room));
            const std::size_t size = base64_size(line.size());
            if (filled_ + size + kLineEnd > out_.size()) {
                OPENARCHIVER_CHECK(flush());
            }
            encode_base64(line, out_.subspan(filled_));
            filled_ += size;
            column_ += layout_.width == 0 ? 0 : size;
            bytes = bytes.subspan(line.size());
        }
        return {};
    }

    void line_end() {
        if (layout_.crlf) {
            out_[filled_++] = std::byte{'\r'};
        }
        out_[filled_++] = std::byte{'\n'};
        column_ = 0;
    }

    sdk::Status flush() { return target_.write(out_.first(std::exchange(filled_, 0))); }

    sdk::ByteSink& target_;
    const LineLayout layout_;
    std::array<std::byte, 3> group_{};
    std::size_t held_ = 0;
    std::size_t column_ = 0;
    const std::span<std::byte> out_;
    std::size_t filled_ = 0;
};

}  // namespace

sdk::Status CompositionWriter::text(std::span<const std::byte> bytes) {
    if (bytes.empty()) {
        return {};
    }
    OPENARCHIVER_CHECK(sink_.write(header(Record::text, {}, bytes.size())));
    return sink_.write(bytes);
}

sdk::Status CompositionWriter::decoded(LineLayout layout, std::span<const std::byte> bytes) {
    OPENARCHIVER_CHECK(sink_.write(header(Record::decoded, layout, bytes.size())));
    return sink_.write(bytes);
}

sdk::Status CompositionWriter::part(LineLayout layout, std::uint64_t size) {
    return sink_.write(header(Record::part, layout, size));
}

Composer::Composer(sdk::ByteSink& content, ReadPart read_part)
    : content_(content), read_part_(std::move(read_part)), room_(kEncodingRoom) {}

sdk::Status Composer::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        if (left_ == 0) {
            const std::size_t take = std::min(bytes.size(), kHeaderSize - record_.size());
            record_.insert(record_.end(), bytes.begin(),
                           bytes.begin() + static_cast<std::ptrdiff_t>(take));
            bytes = bytes.subspan(take);
            if (record_.size() == kHeaderSize) {
                OPENARCHIVER_CHECK(begin_record());
                record_.clear();
            }
            continue;
        }
        const auto piece =
            bytes.first(static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), left_)));
        bytes = bytes.subspan(piece.size());
        left_ -= piece.size();
        if (!encoded_) {
            OPENARCHIVER_CHECK(content_.write(piece));
            continue;
        }
        decoded_.insert(decoded_.end(), piece.begin(), piece.end());
        if (left_ == 0) {
            EncodingSink encoding(content_, layout_, room_.span());
            OPENARCHIVER_CHECK(encoding.write(decoded_));
            OPENARCHIVER_CHECK(encoding.finish());
            decoded_.clear();
        }
    }
    return {};
}

sdk::Status Composer::begin_record() {
    const std::span<const std::byte> record(record_);
    const auto kind = wire::get<std::uint8_t>(record, 0);
    const auto crlf = wire::get<std::uint8_t>(record, 1);
    layout_ = {.width = wire::get<std::uint16_t>(record, 2), .crlf = crlf == 1};
    const auto size = wire::get<std::uint64_t>(record, 4);
    if (kind > static_cast<std::uint8_t>(Record::part) || crlf > 1 || layout_.width % 4 != 0 ||
        size == 0 || (kind == static_cast<std::uint8_t>(Record::decoded) && size > kMaxDecoded)) {
        return corrupt("a composition has an impossible record");
    }
    if (kind != static_cast<std::uint8_t>(Record::part)) {
        encoded_ = kind == static_cast<std::uint8_t>(Record::decoded);
        left_ = size;
        return {};
    }
    EncodingSink encoding(content_, layout_, room_.span());
    OPENARCHIVER_CHECK(read_part_(parts_, size, encoding));
    ++parts_;
    return encoding.finish();
}

sdk::Status Composer::finish() {
    if (left_ != 0 || !record_.empty()) {
        return corrupt("a composition ends in the middle of a record");
    }
    return {};
}

}  // namespace openarchiver::archive
