#include "settings.hpp"

#include <catch2/catch.hpp>

using namespace openarchiver;
using namespace openarchiver::imap;

namespace {

Settings parsed(const char* text) {
    const auto settings = parse_settings(text, "/profiles");
    REQUIRE(settings);
    return *settings;
}

std::string problem(const char* text) {
    const auto settings = parse_settings(text, "/profiles");
    REQUIRE_FALSE(settings);
    CHECK(settings.error().code == sdk::Errc::invalid_config);
    return settings.error().message;
}

}  // namespace

TEST_CASE("Little is needed") {
    const Settings settings = parsed(R"({"host": "mail.example.org", "user": "anna"})");
    CHECK(settings.server.port == 993);
    CHECK(settings.security == Security::tls);
    CHECK_FALSE(settings.delegated());
    CHECK(parsed(R"({"host": "h", "user": "u", "security": "starttls"})").server.port == 143);
    CHECK(parsed(R"({"host": "h", "user": "u", "ca_file": "ca.pem"})").ca_file ==
          "/profiles/ca.pem");
}

TEST_CASE("Passwords cross no network in the clear") {
    CHECK(problem(R"({"host": "mail.example.org", "user": "u", "security": "none"})").find("tls") !=
          std::string::npos);
    CHECK(parsed(R"({"host": "127.0.0.1", "user": "u", "security": "none"})").server.port == 143);
    CHECK(
        problem(
            R"({"host": "h", "user": "u", "oauth": {"token_url": "http://a.example/", "client_id": "c"}})")
            .find("https") != std::string::npos);
}

TEST_CASE("A token endpoint is an address") {
    const Settings settings = parsed(
        R"({"host": "h", "user": "u", "oauth": {"token_url": "https://login.example:8443/t/v2?x=1", "client_id": "c"}})");
    REQUIRE(settings.oauth);
    CHECK(settings.oauth->endpoint.host == "login.example");
    CHECK(settings.oauth->endpoint.port == 8443);
    CHECK(settings.oauth->path == "/t/v2?x=1");
    problem(
        R"({"host": "h", "user": "u", "oauth": {"token_url": "https://a:x/", "client_id": "c"}})");
    problem(R"({"host": "h", "user": "u", "oauth": {"token_url": "ftp://a/", "client_id": "c"}})");
}

TEST_CASE("No line end gets into a command") {
    problem(R"({"host": "h", "user": "u\r\nA1 LOGOUT"})");
    problem(R"({"host": "h", "user": "u", "accounts": ["a\nb"]})");
}
