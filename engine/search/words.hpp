#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

/// What counts as a word, in texts and in queries alike.
///
/// Letters and digits make words; case, accents and compatibility forms (full width, ligatures) are
/// folded away. Scripts that are written without spaces (Han, kana, Hangul, Thai, Lao, Khmer,
/// Myanmar) are cut into pairs of neighbouring characters, so that any substring is found as a
/// phrase of pairs.
namespace openarchiver::search {

enum class WordsOf : std::uint8_t {
    text,   ///< the last character of a run of pairs is a word, too, at the place of the last pair
    query,  ///< ... only where it is alone: it is then the beginning of a pair
};

/// A word and the bytes of the text that it was made of.
struct Word {
    std::string_view folded;  ///< good until the next word
    std::size_t begin = 0;
    std::size_t end = 0;
    /// At the same place as the word before it.
    bool same_place = false;
    /// A single character of a script without spaces: to be searched as the beginning of words.
    bool single = false;
};

/// Longer words are cut.
inline constexpr std::size_t kMaxWord = 64;

/// Marks words that the engine adds itself (Tag); never part of a text's words.
inline constexpr std::string_view kTagMark = "\xEE\x80\x80";  // U+E000, private use

/// Visits the words of UTF-8 text in order, until `visit` returns false. What is no UTF-8 separates
/// words. Safe for concurrent use.
void for_each_word(std::string_view text, WordsOf what,
                   const std::function<bool(const Word&)>& visit);

/// Text as the index takes it: valid UTF-8 in which nothing passes for kTagMark.
[[nodiscard]] std::string plain_utf8(std::string_view text);

[[nodiscard]] std::vector<std::string> words_of(std::string_view text, WordsOf what);

}  // namespace openarchiver::search
