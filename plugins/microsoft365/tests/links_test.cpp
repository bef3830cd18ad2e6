#include <catch2/catch.hpp>

#include "graph/link_guard.hpp"
#include "http/origin.hpp"

namespace openarchiver::microsoft365 {
namespace {

using sdk::Errc;

TEST_CASE("ids are percent-encoded as a whole", "[unit]") {
    CHECK(percent_encode("AAMk/AGE+1M=") == "AAMk%2FAGE%2B1M%3D");
    CHECK(percent_encode("bo_x#EXT#@t") == "bo_x%23EXT%23%40t");
    CHECK(percent_encode("a-b.c_d~e") == "a-b.c_d~e");
    CHECK(percent_encode("\xc3\xbc %") == "%C3%BC%20%25");
}

TEST_CASE("a link is followed to the configured origin and version only", "[unit]") {
    const Origin graph = parse_origin("graph_url", "https://graph.microsoft.com").value();
    const auto code = [&graph](std::string_view link) -> std::optional<Errc> {
        const auto target = follow_link(graph, link);
        return target ? std::nullopt : std::optional(target.error().code);
    };

    CHECK(follow_link(graph, "https://graph.microsoft.com/v1.0/users('x')/d?$deltatoken=a%3D&b=1")
              .value() == "/v1.0/users('x')/d?$deltatoken=a%3D&b=1");
    CHECK(follow_link(graph, "HTTPS://Graph.Microsoft.com:443/v1.0/users?$skiptoken=X").value() ==
          "/v1.0/users?$skiptoken=X");

    for (const std::string_view link : {
             "http://graph.microsoft.com/v1.0/users",
             "https://graph.microsoft.com:444/v1.0/users",
             "https://graph.microsoft.com.evil.example/v1.0/users",
             "https://graph.microsoft.com@evil.example/v1.0/users",
             "https://evil.example/v1.0/users?https://graph.microsoft.com",
             "https://graph.microsoft.com\\@evil.example/v1.0/users",
             "https://graph.microsoft.com/beta/users",
             "https://graph.microsoft.com/v1.0",
             "https://graph.microsoft.com/v1.0/../beta/users",
             "https://graph.microsoft.com/v1.0/%2e%2E/beta/users",
             "https://graph.microsoft.com/v1.0/users#x",
             "https://graph.microsoft.com/v1.0/users HTTP/1.1\r\nX: y",
             "//graph.microsoft.com/v1.0/users",
             "/v1.0/users",
             "v1.0/users",
             "",
         }) {
        INFO(link);
        CHECK(code(link) == Errc::internal);
    }
    CHECK(code("https://graph.microsoft.com/v1.0/x?" + std::string(kMaxLinkSize, 'x')) ==
          Errc::internal);
}

TEST_CASE("a page that came before ends the walk", "[unit]") {
    WalkGuard guard;
    CHECK(guard.enter("https://graph/v1.0/a?1"));
    CHECK(guard.enter("https://graph/v1.0/a?2"));
    const auto again = guard.enter("https://graph/v1.0/a?1");
    REQUIRE_FALSE(again);
    CHECK(again.error().code == Errc::internal);
}

TEST_CASE("plain http is for loopback only", "[unit]") {
    for (const char* url : {"http://127.0.0.1:4700", "http://localhost:1/", "http://[::1]:80",
                            "https://example.org"}) {
        INFO(url);
        CHECK(parse_origin("graph_url", url));
    }
    for (const char* url : {"http://example.org", "http://127.0.0.1.example.org", "ftp://127.0.0.1",
                            "https://example.org/v1.0", "https://example.org:0",
                            "https://example.org:99999", "https://", "https://user@example.org"}) {
        INFO(url);
        const auto origin = parse_origin("graph_url", url);
        REQUIRE_FALSE(origin);
        CHECK(origin.error().code == Errc::invalid_config);
        CHECK_THAT(origin.error().message, Catch::StartsWith("graph_url"));
    }
    CHECK(parse_origin("u", "https://[2001:db8::1]:8443").value().host_header() ==
          "[2001:db8::1]:8443");
}

}  // namespace
}  // namespace openarchiver::microsoft365
