#include "search/query.hpp"

#include <catch2/catch.hpp>

namespace openarchiver::search {

namespace {

/// The tree as text, as short as it can be told.
std::string shown(const Query& query) {
    const auto list = [&](const std::string& name) {
        std::string text = name + "(";
        for (const auto& part : query.parts) {
            text += (text.back() == '(' ? "" : " ") + shown(part);
        }
        return text + ")";
    };
    switch (query.kind) {
        case Query::Kind::everything:
            return "everything";
        case Query::Kind::all_of:
            return list("all");
        case Query::Kind::any_of:
            return list("any");
        case Query::Kind::none_of:
            return list("not");
        case Query::Kind::words: {
            std::string text;
            for (const Field field : query.fields) {
                text += std::to_string(static_cast<int>(field)) + ":";
            }
            for (const auto& word : query.words) {
                text += (text.empty() || text.back() == ':' ? "" : "+") + word;
            }
            return text + (query.prefix ? "*" : "");
        }
        default:
            return std::to_string(static_cast<int>(query.kind)) + "=" +
                   (query.number != 0 ? std::to_string(query.number) : query.text);
    }
}

std::string parsed(std::string_view text) {
    const auto query = parse_query(text);
    return query ? shown(*query) : query.error().message;
}

}  // namespace

TEST_CASE("Words side by side bind stronger than OR", "[unit]") {
    CHECK(parsed("") == "everything");
    CHECK(parsed("  a ") == "a");
    CHECK(parsed("a b OR c d") == "any(all(a b) all(c d))");
    CHECK(parsed("a (b OR c) -d") == "all(a any(b c) not(d))");
    CHECK(parsed("a AND b NOT (c d)") == "all(a b not(all(c d)))");
    CHECK(parsed("--a") == "not(not(a))");
    CHECK(parsed("ORANGE ANDY or") == "all(orange andy or)");
    CHECK(parsed("(((a)))") == "a");
}

TEST_CASE("Phrases, prefixes and fields", "[unit]") {
    CHECK(parsed("\"Big plan\"") == "big+plan");
    CHECK(parsed("\"big pl\"* pla*") == "all(big+pl* pla*)");
    CHECK(parsed("ada@example.org") == "ada+example+org");
    CHECK(parsed("from:ada Subject:\"a b\"") == "all(0:ada 4:a+b)");
    CHECK(parsed("participant:x") == "0:1:2:3:x");
    CHECK(parsed("subject:(a OR b)") == "any(4:a 4:b)");
    CHECK(parsed("http://x.y 12:30") == "all(http+x+y 12+30)");
    CHECK(parsed("\u65e5") == "\u65e5*");
}

TEST_CASE("Filters have values of their kind", "[unit]") {
    CHECK(parsed("larger:2k") == "6=2048");
    CHECK(parsed("larger:3MB") == "6=3145728");
    CHECK(parsed("after:1970-01-02") == "8=86400000");
    CHECK(parsed("before:1971") == "7=31536000000");
    CHECK(parsed("before:1970/02") == "7=2678400000");
    CHECK(parsed("folder:\"A/B c\"") == "9=A/B c");
    CHECK(parsed("message-id:<a@b>") == "12=a@b");
    for (const char* const wrong :
         {"before:1970-13", "before:1970-02-30", "before:70", "before:1970-01-01-01", "larger:-1",
          "larger:k", "larger:99999999999999999999", "has:wings", "has:", "folder:", "nothing:x"}) {
        CAPTURE(wrong);
        CHECK_FALSE(parse_query(wrong));
    }
}

TEST_CASE("An error names the character, not the byte", "[unit]") {
    CHECK_THAT(parsed("\u00e9\u00e9 (a"), Catch::Contains("at character 4: this parenthesis"));
    CHECK_THAT(parsed("a )"), Catch::Contains("at character 3:"));
    CHECK_THAT(parsed("a OR"), Catch::Contains("at character 5: something to search for"));
    CHECK_THAT(parsed("x \"a b"), Catch::Contains("at character 3: this quotation"));
}

TEST_CASE("Queries are bounded", "[unit]") {
    CHECK_THAT(parsed(std::string(9000, 'a')), Catch::Contains("longer than"));
    CHECK_THAT(parsed(std::string(100, '(') + "a" + std::string(100, ')')),
               Catch::Contains("nested too deeply"));
    CHECK_THAT(parsed(std::string(100, '-') + "a"), Catch::Contains("nested too deeply"));
    std::string many;
    for (int i = 0; i < 600; ++i) {
        many += "ab ";
    }
    CHECK_THAT(parsed(many), Catch::Contains("more than 500 terms"));
}

}  // namespace openarchiver::search
