#include "archive/content_split.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "archive/base64.hpp"
#include "archive/composition.hpp"

namespace openarchiver::archive {

namespace {

using View = std::span<const std::byte>;

constexpr std::uint64_t kSpoolMemory = 256U << 10;
constexpr std::size_t kWindow = 256U << 10;
constexpr std::size_t kPiece = 64U << 10;
// More than what has to be seen of a piece before it is known to be a part.
constexpr std::size_t kLookAhead = 32U << 10;
constexpr std::size_t kMaxWidth = 4096;
// Shorter ones are words and numbers.
constexpr std::size_t kMinWidth = 32;
constexpr std::size_t kMinDecoded = 192;
constexpr std::size_t kMaxColumn = 65'000;  // a line's width is told in 16 bits

/// Gives the bytes of a content as a window that moves on; of one in memory, all of it.
class Window {
public:
    explicit Window(Spool& content) : content_(content), whole_(content.in_memory()) {
        if (whole_.empty()) {
            // One more than all of it, so that its end is seen at once.
            room_ = Room(
                static_cast<std::size_t>(std::min<std::uint64_t>(kWindow, content.size() + 1)));
        }
    }

    /// Drops what is before `from` (an offset into view()) and reads on.
    sdk::Status move(std::size_t from) {
        std::memmove(room_.span().data(), room_.span().data() + from, size_ - from);
        size_ -= from;
        while (size_ < room_.size()) {
            OPENARCHIVER_TRY(const std::size_t got, content_.read(room_.span().subspan(size_)));
            if (got == 0) {
                ended_ = true;
                break;
            }
            size_ += got;
        }
        return {};
    }

    [[nodiscard]] View view() const { return whole_.empty() ? room_.span().first(size_) : whole_; }

    /// Whether nothing comes behind view().
    [[nodiscard]] bool ended() const { return ended_ || !whole_.empty(); }

private:
    Spool& content_;
    const View whole_;
    Room room_;
    std::size_t size_ = 0;
    bool ended_ = false;
};

std::size_t end_of_line_size(View text) {
    if (!text.empty() && text[0] == std::byte{'\n'}) {
        return 1;
    }
    return text.size() > 1 && text[0] == std::byte{'\r'} && text[1] == std::byte{'\n'} ? 2 : 0;
}

class Splitter {
public:
    Splitter(Spool& content, SplitContent& result)
        : window_(content), result_(result), records_(result.stored) {}

    sdk::Status run() {
        while (true) {
            OPENARCHIVER_CHECK(look_ahead());
            if (at_ == window_.view().size()) {
                return result_.composed ? text(at_) : sdk::Status();
            }
            OPENARCHIVER_CHECK(piece());
            skip_line();
        }
    }

private:
    /// Takes the piece of base64 that begins at at_, if there is one.
    sdk::Status piece() {
        const std::size_t begin = at_;
        if (!first_line()) {
            return {};
        }
        // Up to the size of a part the piece lies in the window whole.
        while (goes_on() && filled_ < kPartSize) {
            line();
        }
        if (filled_ < kMinDecoded) {
            at_ = begin;
            return {};
        }
        const std::size_t end = std::exchange(at_, begin);
        OPENARCHIVER_CHECK(text(begin));
        at_ = end;
        text_from_ = end;
        result_.composed = true;
        if (filled_ < kPartSize) {
            OPENARCHIVER_CHECK(lines());
            return records_.decoded(layout_, decoded());
        }
        return part();
    }

    /// Whether there may be more of the piece: if not in lines like those before, then in others.
    bool goes_on() {
        if (!more_ && !padded_ && !uneven_ && column_ <= kMaxColumn && !first_was_narrower()) {
            uneven_ = true;
            taken_ = 0;
            if (lines_ > 0) {
                runs_.push_back({.lines = lines_, .width = layout_.width, .crlf = layout_.crlf});
            }
            more_ = uneven();
        }
        return more_;
    }

    /// A line before wider ones is one of its own.
    [[nodiscard]] bool first_was_narrower() const {
        const View rest = window_.view().subspan(at_);
        return lines_ == 1 && column_ == layout_.width &&
               base64_length(rest.first(std::min<std::size_t>(1, rest.size()))) > 0;
    }

