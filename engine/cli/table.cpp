#include "cli/table.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cwchar>
#include <iterator>
#include <utility>

namespace openarchiver::cli {

namespace {

struct Character {
    char32_t code = 0;
    std::size_t bytes = 1;
};

constexpr char32_t kReplacement = 0xFFFD;

/// The character at the front of `text` (not empty); what is no UTF-8 is one replacement each byte.
Character first_character(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return {lead, 1};
    }
    std::size_t length = 0;
    char32_t code = 0;
    if (lead >= 0xC2 && lead < 0xE0) {
        length = 2;
        code = lead & 0x1FU;
    } else if (lead >= 0xE0 && lead < 0xF0) {
        length = 3;
        code = lead & 0x0FU;
    } else if (lead >= 0xF0 && lead < 0xF5) {
        length = 4;
        code = lead & 0x07U;
    }
    if (length == 0 || text.size() < length) {
        return {kReplacement, 1};
    }
    for (std::size_t i = 1; i < length; ++i) {
        if ((byte(i) & 0xC0U) != 0x80U) {
            return {kReplacement, 1};
        }
        code = (code << 6U) | (byte(i) & 0x3FU);
    }
    return {code, length};
}

/// Ranges of characters of width 0 and 2 that occur in names and paths; wcwidth() would depend on
/// the locale of the machine.
struct Range {
    char32_t first;
    char32_t last;
};

constexpr std::array kNoWidth = {
    Range{0x0300, 0x036F}, Range{0x0483, 0x0489}, Range{0x0591, 0x05BD},   Range{0x0610, 0x061A},
    Range{0x064B, 0x065F}, Range{0x0E31, 0x0E31}, Range{0x0E34, 0x0E3A},   Range{0x0E47, 0x0E4E},
    Range{0x1AB0, 0x1AFF}, Range{0x1DC0, 0x1DFF}, Range{0x200B, 0x200F},   Range{0x202A, 0x202E},
    Range{0x2060, 0x2064}, Range{0x2066, 0x206F}, Range{0x20D0, 0x20FF},   Range{0xFE00, 0xFE0F},
    Range{0xFE20, 0xFE2F}, Range{0xFEFF, 0xFEFF}, Range{0x1F3FB, 0x1F3FF}, Range{0xE0100, 0xE01EF}};
constexpr std::array kWide = {
    Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0x33FF},
    Range{0x3400, 0x4DBF},   Range{0x4E00, 0x9FFF},   Range{0xA000, 0xA4CF},
    Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},   Range{0xFE30, 0xFE6F},
    Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},   Range{0x1F300, 0x1F64F},
    Range{0x1F680, 0x1F6FF}, Range{0x1F900, 0x1F9FF}, Range{0x20000, 0x3FFFD}};

template <std::size_t N>
bool contains(const std::array<Range, N>& ranges, char32_t code) {
    return std::ranges::any_of(
        ranges, [code](const Range& range) { return code >= range.first && code <= range.last; });
}

std::size_t width_of(char32_t code) {
    if (code < 0x300) {
        return 1;
    }
    if (contains(kNoWidth, code)) {
        return 0;
    }
    return contains(kWide, code) ? 2 : 1;
}

/// What is shown for it: text from elsewhere must neither steer the terminal nor turn the reading
/// direction of the line around.
void append_shown(std::string& out, std::string_view bytes, char32_t code) {
    const bool control = code < 0x20 || (code >= 0x7F && code < 0xA0);
    const bool bidi = (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
    if (control) {
        out += ' ';
    } else if (code == kReplacement) {
        out += "\xEF\xBF\xBD";
    } else if (!bidi) {
        out += bytes;
    }
}

std::string padded(const std::string& cell, std::size_t width, Table::Align align, bool last) {
    const std::string space(width - std::min(width, display_width(cell)), ' ');
    if (align == Table::Align::right) {
        return space + cell;
    }
    return last ? cell : cell + space;
}

template <typename... Values>
std::string formatted(const char* format, Values... values) {
    std::array<char, 64> buffer{};
    const int length = std::snprintf(buffer.data(), buffer.size(), format, values...);
    return {buffer.data(), static_cast<std::size_t>(std::max(length, 0))};
}

}  // namespace

