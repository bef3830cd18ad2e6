#include "export/mbox.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace openarchiver::exporter {

namespace {

constexpr std::string_view kFrom = "From ";
constexpr std::string_view kQuotedFrom = ">From ";
constexpr std::size_t kMaxSender = 254;

std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text));
}

std::string_view sender_of(std::string_view from) {
    if (const auto open = from.rfind('<'); open != std::string_view::npos) {
        from.remove_prefix(open + 1);
        from = from.substr(0, from.find('>'));
    }
    const bool fits = !from.empty() && from.size() <= kMaxSender &&
                      from.find('@') != std::string_view::npos &&
                      std::ranges::all_of(from, [](char c) { return c > 0x20 && c < 0x7F; });
    return fits ? from : "MAILER-DAEMON";
}

/// "Thu Jan  1 00:00:00 1970", as C's asctime() writes it.
std::string mbox_time(sdk::Timestamp time) {
    using namespace std::chrono;
    static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto since_epoch = floor<seconds>(time);
    const auto day = floor<days>(since_epoch);
    const year_month_day date(day);
    const hh_mm_ss clock(since_epoch - day);
    std::array<char, 64> text{};
    const int size = std::snprintf(
        text.data(), text.size(), "%s %s %2u %02d:%02d:%02d %04d", kDays[weekday(day).c_encoding()],
        kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()), static_cast<int>(date.year()));
    return {text.data(), static_cast<std::size_t>(size)};
}

}  // namespace

std::string mbox_from_line(std::string_view from, sdk::Timestamp time) {
    return std::string(kFrom) + std::string(sender_of(from)) + " " + mbox_time(time) + "\n";
}

sdk::Status MboxQuoter::write(std::span<const std::byte> bytes) {
    const auto text = text_of(bytes);
    if (!text.empty()) {
        line_ended_ = text.back() == '\n';
    }
    std::size_t from = 0;         // what is before it was passed on
    std::size_t held = matched_;  // of what was matched, bytes that came in earlier calls
    const auto pass_on = [&](std::size_t end) {
        const auto piece = bytes.subspan(from, end - from);
        from = end;
        return piece.empty() ? sdk::Status() : target_.write(piece);
    };
    for (std::size_t at = 0; at < text.size();) {
        if (!in_prefix_) {
            const auto end = text.find('\n', at);
            in_prefix_ = end != std::string_view::npos;
            at = in_prefix_ ? end + 1 : text.size();
            continue;
        }
        const char c = text[at];
        if (matched_ == 0 && c == '>') {
            ++at;
        } else if (c == kFrom[matched_]) {
            ++at;
            if (++matched_ == kFrom.size()) {
                OPENARCHIVER_CHECK(pass_on(at - (matched_ - held)));
                OPENARCHIVER_CHECK(target_.write(bytes_of(kQuotedFrom)));
                from = at;
                held = 0;
                matched_ = 0;
                in_prefix_ = false;
            }
        } else {
            // `c` may be the end of the line: it is looked at again.
            if (held > 0) {
                OPENARCHIVER_CHECK(target_.write(bytes_of(kFrom.substr(0, held))));
                held = 0;
            }
            matched_ = 0;
            in_prefix_ = false;
        }
    }
    return pass_on(text.size() - (matched_ - held));
}

sdk::Status MboxQuoter::finish() {
    const std::string end = std::string(kFrom.substr(0, matched_)) + (line_ended_ ? "\n" : "\n\n");
    return target_.write(bytes_of(end));
}

void MboxUnquoter::put(std::string_view bytes) {
    bytes = bytes.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size())));
    if (!bytes.empty()) {
        out_ += bytes;
        left_ -= bytes.size();
        line_ended_ = bytes.back() == '\n';
    }
}

void MboxUnquoter::release() {
    if (held_) {
        put(">");
    }
    put(kFrom.substr(0, matched_));
    held_ = false;
    matched_ = 0;
    in_prefix_ = false;
}

sdk::Result<std::size_t> MboxUnquoter::feed(std::span<const std::byte> bytes) {
    auto text = text_of(bytes);
    out_.clear();
    while (!text.empty() && left_ > 0) {
        if (!in_prefix_) {
            const auto end = text.find('\n');
            const auto line = end == std::string_view::npos ? text.size() : end + 1;
            const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(left_, line));
            put(text.substr(0, take));
            text.remove_prefix(take);
            in_prefix_ = end != std::string_view::npos;
            continue;
        }
        const char c = text.front();
        if (matched_ == 0 && c == '>') {
            // All '>' are alike: the one held back may be any of them.
            if (held_) {
                put(">");
            }
            held_ = true;
            text.remove_prefix(1);
        } else if (held_ && c == kFrom[matched_]) {
            text.remove_prefix(1);
            if (++matched_ == kFrom.size()) {
                held_ = false;
                matched_ = 0;
                in_prefix_ = false;
                put(kFrom);
            }
        } else {
            // `c` is looked at again; it is not part of the message if this completed it.
            release();
        }
    }
    const std::size_t taken = bytes.size() - text.size();
    OPENARCHIVER_CHECK(target_.write(bytes_of(out_)));
    return taken;
}

}  // namespace openarchiver::exporter
