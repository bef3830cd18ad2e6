#include "messages.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

namespace openarchiver::subprocess {

namespace {

using sdk::Errc;
using namespace std::chrono_literals;

boost::json::object object(const char* text) {
    return boost::json::parse(text).as_object();
}

sdk::Timestamp at(std::chrono::milliseconds time) {
    return sdk::Timestamp(time);
}

}  // namespace

TEST_CASE("Times are those of RFC 3339") {
    CHECK(parse_time("1970-01-01T00:00:01Z") == at(1s));
    CHECK(parse_time("1970-01-02T01:00:00.25+01:00") == at(24h + 250ms));
    CHECK(parse_time("1970-01-01T00:00:00.123456-00:30") == at(30min + 123ms));
    CHECK(parse_time("2024-02-29T12:00:00Z").has_value());
    for (const char* const wrong :
         {"", "2026", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01 00:00:00Z",
          "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:00:00.Z",
          "2026-01-01T00:00:00+1:00", "2026-01-01T00:00:00+01:0", "x026-01-01T00:00:00Z"}) {
        INFO(wrong);
        CHECK_FALSE(parse_time(wrong));
    }
}

TEST_CASE("A page of items has what was told of each") {
    const auto page = parse_items(object(R"({
        "items": [{"id": "a", "content_tag": "2", "media_type": "text/plain", "size_hint": 7,
                   "received_at": "1970-01-01T00:00:02Z", "title": "T", "unknown": [1],
                   "properties": {"s": "x", "n": -3, "d": 1.5, "b": true, "no": null,
                                  "t": {"time": "1970-01-01T00:00:03Z"}}},
                  {"id": "b"}],
        "left": ["c"], "failed": [{"id": "d", "error": {"code": "corrupt", "message": "broken"}}],
        "cursor": "9", "more": "p"})"));
    REQUIRE(page);
    REQUIRE(page->items.size() == 2);
    const sdk::Item& item = page->items[0];
    CHECK(item.content_tag == "2");
    CHECK(item.media_type == "text/plain");
    CHECK(item.size_hint == 7);
    CHECK(item.received_at == at(2s));
    CHECK(item.properties == std::vector<sdk::Property>{{"s", std::string("x")},
                                                        {"n", std::int64_t{-3}},
                                                        {"d", 1.5},
                                                        {"b", true},
                                                        {"t", at(3s)}});
    CHECK(page->items[1].media_type == "message/rfc822");
    CHECK(page->left == std::vector<std::string>{"c"});
    CHECK(page->failed.at(0).second.code == Errc::corrupt);
    CHECK(page->cursor == "9");
    CHECK(page->more == "p");
}

TEST_CASE("What is wrong with an answer is named") {
    const std::pair<const char*, const char*> wrong[] = {
        {R"({"items": 1})", "items is no list"},
        {R"({"items": [{"id": "a"}, {}]})", "items[1].id is missing"},
        {R"({"items": [{"id": 7}]})", "items[0].id is no text"},
        {R"({"items": [{"id": "a", "size_hint": -1}]})", "items[0].size_hint is no whole number"},
        {R"({"items": [{"id": "a", "received_at": "now"}]})", "items[0].received_at is no time"},
        {R"({"items": [{"id": "a", "properties": {"x": []}}]})", "items[0].properties.x is no"},
        {R"({"left": [""]})", "left[0] is no id"},
        {R"({"failed": [{"id": "a"}]})", "failed[0] has no error"},
        {R"({"failed": [{"id": "a", "error": {"code": "cancelled", "message": "m"}}]})",
         "error.code is none of the codes"},
        {R"({"cursor": 7})", "cursor is no text"},
    };
    for (const auto& [text, expected] : wrong) {
        INFO(text);
        const auto page = parse_items(object(text));
        REQUIRE_FALSE(page);
        CHECK(page.error().code == Errc::internal);
        CHECK_THAT(page.error().message, Catch::StartsWith(expected));
    }
}

TEST_CASE("An error of a program keeps its wait, and its text to one line") {
    sdk::Error error;
    REQUIRE(parse_error(
        boost::json::parse(
            R"({"code": "rate_limited", "message": "wait\na bit", "retry_after": 1.5, "request_id": "r"})"),
        error));
    CHECK(error.code == Errc::rate_limited);
    CHECK(error.message == "wait a bit");
    CHECK(error.retry_after == 1500ms);
    CHECK(error.request_id == "r");
    REQUIRE(parse_error(
        boost::json::parse(R"({"code": "rate_limited", "message": "m", "retry_after": 1e300})"),
        error));
    CHECK(error.retry_after == 24h);
    CHECK_FALSE(parse_error(
        boost::json::parse(R"({"code": "rate_limited", "message": "m", "retry_after": -1})"),
        error));
}

}  // namespace openarchiver::subprocess
