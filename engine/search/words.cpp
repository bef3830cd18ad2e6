#include "search/words.hpp"

#include <glib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

namespace openarchiver::search {

namespace {

enum class Kind : std::uint8_t { unknown, separator, ignored, word, paired, tag };

/// What a character becomes.
struct Folded {
    Kind kind = Kind::unknown;
    std::uint8_t size = 0;
    std::array<char, 18> bytes{};
};

bool without_spaces(gunichar character) {
    switch (g_unichar_get_script(character)) {
        case G_UNICODE_SCRIPT_HAN:
        case G_UNICODE_SCRIPT_HIRAGANA:
        case G_UNICODE_SCRIPT_KATAKANA:
        case G_UNICODE_SCRIPT_HANGUL:
        case G_UNICODE_SCRIPT_BOPOMOFO:
        case G_UNICODE_SCRIPT_THAI:
        case G_UNICODE_SCRIPT_LAO:
        case G_UNICODE_SCRIPT_KHMER:
        case G_UNICODE_SCRIPT_MYANMAR:
            return true;
        default:
            return character == 0x30FC;  // prolonged sound mark, common to both kana
    }
}

/// A mark that distinguishes no words: accents, vowel points.
bool is_accent(gunichar character) {
    if (g_unichar_type(character) != G_UNICODE_NON_SPACING_MARK) {
        return false;
    }
    const auto script = g_unichar_get_script(character);
    return script == G_UNICODE_SCRIPT_INHERITED || script == G_UNICODE_SCRIPT_HEBREW ||
           script == G_UNICODE_SCRIPT_ARABIC || script == G_UNICODE_SCRIPT_SYRIAC;
}

bool in_words(gunichar character) {
    return g_unichar_isalnum(character) || g_unichar_ismark(character);
}

/// Letters that Unicode does not decompose, though people type them without their stroke.
std::string_view plain_form(gunichar letter) {
    switch (letter) {
        case 0xDF:
            return "ss";
        case 0xE6:
            return "ae";
        case 0xF8:
            return "o";
        case 0x153:
            return "oe";
        case 0x142:
            return "l";
        case 0x111:
            return "d";
        case 0x131:
            return "i";
        default:
            return {};
    }
}

Folded fold(gunichar character) {
    Folded folded;
    const auto append = [&](std::string_view bytes) {
        if (folded.size + bytes.size() <= folded.bytes.size()) {
            std::ranges::copy(bytes, folded.bytes.begin() + folded.size);
            folded.size = static_cast<std::uint8_t>(folded.size + bytes.size());
        }
    };
    const auto append_character = [&](gunichar one) {
        std::array<char, 6> utf8{};
        const auto size = static_cast<std::size_t>(g_unichar_to_utf8(one, utf8.data()));
        append({utf8.data(), size});
    };
    if (character == 0xE000) {
        folded.kind = Kind::tag;
        append_character(character);
        return folded;
    }
    if (is_accent(character) || g_unichar_type(character) == G_UNICODE_FORMAT) {
        folded.kind = Kind::ignored;
        return folded;
    }
    if (in_words(character) || character == 0x30FC) {
        if (without_spaces(character)) {
            folded.kind = Kind::paired;
            append_character(character);
            return folded;
        }
        std::array<gunichar, G_UNICHAR_MAX_DECOMPOSITION_LENGTH> parts{};
        const auto count = g_unichar_fully_decompose(character, TRUE, parts.data(), parts.size());
        for (gsize i = 0; i < std::min<gsize>(count, parts.size()); ++i) {
            const gunichar lower = g_unichar_tolower(parts[i]);
            if (const auto plain = plain_form(lower); !plain.empty()) {
                append(plain);
            } else if (in_words(lower) && !is_accent(lower)) {
                append_character(lower);
            }
        }
    }
    folded.kind = folded.size > 0 ? Kind::word : Kind::separator;
    return folded;
}

/// Folding takes longer than looking up what it gave before.
class FoldingTable {
public:
    const Folded& of(gunichar character) {
        auto& page = pages_[character >> 8U];
        if (!page) {
            page = std::make_unique<std::array<Folded, 256>>();
        }
        Folded& entry = (*page)[character & 0xFFU];
        if (entry.kind == Kind::unknown) {
            entry = fold(character);
        }
        return entry;
    }

private:
    std::array<std::unique_ptr<std::array<Folded, 256>>, 0x1100> pages_;
};

/// The character at the front of `text`, and its size in bytes; nothing: no UTF-8.
std::optional<std::pair<gunichar, std::size_t>> character_at(std::string_view text) {
    const auto character = g_utf8_get_char_validated(text.data(), static_cast<gssize>(text.size()));
    if (character == static_cast<gunichar>(-1) || character == static_cast<gunichar>(-2)) {
        return std::nullopt;
    }
    return std::pair(
        character, static_cast<std::size_t>(g_utf8_skip[static_cast<unsigned char>(text.front())]));
}

class Words {
public:
    Words(WordsOf what, const std::function<bool(const Word&)>& visit)
        : what_(what), visit_(visit) {}

