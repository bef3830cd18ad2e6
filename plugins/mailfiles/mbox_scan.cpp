#include "mbox_scan.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>

#include "from_line.hpp"
#include "line_reader.hpp"
#include "message_digest.hpp"

namespace openarchiver::mailfiles {

namespace {

constexpr std::size_t kMaxFromLine = 1024;
constexpr std::string_view kContentLength = "content-length:";

/// "Name: …", with a name of printable characters (RFC 5322, 2.2).
bool looks_like_header_field(std::string_view text) {
    constexpr std::size_t kMaxName = 128;
    const std::size_t colon = text.substr(0, kMaxName).find(':');
    return colon != 0 && colon != std::string_view::npos &&
           std::ranges::all_of(text.substr(0, colon), [](char c) { return c > ' ' && c < 0x7F; });
}

std::optional<std::uint64_t> content_length_in(std::string_view line) {
    if (line.size() < kContentLength.size() ||
        !std::equal(kContentLength.begin(), kContentLength.end(), line.begin(),
                    [](char wanted, char c) {
                        return wanted == std::tolower(static_cast<unsigned char>(c));
                    })) {
        return std::nullopt;
    }
    line = without_line_end(line.substr(kContentLength.size()));
    const std::size_t first = std::min(line.find_first_not_of(" \t"), line.size());
    line = line.substr(first, line.find_last_not_of(" \t") + 1 - first);
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(line.data(), line.data() + line.size(), value);
    return failure == std::errc() && end == line.data() + line.size() ? std::optional(value)
                                                                      : std::nullopt;
}

class Scan {
public:
    Scan(const FileDescriptor& file, const MboxRange& range, MboxDialect dialect,
         const MboxEvents& events, const std::stop_token& stop)
        : file_(file),
          range_(range),
          dialect_(dialect),
          events_(events),
          stop_(stop),
          lines_(file, 0, range.size) {}

    sdk::Result<std::uint64_t> run() {
        std::uint64_t end = 0;
        while (true) {
            if (stop_.stop_requested()) {
                return cancelled();
            }
            OPENARCHIVER_TRY(const auto piece, lines_.next());
            if (!piece) {
                break;
            }
            end = piece->offset + piece->bytes.size();
            if (separates(*piece)) {
                OPENARCHIVER_CHECK(finish(piece->offset));
                start(*piece);
            } else {
                OPENARCHIVER_CHECK(take(*piece));
            }
        }
        if (range_.open_end && started_) {
            return message_.offset;
        }
        OPENARCHIVER_CHECK(finish(end));
        return end;
    }

private:
    using Piece = LineReader::Piece;

    [[nodiscard]] bool by_length() const {
        return dialect_ != MboxDialect::mboxo && dialect_ != MboxDialect::mboxrd;
    }

    [[nodiscard]] bool separates(const Piece& piece) const {
        if (!piece.begins_line || !begins_with_from(piece.bytes) || piece.offset < body_end_ ||
            piece.bytes.size() > kMaxFromLine) {
            return false;
        }
        if (!by_length() || (body_end_ > 0 && dialect_ != MboxDialect::automatic)) {
            return true;
        }
        return date_of_from_line(piece.bytes) &&
               (after_empty_line_ || looks_like_header_field(lines_.ahead()));
    }

    void start(const Piece& piece) {
        message_ = {};
        message_.offset = piece.offset;
        message_.begin = piece.offset + piece.bytes.size();
        message_.from = without_line_end(piece.bytes).substr(5);
        message_.delivered_at = date_of_from_line(piece.bytes);
        digest_.emplace();
        started_ = true;
        in_header_ = true;
        after_empty_line_ = false;
        blank_ = {};
        content_length_.reset();
        body_end_ = 0;
        anything_ = false;
        nul_ = false;
        quoted_ = false;
        unquoted_ = false;
    }

    sdk::Status take(const Piece& piece) {
        const bool empty_line =
            piece.begins_line && piece.ends_line && without_line_end(piece.bytes).empty();
        if (!started_) {
            undated_ = undated_ || (!anything_ && begins_with_from(piece.bytes));
            anything_ = anything_ || !empty_line;
            after_empty_line_ = empty_line;
            return {};
        }
        if (body_end_ > 0 && piece.offset >= body_end_) {
            after_empty_line_ = true;
            return {};  // what separates it from the next one
        }
        if (!anything_ && !empty_line) {
            anything_ = true;
            nul_ = piece.bytes.front() == '\0';
        }
        if (in_header_) {
            digest_->add(piece.bytes, piece.begins_line);
            return empty_line ? end_of_header(piece) : header_line(piece);
        }
        if (body_end_ == 0 && empty_line) {
            feed_blank();
            blank_ = piece.bytes.size() == 1 ? "\n" : "\r\n";
            after_empty_line_ = true;
            return {};
        }
        feed_blank();
        if (piece.begins_line) {
            after_empty_line_ = empty_line;
            quoted_ = quoted_ || is_quoted_from(piece.bytes);
            unquoted_ = unquoted_ || begins_with_from(piece.bytes);
        }
        digest_->add(piece.bytes, piece.begins_line);
        return {};
    }

