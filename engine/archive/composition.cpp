#include "archive/composition.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "archive/base64.hpp"
#include "archive/wire.hpp"

namespace openarchiver::archive {

namespace {

enum class Record : std::uint8_t { text = 0, decoded = 1, part = 2, lines = 3 };

// What a record begins with; its bytes follow, but for those of a part.
constexpr std::size_t kHeaderSize = 12;
constexpr std::uint64_t kMaxDecoded = 64U << 10;
constexpr std::size_t kRunSize = 8;

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
    /// `runs`: the lines, where there are any; else `layout` says. `room`: of kEncodingRoom bytes.
    EncodingSink(sdk::ByteSink& target, LineLayout layout, std::span<const LineRun> runs,
                 std::span<std::byte> room)
        : target_(target), layout_(layout), runs_(runs), out_(room) {}

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
        OPENARCHIVER_CHECK(flush());
        if (!runs_.empty() && (runs_.size() != 1 || line_ + 1 != runs_.front().lines ||
                               column_ != runs_.front().width)) {
            return corrupt("a composition has more lines than bytes for them");
        }
        return {};
    }

private:
    static constexpr std::size_t kPiece = 12U << 10;

    sdk::Status encode(std::span<const std::byte> bytes) {
        return runs_.empty() ? encode_evenly(bytes) : encode_in_runs(bytes);
    }

    // Groups of four never break where lines do: widths are multiples of four.
    sdk::Status encode_evenly(std::span<const std::byte> bytes) {
        while (!bytes.empty()) {
            if (layout_.width != 0 && column_ == layout_.width) {
                line_end(layout_.crlf);
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

    sdk::Status encode_in_runs(std::span<const std::byte> bytes) {
        std::array<std::byte, 1024> text{};
        while (!bytes.empty()) {
            const auto piece = bytes.first(std::min(bytes.size(), text.size() / 4 * 3));
            encode_base64(piece, text);
            OPENARCHIVER_CHECK(place(std::span(text).first(base64_size(piece.size()))));
            bytes = bytes.subspan(piece.size());
        }
        return {};
    }

    sdk::Status place(std::span<const std::byte> text) {
        while (!text.empty()) {
            if (out_.size() - filled_ < text.size() + kLineEnd) {
                OPENARCHIVER_CHECK(flush());
            }
            const LineRun& run = runs_.front();
            if (column_ == run.width) {
                line_end(run.crlf);
                if (++line_ == run.lines) {
                    line_ = 0;
                    runs_ = runs_.subspan(1);
                    if (runs_.empty()) {
                        return corrupt("a composition has more bytes than lines for them");
                    }
                }
                continue;
            }
            const auto take = text.first(std::min<std::size_t>(text.size(), run.width - column_));
            std::ranges::copy(take, out_.subspan(filled_).begin());
            filled_ += take.size();
            column_ += take.size();
            text = text.subspan(take.size());
        }
        return {};
    }

    void line_end(bool crlf) {
        if (crlf) {
            out_[filled_++] = std::byte{'\r'};
        }
        out_[filled_++] = std::byte{'\n'};
        column_ = 0;
    }

    sdk::Status flush() { return target_.write(out_.first(std::exchange(filled_, 0))); }

    sdk::ByteSink& target_;
    const LineLayout layout_;
    std::span<const LineRun> runs_;  // from the current line's on
    std::uint32_t line_ = 0;         // of its run
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

sdk::Status CompositionWriter::lines(std::span<const LineRun> runs) {
    std::vector<std::byte> bytes(runs.size() * kRunSize);
    for (std::size_t i = 0; i < runs.size(); ++i) {
        const auto target = std::span(bytes).subspan(i * kRunSize, kRunSize);
        wire::put(target, 0, runs[i].lines);
        wire::put(target, 4, runs[i].width);
        wire::put(target, 6, static_cast<std::uint16_t>(runs[i].crlf ? 1 : 0));
    }
    OPENARCHIVER_CHECK(sink_.write(header(Record::lines, {}, bytes.size())));
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
        if (kind_ == Bytes::text) {
            OPENARCHIVER_CHECK(content_.write(piece));
            continue;
        }
        held_.insert(held_.end(), piece.begin(), piece.end());
        if (left_ == 0) {
            OPENARCHIVER_CHECK(end_record());
            held_.clear();
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
    const bool piece = kind == static_cast<std::uint8_t>(Record::decoded) ||
                       kind == static_cast<std::uint8_t>(Record::part);
    const std::uint64_t most = kind == static_cast<std::uint8_t>(Record::decoded) ? kMaxDecoded
                               : kind == static_cast<std::uint8_t>(Record::lines)
                                   ? kMaxLineRuns * kRunSize
                                   : std::numeric_limits<std::uint64_t>::max();
    // Lines are told of a piece, once, and say all of its layout.
    if (kind > static_cast<std::uint8_t>(Record::lines) || crlf > 1 || layout_.width % 4 != 0 ||
        size == 0 || size > most || (!runs_.empty() && (!piece || layout_ != LineLayout{}))) {
        return corrupt("a composition has an impossible record");
    }
    if (kind != static_cast<std::uint8_t>(Record::part)) {
        kind_ = kind == static_cast<std::uint8_t>(Record::text)      ? Bytes::text
                : kind == static_cast<std::uint8_t>(Record::decoded) ? Bytes::decoded
                                                                     : Bytes::lines;
        left_ = size;
        return {};
    }
    EncodingSink encoding(content_, layout_, runs_, room_.span());
    OPENARCHIVER_CHECK(read_part_(parts_, size, encoding));
    ++parts_;
    OPENARCHIVER_CHECK(encoding.finish());
    runs_.clear();
    return {};
}

sdk::Status Composer::end_record() {
    if (kind_ == Bytes::lines) {
        return read_lines();
    }
    EncodingSink encoding(content_, layout_, runs_, room_.span());
    OPENARCHIVER_CHECK(encoding.write(held_));
    OPENARCHIVER_CHECK(encoding.finish());
    runs_.clear();
    return {};
}

sdk::Status Composer::read_lines() {
    const std::span<const std::byte> bytes(held_);
    for (std::size_t at = 0; at < bytes.size(); at += kRunSize) {
        if (bytes.size() - at < kRunSize) {
            return corrupt("a composition has half a run of lines");
        }
        const auto run = bytes.subspan(at, kRunSize);
        const auto crlf = wire::get<std::uint16_t>(run, 6);
        runs_.push_back({.lines = wire::get<std::uint32_t>(run, 0),
                         .width = wire::get<std::uint16_t>(run, 4),
                         .crlf = crlf == 1});
        if (crlf > 1 || runs_.back().lines == 0 ||
            (runs_.back().width == 0 && runs_.back().lines > kMaxBlankLines)) {
            return corrupt("a composition has an impossible run of lines");
        }
    }
    return {};
}

sdk::Status Composer::finish() {
    if (left_ != 0 || !record_.empty() || !runs_.empty()) {
        return corrupt("a composition ends in the middle of a record");
    }
    return {};
}

}  // namespace openarchiver::archive