    sdk::Status part() {
        Sha256 digest;
        std::uint64_t size = 0;
        // Most of what is left is likely to be parts.
        result_.part_bytes.expect(filled_ + (window_.view().size() - at_) / 4 * 3);
        const auto take = [&]() -> sdk::Status {
            digest.update(decoded());
            size += filled_;
            OPENARCHIVER_CHECK(result_.part_bytes.write(decoded()));
            filled_ = 0;
            return {};
        };
        while (goes_on()) {
            text_from_ = at_;
            OPENARCHIVER_CHECK(look_ahead());
            line();
            if (filled_ >= kLookAhead) {
                OPENARCHIVER_CHECK(take());
            }
        }
        OPENARCHIVER_CHECK(take());
        text_from_ = at_;
        result_.parts.push_back({.id = digest.finish(), .size = size});
        OPENARCHIVER_CHECK(lines());
        return records_.part(layout_, size);
    }

    /// What has to be said of the lines besides the layout.
    sdk::Status lines() {
        if (!uneven_ || taken_ == 0) {
            return {};
        }
        end_line(false);
        layout_ = {};
        return records_.lines(runs_);
    }

    /// Tells the layout. False where no piece begins; then nothing was taken.
    bool first_line() {
        filled_ = 0;
        lines_ = 0;
        padded_ = false;
        uneven_ = false;
        runs_.clear();
        const View rest = window_.view().subspan(at_);
        const std::size_t size = decode(rest.first(std::min(rest.size(), kMaxWidth))) / 3 * 4;
        if (size < kMinWidth) {
            return false;
        }
        const View behind = rest.subspan(size);
        const std::size_t line_end = end_of_line_size(behind);
        layout_ = {.width = static_cast<std::uint16_t>(line_end == 0 ? 0 : size),
                   .crlf = line_end == 2};
        at_ += size;
        column_ = size;
        more_ = line_end != 0 || size == kMaxWidth;
        if (!more_) {
            last_group(behind);
        }
        return true;
    }

    /// Takes the next line, or as much of a piece without lines.
    void line() {
        if (uneven_) {
            more_ = uneven();
            return;
        }
        const View rest = window_.view().subspan(at_);
        const std::size_t begin = layout_.width == 0 ? 0 : layout_.crlf ? 2 : 1;
        if (end_of_line_size(rest) != begin) {
            more_ = false;
            return;
        }
        const View text = rest.subspan(begin);
        const std::size_t before = filled_;
        const std::size_t column = column_;
        column_ = begin == 0 ? column : 0;
        more_ = take(text, layout_.width == 0 ? kMaxWidth : layout_.width);
        if (filled_ == before) {
            column_ = column;
            return;
        }
        at_ += begin;
        lines_ += begin == 0 ? 0 : 1;
    }

    /// Decodes from `text` up to `width` characters. True where the piece may go on behind.
    bool take(View text, std::size_t width) {
        const std::size_t size = decode(text.first(std::min(text.size(), width))) / 3 * 4;
        at_ += size;
        column_ += size;
        if (size == width) {
            return true;
        }
        last_group(text.subspan(size, std::min(text.size(), width) - size));
        return false;
    }

    void last_group(View text) {
        std::array<std::byte, 2> bytes{};
        if (const std::size_t size = decode_base64_end(text, bytes); size > 0) {
            put(View(bytes).first(size));
            at_ += 4;
            column_ += 4;
            padded_ = true;
        }
    }

    /// Goes on with lines of any width, even such that break within a group of four: takes some
    /// characters, or an end of line that others follow. False at the end of the piece.
    bool uneven() {
        const View rest = window_.view().subspan(at_);
        const std::size_t size = base64_length(rest.first(std::min(rest.size(), kMaxWidth)));
        if (size > 0 && column_ + size <= kMaxColumn) {
            decode_on(rest.first(size));
            advance(size);
            return true;
        }
        if (size == 0 && end_group(rest)) {
            return false;
        }
        // There is room for what follows a short line, too: a piece does not end with one.
        const bool room = column_ < kMinWidth || runs_.size() + 16 < kMaxLineRuns;
        if (size == 0 && room && next_line(rest)) {
            return true;
        }
        // Characters without the rest of their group are none of the piece.
        at_ -= carried_;
        column_ -= carried_;
        taken_ -= carried_;
        carried_ = 0;
        return false;
    }

    void advance(std::size_t size) {
        at_ += size;
        column_ += size;
        taken_ += size;
    }

    /// Decodes characters of the alphabet, of which the last ones may have to wait for others.
    void decode_on(View text) {
        if (carried_ > 0) {
            const auto take = text.first(std::min(text.size(), group_.size() - carried_));
            carry(take);
            text = text.subspan(take.size());
            if (carried_ < group_.size()) {
                return;
            }
            decode(group_);
            carried_ = 0;
        }
        const auto whole = text.first(text.size() / 4 * 4);
        decode(whole);
        carry(text.subspan(whole.size()));
    }

    void carry(View text) {
        std::ranges::copy(text, std::span(group_).subspan(carried_).begin());
        carried_ += text.size();
    }