    bool visit(std::string_view text) {
        static thread_local FoldingTable table;
        std::size_t at = 0;
        while (at < text.size()) {
            const auto byte = static_cast<unsigned char>(text[at]);
            gunichar character = byte;
            std::size_t size = 1;
            if (byte >= 0x80) {
                const auto found = character_at(text.substr(at));
                character = found ? found->first : ' ';
                size = found ? found->second : 1;
            }
            if (!take(table.of(character), at, at + size)) {
                return false;
            }
            at += size;
        }
        return end_word() && end_run();
    }

private:
    bool take(const Folded& folded, std::size_t begin, std::size_t end) {
        const std::string_view bytes(folded.bytes.data(), folded.size);
        switch (folded.kind) {
            case Kind::ignored:
                end_ = end;
                return true;
            case Kind::word:
                if (!end_run()) {
                    return false;
                }
                append(bytes, begin, end);
                return true;
            case Kind::tag:
                if (!end_word() || !end_run()) {
                    return false;
                }
                append(bytes, begin, end);
                return true;
            case Kind::paired:
                return end_word() && pair(bytes, begin, end);
            default:
                return end_word() && end_run();
        }
    }

    void append(std::string_view bytes, std::size_t begin, std::size_t end) {
        if (word_.empty()) {
            begin_ = begin;
        }
        if (word_.size() + bytes.size() <= kMaxWord) {
            word_ += bytes;
        }
        end_ = end;
    }

    bool end_word() {
        if (word_.empty()) {
            return true;
        }
        const bool more = visit_({.folded = word_, .begin = begin_, .end = end_});
        word_.clear();
        return more;
    }

    bool pair(std::string_view bytes, std::size_t begin, std::size_t end) {
        bool more = true;
        if (!last_.empty()) {
            pair_ = last_;
            pair_ += bytes;
            more = visit_({.folded = pair_, .begin = last_begin_, .end = end});
        }
        alone_ = last_.empty();
        last_ = bytes;
        last_begin_ = begin;
        last_end_ = end;
        return more;
    }

    bool end_run() {
        if (last_.empty()) {
            return true;
        }
        bool more = true;
        if (alone_ || what_ == WordsOf::text) {
            more = visit_({.folded = last_,
                           .begin = last_begin_,
                           .end = last_end_,
                           .same_place = !alone_,
                           .single = true});
        }
        last_.clear();
        return more;
    }

    WordsOf what_;
    const std::function<bool(const Word&)>& visit_;
    std::string word_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::string pair_;
    std::string last_;  // the character before, of a run of pairs
    std::size_t last_begin_ = 0;
    std::size_t last_end_ = 0;
    bool alone_ = false;
};

}  // namespace

void for_each_word(std::string_view text, WordsOf what,
                   const std::function<bool(const Word&)>& visit) {
    Words(what, visit).visit(text);
}

std::string plain_utf8(std::string_view text) {
    std::string plain(text);
    const char* at = plain.data();
    const char* const end = at + plain.size();
    while (g_utf8_validate(at, end - at, &at) == FALSE) {
        plain[static_cast<std::size_t>(at - plain.data())] = ' ';  // a NUL as well
    }
    for (auto mark = plain.find(kTagMark); mark != std::string::npos;
         mark = plain.find(kTagMark, mark)) {
        plain.replace(mark, kTagMark.size(), kTagMark.size(), ' ');
    }
    return plain;
}

std::vector<std::string> words_of(std::string_view text, WordsOf what) {
    std::vector<std::string> words;
    for_each_word(text, what, [&](const Word& word) {
        words.emplace_back(word.folded);
        return true;
    });
    return words;
}

}  // namespace openarchiver::search