    sdk::Status header_line(const Piece& piece) {
        after_empty_line_ = false;
        if (piece.begins_line && by_length()) {
            if (const auto length = content_length_in(piece.bytes)) {
                content_length_ = length;
            }
        }
        return {};
    }

    sdk::Status end_of_header(const Piece& piece) {
        in_header_ = false;
        after_empty_line_ = true;
        if (content_length_) {
            const std::uint64_t body = piece.offset + piece.bytes.size();
            OPENARCHIVER_TRY(const bool fits, length_fits(body, *content_length_));
            if (fits) {
                body_end_ = body + *content_length_;
            }
        }
        return {};
    }

    /// Whether the body ends at the end of a line, and the next message or the end follows it.
    sdk::Result<bool> length_fits(std::uint64_t body, std::uint64_t length) const {
        if (length > range_.size - std::min(body, range_.size)) {
            return false;
        }
        std::uint64_t from = body + length;
        const std::uint64_t before = length > 0 ? 1 : 0;
        std::array<char, kMaxFromLine + 5> bytes{};
        OPENARCHIVER_TRY(const std::size_t count,
                         read_at(file_, from - before, bytes.data(), bytes.size()));
        std::string_view text(bytes.data(), count);
        if (from >= range_.size) {
            return true;
        }
        if (before == 1 && !text.empty()) {
            if (text.front() != '\n') {
                return false;
            }
            text.remove_prefix(1);
        }
        for (int i = 0; i < 2 && !text.empty(); ++i) {
            if (text.starts_with("\r\n")) {
                text.remove_prefix(2);
                from += 2;
            } else if (text.starts_with('\n')) {
                text.remove_prefix(1);
                from += 1;
            }
        }
        if (from >= range_.size) {
            return true;
        }
        const std::size_t newline = text.find('\n');
        const std::string_view line =
            text.substr(0, newline == std::string_view::npos ? newline : newline + 1);
        return begins_with_from(line) &&
               (dialect_ != MboxDialect::automatic || date_of_from_line(line).has_value());
    }

    [[nodiscard]] std::string what_is_before(std::uint64_t next) const {
        return std::to_string(next) + " bytes that belong to no message, for " +
               (undated_ ? "their \"From \" line has no date that is understood; \"mbox_dialect\" "
                           "mboxo or mboxrd does without"
                         : "no \"From \" line is before them");
    }

    void feed_blank() {
        if (!blank_.empty()) {
            digest_->add(blank_, true);
            blank_ = {};
        }
    }

    sdk::Status finish(std::uint64_t next) {
        if (!started_) {
            return anything_ ? events_.broken(0, what_is_before(next)) : sdk::Status();
        }
        if (!anything_) {
            return events_.broken(message_.offset, "a \"From \" line without a message");
        }
        if (nul_) {
            return events_.broken(message_.offset,
                                  "a message of zero bytes, as a crash leaves in the place of what "
                                  "was not written");
        }
        message_.end = body_end_ > 0 ? body_end_ : next - blank_.size();
        message_.digest = digest_->finish();
        message_.unquote =
            quoted_ && (dialect_ == MboxDialect::mboxrd ||
                        (dialect_ == MboxDialect::automatic && body_end_ == 0 && !unquoted_));
        return events_.message(message_);
    }

    const FileDescriptor& file_;
    const MboxRange range_;
    const MboxDialect dialect_;
    const MboxEvents& events_;
    const std::stop_token& stop_;
    LineReader lines_;

    bool started_ = false;  // a "From " line was seen
    bool in_header_ = false;
    bool after_empty_line_ = true;  // or at the beginning of the file
    bool anything_ = false;         // a line that is not empty
    bool nul_ = false;
    bool undated_ = false;  // the file begins with such a "From " line
    bool quoted_ = false;
    bool unquoted_ = false;
    /// An empty line that belongs to the message only if another one follows.
    std::string_view blank_;
    std::optional<std::uint64_t> content_length_;
    /// Where the body ends by its length; 0: at the next "From " line.
    std::uint64_t body_end_ = 0;
    std::optional<MessageDigest> digest_;
    MboxMessage message_;
};

}  // namespace

sdk::Result<std::uint64_t> scan_mbox(const FileDescriptor& file, const MboxRange& range,
                                     MboxDialect dialect, const MboxEvents& events,
                                     const std::stop_token& stop) {
    return Scan(file, range, dialect, events, stop).run();
}

}  // namespace openarchiver::mailfiles
