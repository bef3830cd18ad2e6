#include "search/snippet.hpp"

#include <catch2/catch.hpp>

namespace openarchiver::search {

namespace {

std::vector<std::string> highlighted(const Snippet& snippet) {
    std::vector<std::string> texts;
    for (const auto& [begin, end] : snippet.highlights) {
        texts.push_back(snippet.text.substr(begin, end - begin));
    }
    return texts;
}

Snippet of(std::string_view body, std::string_view query) {
    Document document;
    document[Field::body] = body;
    document[Field::subject] = "the subject";
    std::vector<Query> words;
    const auto parsed = parse_query(query);
    REQUIRE(parsed);
    if (parsed->kind == Query::Kind::words) {
        words.push_back(*parsed);
    } else {
        words = parsed->parts;
    }
    return make_snippet(document, words);
}

}  // namespace

TEST_CASE("A snippet shows the place that was found, in one line", "[unit]") {
    const std::string body =
        std::string(500, 'x') + " before\n\n the Needle  here " + std::string(500, 'y');
    const Snippet snippet = of(body, "needle");
    CHECK_THAT(snippet.text, Catch::Contains("before the Needle here"));
    CHECK(snippet.text.size() < 300);
    CHECK(highlighted(snippet) == std::vector<std::string>{"Needle"});
}

TEST_CASE("A phrase is preferred to its words", "[unit]") {
    const std::string body = "red " + std::string(500, 'x') + " red apple";
    CHECK(highlighted(of(body, "\"red apple\"")) == std::vector<std::string>{"red", "apple"});
}

TEST_CASE("Beginnings, accents and pairs are highlighted as they stand", "[unit]") {
    CHECK(highlighted(of("un Caf\u00e9 noir", "caf*")) == std::vector<std::string>{"Caf\u00e9"});
    CHECK(highlighted(of("x \u65e5\u672c\u8a9e\u306e y", "\u65e5\u672c\u8a9e")) ==
          std::vector<std::string>{"\u65e5\u672c\u8a9e"});
}

TEST_CASE("Where nothing is to be highlighted the text begins at its beginning", "[unit]") {
    CHECK(of("Dear all,\r\nhello", "subject:\"no such\"").text == "Dear all, hello");
    CHECK(of("", "from:x").text.empty());
}

}  // namespace openarchiver::search