    /// Takes the padding that completes the group, if there is any.
    bool end_group(View rest) {
        const std::size_t missing = group_.size() - carried_;
        if (carried_ < 2 || rest.size() < missing) {
            return false;
        }
        std::ranges::copy(rest.first(missing), std::span(group_).subspan(carried_).begin());
        std::array<std::byte, 2> bytes{};
        const std::size_t size = decode_base64_end(group_, bytes);
        if (size == 0) {
            return false;
        }
        put(View(bytes).first(size));
        advance(missing);
        carried_ = 0;
        padded_ = true;
        return true;
    }

    /// Takes the end of the line, and blank lines, if what follows is of the piece.
    bool next_line(View rest) {
        std::array<std::size_t, kMaxBlankLines + 1> ends{};
        std::size_t count = 0;
        for (std::size_t size = end_of_line_size(rest); size > 0 && count < ends.size();
             size = end_of_line_size(rest)) {
            ends[count++] = size;
            rest = rest.subspan(size);
        }
        const std::size_t width = base64_length(rest.first(std::min(rest.size(), kMaxWidth)));
        if (width < kMinWidth &&
            (count != 1 || (!is_last_line(rest, width) && !is_broken_line(rest, width)))) {
            return false;
        }
        // As first_was_narrower().
        if (runs_.empty() && carried_ == 0 && column_ < width) {
            return false;
        }
        for (std::size_t i = 0; i < count; ++i) {
            end_line(ends[i] == 2);
            at_ += ends[i];
        }
        return true;
    }

    /// Whether a short line is followed by another one.
    [[nodiscard]] static bool is_broken_line(View line, std::size_t width) {
        line = line.subspan(width);
        const std::size_t end = end_of_line_size(line);
        line = line.subspan(end);
        return width > 0 && end > 0 &&
               base64_length(line.first(std::min(line.size(), kMinWidth))) == kMinWidth;
    }

    /// Whether a short line ends the piece: it has what its last group lacks, and nothing else.
    [[nodiscard]] bool is_last_line(View line, std::size_t width) const {
        const std::size_t over = (carried_ + width) % 4;
        const View behind = line.subspan(width);
        if (width == 0 || over == 1) {
            return false;
        }
        if (over == 0) {
            return behind.empty() || end_of_line_size(behind) > 0;
        }
        std::array<std::byte, 4> group{};
        if (behind.size() < group.size() - over) {
            return false;
        }
        for (std::size_t i = 0; i < group.size(); ++i) {
            const std::size_t at = carried_ + width - over + i;
            group[i] = at < carried_ ? group_[at] : line[at - carried_];
        }
        std::array<std::byte, 2> bytes{};
        return decode_base64_end(group, bytes) > 0;
    }

    void end_line(bool crlf) {
        const auto width = static_cast<std::uint16_t>(std::exchange(column_, 0));
        if (runs_.empty() || runs_.back().width != width || runs_.back().crlf != crlf ||
            (width == 0 && runs_.back().lines == kMaxBlankLines)) {
            runs_.push_back({.lines = 0, .width = width, .crlf = crlf});
        }
        ++runs_.back().lines;
    }

    void put(View bytes) {
        std::ranges::copy(bytes, buffer_.span().subspan(filled_).begin());
        filled_ += bytes.size();
    }

    std::size_t decode(View text) {
        const std::size_t size = decode_base64(text, buffer_.span().subspan(filled_));
        filled_ += size;
        return size;
    }

    [[nodiscard]] View decoded() const { return buffer_.span().first(filled_); }

    /// What was not taken, up to `end`, stays as it is.
    sdk::Status text(std::size_t end) {
        OPENARCHIVER_CHECK(records_.text(window_.view().subspan(text_from_, end - text_from_)));
        text_from_ = end;
        return {};
    }

    sdk::Status look_ahead() {
        if (window_.ended() || window_.view().size() - at_ >= kLookAhead) {
            return {};
        }
        OPENARCHIVER_CHECK(text(at_));
        // What is carried may have to be given back.
        OPENARCHIVER_CHECK(window_.move(at_ - carried_));
        at_ = carried_;
        text_from_ = at_;
        return {};
    }

    void skip_line() {
        const View rest = window_.view().subspan(at_);
        const void* const end = std::memchr(rest.data(), '\n', rest.size());
        at_ += end == nullptr
                   ? rest.size()
                   : static_cast<std::size_t>(static_cast<const std::byte*>(end) - rest.data()) + 1;
    }

