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

using Bytes = std::vector<std::byte>;
using View = std::span<const std::byte>;

constexpr std::uint64_t kSpoolMemory = 256U << 10;
constexpr std::size_t kWindow = 256U << 10;
// More than what has to be seen of a piece before it is known to be a part.
constexpr std::size_t kLookAhead = 32U << 10;
constexpr std::size_t kMaxWidth = 4096;
// Shorter ones are words and numbers.
constexpr std::size_t kMinWidth = 32;
constexpr std::size_t kMinDecoded = 192;

/// Gives the bytes of a source as a window that moves on.
class Window {
public:
    explicit Window(sdk::ByteSource& source)
        : source_(source),
          // One more than all of it, so that its end is seen at once.
          bytes_(static_cast<std::size_t>(std::min<std::uint64_t>(kWindow, source.size() + 1))) {}

    /// Drops what is before `from` (an offset into view()) and reads on.
    sdk::Status move(std::size_t from) {
        std::memmove(bytes_.data(), bytes_.data() + from, size_ - from);
        size_ -= from;
        while (size_ < bytes_.size()) {
            OPENARCHIVER_TRY(const std::size_t got, source_.read(std::span(bytes_).subspan(size_)));
            if (got == 0) {
                ended_ = true;
                break;
            }
            size_ += got;
        }
        return {};
    }

    [[nodiscard]] View view() const { return View(bytes_).first(size_); }

    /// Whether nothing comes behind view().
    [[nodiscard]] bool ended() const { return ended_; }

private:
    sdk::ByteSource& source_;
    Bytes bytes_;
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
    Splitter(sdk::ByteSource& content, SplitContent& result)
        : window_(content), result_(result), records_(result.stored) {}

    sdk::Status run() {
        while (true) {
            OPENARCHIVER_CHECK(look_ahead());
            if (at_ == window_.view().size()) {
                return result_.composed ? text(at_) : sdk::Status();
            }
            OPENARCHIVER_CHECK(piece());
            next_line();
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
        while (more_ && filled_ < kPartSize) {
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
            return records_.decoded(layout_, decoded());
        }
        return part();
    }

    sdk::Status part() {
        Sha256 digest;
        std::uint64_t size = 0;
        const auto take = [&]() -> sdk::Status {
            digest.update(decoded());
            size += filled_;
            OPENARCHIVER_CHECK(result_.part_bytes.write(decoded()));
            filled_ = 0;
            return {};
        };
        while (more_) {
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
        return records_.part(layout_, size);
    }

    /// Tells the layout. False where no piece begins; then nothing was taken.
    bool first_line() {
        filled_ = 0;
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
        more_ = line_end != 0 || size == kMaxWidth;
        if (!more_) {
            last_group(behind);
        }
        return true;
    }

    /// Takes the next line, or as much of a piece without lines.
    void line() {
        const View rest = window_.view().subspan(at_);
        const std::size_t begin = layout_.width == 0 ? 0 : layout_.crlf ? 2 : 1;
        if (end_of_line_size(rest) != begin) {
            more_ = false;
            return;
        }
        const View text = rest.subspan(begin);
        const std::size_t before = filled_;
        more_ = take(text, layout_.width == 0 ? kMaxWidth : layout_.width);
        if (filled_ != before) {
            at_ += begin;
        }
    }

    /// Decodes from `text` up to `width` characters. True where the piece may go on behind.
    bool take(View text, std::size_t width) {
        const std::size_t size = decode(text.first(std::min(text.size(), width))) / 3 * 4;
        at_ += size;
        if (size == width) {
            return true;
        }
        last_group(text.subspan(size, std::min(text.size(), width) - size));
        return false;
    }

    void last_group(View text) {
        std::array<std::byte, 2> bytes{};
        if (const std::size_t size = decode_base64_end(text, bytes); size > 0) {
            std::copy_n(bytes.begin(), size,
                        buffer_.begin() + static_cast<std::ptrdiff_t>(filled_));
            filled_ += size;
            at_ += 4;
        }
    }

    std::size_t decode(View text) {
        const std::size_t size = decode_base64(text, std::span(buffer_).subspan(filled_));
        filled_ += size;
        return size;
    }

    [[nodiscard]] View decoded() const { return View(buffer_).first(filled_); }

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
        OPENARCHIVER_CHECK(window_.move(at_));
        at_ = 0;
        text_from_ = 0;
        return {};
    }

    void next_line() {
        const View rest = window_.view().subspan(at_);
        const auto end = std::find(rest.begin(), rest.end(), std::byte{'\n'});
        at_ += static_cast<std::size_t>(end - rest.begin()) + (end == rest.end() ? 0 : 1);
    }

    Window window_;
    SplitContent& result_;
    CompositionWriter records_;
    std::size_t at_ = 0;                            // in the window
    std::size_t text_from_ = 0;                     // what is before it was written
    LineLayout layout_;                             // of the current piece
    Bytes buffer_ = Bytes(kLookAhead + kMaxWidth);  // decoded
    std::size_t filled_ = 0;                        // ... of it
    bool more_ = false;
};

/// Says whether what is written to it is what the source has.
class Comparison final : public sdk::ByteSink {
public:
    explicit Comparison(sdk::ByteSource& expected) : expected_(expected) {}

    sdk::Status write(std::span<const std::byte> bytes) override {
        size_ += bytes.size();
        while (same_ && !bytes.empty()) {
            const auto piece = std::span(buffer_).first(std::min(bytes.size(), buffer_.size()));
            OPENARCHIVER_TRY(const std::size_t got, expected_.read(piece));
            same_ = got > 0 && std::memcmp(piece.data(), bytes.data(), got) == 0;
            bytes = bytes.subspan(got);
        }
        return {};
    }

    [[nodiscard]] bool same() const { return same_ && size_ == expected_.size(); }

private:
    sdk::ByteSource& expected_;
    Bytes buffer_ = Bytes(64U << 10);
    std::uint64_t size_ = 0;
    bool same_ = true;
};

sdk::Status pass_on(sdk::ByteSource& source, std::uint64_t size, sdk::ByteSink& sink) {
    Bytes buffer(static_cast<std::size_t>(std::min<std::uint64_t>(size, 64U << 10)));
    while (size > 0) {
        const auto piece = std::span(buffer).first(
            static_cast<std::size_t>(std::min<std::uint64_t>(size, buffer.size())));
        OPENARCHIVER_TRY(const std::size_t got, source.read(piece));
        if (got == 0) {
            return sdk::Error{.code = sdk::Errc::internal, .message = "a spool ended too early"};
        }
        OPENARCHIVER_CHECK(sink.write(piece.first(got)));
        size -= got;
    }
    return {};
}

/// Whether the content can be made again, bit for bit, from what it was split into.
sdk::Result<bool> reproduces(SplitContent& split, Spool& content) {
    OPENARCHIVER_CHECK(content.rewind());
    OPENARCHIVER_CHECK(split.stored.rewind());
    OPENARCHIVER_CHECK(split.part_bytes.rewind());
    Comparison comparison(content);
    Composer composer(comparison, [&](std::size_t, std::uint64_t size, sdk::ByteSink& sink) {
        return pass_on(split.part_bytes, size, sink);
    });
    OPENARCHIVER_CHECK(pass_on(split.stored, split.stored.size(), composer));
    OPENARCHIVER_CHECK(composer.finish());
    return comparison.same();
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