std::size_t display_width(std::string_view text) {
    std::size_t width = 0;
    while (!text.empty()) {
        const Character character = first_character(text);
        width += width_of(character.code);
        text.remove_prefix(character.bytes);
    }
    return width;
}

std::string fit(std::string_view text, std::size_t columns) {
    std::string out;
    std::size_t width = 0;
    std::size_t cut_at = 0;  // where the ellipsis goes if the rest does not fit
    while (!text.empty()) {
        const Character character = first_character(text);
        const std::size_t next = width + width_of(character.code);
        if (next > columns) {
            out.resize(cut_at);
            return columns == 0 ? std::string() : out + "…";
        }
        append_shown(out, text.substr(0, character.bytes), character.code);
        width = next;
        if (width + 1 <= columns) {
            cut_at = out.size();
        }
        text.remove_prefix(character.bytes);
    }
    return out;
}

std::string plain(std::string_view text) {
    return fit(text, static_cast<std::size_t>(-1));
}

std::string size_text(std::uint64_t bytes) {
    static constexpr std::array kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    if (bytes < 1024) {
        return std::to_string(bytes) + " B";
    }
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1023.5 && unit + 1 < kUnits.size()) {
        value /= 1024;
        ++unit;
    }
    return formatted(value < 9.95 ? "%.1f %s" : "%.0f %s", value, kUnits[unit]);
}

std::string count_text(std::uint64_t count) {
    std::string text = std::to_string(count);
    for (std::size_t i = text.size(); i > 3; i -= 3) {
        text.insert(i - 3, ",");
    }
    return text;
}

std::string duration_text(std::chrono::milliseconds duration) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
    if (seconds < 10) {
        return formatted("%.1fs", static_cast<double>(duration.count()) / 1000);
    }
    if (seconds < 60) {
        return formatted("%llds", static_cast<long long>(seconds));
    }
    if (seconds < 3600) {
        return formatted("%lldm %02llds", static_cast<long long>(seconds / 60),
                         static_cast<long long>(seconds % 60));
    }
    if (seconds < 86400) {
        return formatted("%lldh %02lldm", static_cast<long long>(seconds / 3600),
                         static_cast<long long>(seconds / 60 % 60));
    }
    return formatted("%lldd %lldh", static_cast<long long>(seconds / 86400),
                     static_cast<long long>(seconds / 3600 % 24));
}

std::string time_text(sdk::Timestamp time) {
    if (time == sdk::Timestamp{}) {
        return "never";
    }
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss<std::chrono::milliseconds> clock(time - day);
    return formatted("%04d-%02u-%02u %02d:%02d:%02d", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     static_cast<int>(clock.hours().count()),
                     static_cast<int>(clock.minutes().count()),
                     static_cast<int>(clock.seconds().count()));
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::row(std::vector<std::string> cells) {
    cells.resize(columns_.size());
    for (std::size_t i = 0; i < cells.size(); ++i) {
        cells[i] = columns_[i].limit > 0 ? fit(cells[i], columns_[i].limit) : plain(cells[i]);
    }
    rows_.push_back(std::move(cells));
}

std::string Table::text() const {
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        std::size_t width = display_width(columns_[i].name);
        for (const auto& cells : rows_) {
            width = std::max(width, display_width(cells[i]));
        }
        widths.push_back(width);
    }
    std::string text;
    const auto add = [&](std::size_t i, const std::string& cell) {
        const bool last = i + 1 == columns_.size();
        text += padded(cell, widths[i], columns_[i].align, last);
        text += last ? "\n" : "  ";
    };
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        add(i, columns_[i].name);
    }
    for (const auto& cells : rows_) {
        for (std::size_t i = 0; i < cells.size(); ++i) {
            add(i, cells[i]);
        }
    }
    return text;
}

}  // namespace openarchiver::cli