    Window window_;
    SplitContent& result_;
    CompositionWriter records_;
    std::size_t at_ = 0;                              // in the window
    std::size_t text_from_ = 0;                       // what is before it was written
    LineLayout layout_;                               // of the current piece
    std::uint32_t lines_ = 0;                         // of it, complete, before the current one
    std::size_t column_ = 0;                          // in the current one
    Room buffer_ = Room(kLookAhead + 2 * kMaxWidth);  // decoded
    std::size_t filled_ = 0;                          // ... of it
    bool more_ = false;
    bool padded_ = false;  // the piece ended with padding
    bool uneven_ = false;  // its lines are those of runs_ and the current one
    std::vector<LineRun> runs_;
    std::size_t taken_ = 0;             // characters, since lines were uneven
    std::array<std::byte, 4> group_{};  // characters that wait for the rest of their group
    std::size_t carried_ = 0;           // ... of them
};

/// Says whether what is written to it is what the content has.
class Comparison final : public sdk::ByteSink {
public:
    explicit Comparison(Spool& expected) : expected_(expected), whole_(expected.in_memory()) {
        if (whole_.empty()) {
            buffer_ = Room(kPiece);
        }
    }

    sdk::Status write(std::span<const std::byte> bytes) override {
        if (!whole_.empty()) {
            same_ = same_ && size_ + bytes.size() <= whole_.size() &&
                    std::memcmp(whole_.data() + size_, bytes.data(), bytes.size()) == 0;
            size_ += bytes.size();
            return {};
        }
        size_ += bytes.size();
        while (same_ && !bytes.empty()) {
            const auto piece = buffer_.span().first(std::min(bytes.size(), buffer_.size()));
            OPENARCHIVER_TRY(const std::size_t got, expected_.read(piece));
            same_ = got > 0 && std::memcmp(piece.data(), bytes.data(), got) == 0;
            bytes = bytes.subspan(got);
        }
        return {};
    }

    [[nodiscard]] bool same() const { return same_ && size_ == expected_.size(); }

private:
    Spool& expected_;
    const View whole_;
    Room buffer_;
    std::uint64_t size_ = 0;
    bool same_ = true;
};

/// Passes a spool's bytes on, one range after another.
class Ranges {
public:
    explicit Ranges(const Spool& spool) : spool_(spool), whole_(spool.in_memory()) {}

    sdk::Status pass_on(std::uint64_t size, sdk::ByteSink& sink) {
        const std::uint64_t end = at_ + size;
        if (end > spool_.size()) {
            return sdk::Error{.code = sdk::Errc::internal, .message = "a spool ended too early"};
        }
        if (!whole_.empty()) {
            const auto range = whole_.subspan(static_cast<std::size_t>(std::exchange(at_, end)),
                                              static_cast<std::size_t>(size));
            return sink.write(range);
        }
        Room buffer(static_cast<std::size_t>(std::min<std::uint64_t>(size, kPiece)));
        while (at_ < end) {
            const auto piece = buffer.span().first(
                static_cast<std::size_t>(std::min<std::uint64_t>(end - at_, buffer.size())));
            OPENARCHIVER_TRY(const std::size_t got, spool_.read_at(at_, piece));
            OPENARCHIVER_CHECK(sink.write(piece.first(got)));
            at_ += got;
        }
        return {};
    }

private:
    const Spool& spool_;
    const View whole_;
    std::uint64_t at_ = 0;
};

/// Whether the content can be made again, bit for bit, from what it was split into.
sdk::Result<bool> reproduces(SplitContent& split, Spool& content) {
    OPENARCHIVER_CHECK(content.rewind());
    Comparison comparison(content);
    Ranges parts(split.part_bytes);
    Composer composer(comparison, [&](std::size_t, std::uint64_t size, sdk::ByteSink& sink) {
        return parts.pass_on(size, sink);
    });
    sdk::Status made = Ranges(split.stored).pass_on(split.stored.size(), composer);
    if (made) {
        made = composer.finish();
    }
    if (!made && made.error().code != sdk::Errc::corrupt) {
        return std::move(made.error());
    }
    return made && comparison.same();
}

}  // namespace

sdk::Result<SplitContent> split_content(Spool content, const std::filesystem::path& spool_folder) {
    SplitContent split{.stored = Spool(spool_folder, kSpoolMemory),
                       .part_bytes = Spool(spool_folder, kSpoolMemory),
                       .parts = {}};
    OPENARCHIVER_CHECK(content.rewind());
    OPENARCHIVER_CHECK(Splitter(content, split).run());
    if (split.composed) {
        OPENARCHIVER_TRY(const bool exact, reproduces(split, content));
        if (exact) {
            return split;
        }
    }
    OPENARCHIVER_CHECK(content.rewind());
    return SplitContent{
        .stored = std::move(content), .part_bytes = Spool(spool_folder, kSpoolMemory), .parts = {}};
}

}  // namespace openarchiver::archive
