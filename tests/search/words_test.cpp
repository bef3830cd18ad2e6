#include "search/words.hpp"

#include <catch2/catch.hpp>

namespace openarchiver::search {

using Words = std::vector<std::string>;

TEST_CASE("Words are runs of letters and digits, without case and accents", "[unit]") {
    CHECK(words_of("The Caf\u00e9's 2nd MENU!", WordsOf::text) ==
          Words{"the", "cafe", "s", "2nd", "menu"});
    CHECK(words_of("e\u0301tude Stra\u00dfe \u00d8re \u0141\u00f3d\u017a", WordsOf::text) ==
          Words{"etude", "strasse", "ore", "lodz"});
    CHECK(words_of("\ufb01le \uff21\uff22\uff23 so\u00adft", WordsOf::text) ==
          Words{"file", "abc", "soft"});
    CHECK(words_of("\u041f\u0440\u0418\u0432\u0435\u0442", WordsOf::text) ==
          Words{"\u043f\u0440\u0438\u0432\u0435\u0442"});
    CHECK(words_of("", WordsOf::text).empty());
    CHECK(words_of("+-*/ \u2014 \U0001F600", WordsOf::text).empty());
}

TEST_CASE("Scripts without spaces become pairs, in which any substring is found", "[unit]") {
    CHECK(words_of("\u65e5\u672c\u8a9e", WordsOf::text) ==
          Words{"\u65e5\u672c", "\u672c\u8a9e", "\u8a9e"});
    CHECK(words_of("\u65e5\u672c\u8a9e", WordsOf::query) == Words{"\u65e5\u672c", "\u672c\u8a9e"});
    CHECK(words_of("\u65e5", WordsOf::query) == Words{"\u65e5"});
    CHECK(words_of("PC\u65e5\u672cx", WordsOf::text) == Words{"pc", "\u65e5\u672c", "\u672c", "x"});
}

TEST_CASE("The last character of a run is at the place of the last pair", "[unit]") {
    std::vector<bool> same;
    for_each_word("\u65e5\u672c x", WordsOf::text, [&](const Word& word) {
        same.push_back(word.same_place);
        return true;
    });
    CHECK(same == std::vector<bool>{false, true, false});
}

TEST_CASE("What is no UTF-8 separates words, and long words are cut", "[unit]") {
    CHECK(words_of("ab\xFF\xC3"
                   "cd\xE6\x97",
                   WordsOf::text) == Words{"ab", "cd"});
    const auto words = words_of(std::string(1000, 'a'), WordsOf::text);
    REQUIRE(words.size() == 1);
    CHECK(words.front() == std::string(kMaxWord, 'a'));
}

TEST_CASE("A text can't contain what marks the engine's own words", "[unit]") {
    const std::string tag = std::string(kTagMark) + "a17";
    CHECK(words_of("x" + tag, WordsOf::text) == Words{"x", tag});
    CHECK(plain_utf8("x" + tag) == "x   a17");
    CHECK(plain_utf8(std::string("a\0b\xFF\xC3", 5)) == "a b  ");
}

}  // namespace openarchiver::search
