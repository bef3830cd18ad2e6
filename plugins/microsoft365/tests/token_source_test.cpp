#include "auth/token_source.hpp"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "support/scripted_server.hpp"
#include "support/test_host.hpp"

namespace openarchiver::microsoft365 {
namespace {

using namespace std::chrono_literals;
using sdk::Errc;
using test::Reply;
using test::ScriptedServer;

std::string token_json(int number, int expires_in) {
    return R"({"token_type":"Bearer","expires_in":)" + std::to_string(expires_in) +
           R"(,"access_token":"token-)" + std::to_string(number) + R"("})";
}

struct Fixture {
    explicit Fixture(ScriptedServer::Handler handler)
        : server(std::move(handler)),
          directory({.concurrent = 16}, host.clock),
          tokens({.authority = split_url(server.url()).value().origin,
                  .graph = split_url("https://graph.microsoft.com").value().origin,
                  .tenant_id = "tenant",
                  .client_id = "client"},
                 http, directory, host.services()) {}

    test::TestHost host;
    ScriptedServer server;
    HttpClient http;
    RequestLimiter directory;
    TokenSource tokens;
};

TEST_CASE("a token is asked for as the endpoint wants it, and kept", "[unit]") {
    Fixture fixture([](const auto&) { return test::respond(200, token_json(1, 3599)); });
    const auto token = fixture.tokens.get(Patience::refuse, {});
    REQUIRE(token);
    CHECK(token->value == "token-1");
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-1");
    REQUIRE(fixture.server.requests().size() == 1);
    const auto request = fixture.server.requests().front();
    CHECK(request.method == "POST");
    CHECK(request.target == "/tenant/oauth2/v2.0/token");
    CHECK(request.body ==
          "grant_type=client_credentials&client_id=client"
          "&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default&client_secret=s3cret~Value%2B1");
}

TEST_CASE("a token is renewed before it expires", "[unit]") {
    std::atomic<int> count = 0;
    Fixture fixture([&](const auto&) { return test::respond(200, token_json(++count, 3600)); });
    fixture.host.clock.freeze();
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-1");
    fixture.host.clock.advance(3299s);
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-1");
    fixture.host.clock.advance(1s);
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-2");
}

TEST_CASE("a short-lived token is used for half its life", "[unit]") {
    std::atomic<int> count = 0;
    Fixture fixture([&](const auto&) { return test::respond(200, token_json(++count, 60)); });
    fixture.host.clock.freeze();
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-1");
    fixture.host.clock.advance(29s);
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-1");
    fixture.host.clock.advance(1s);
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-2");
}

TEST_CASE("a token that can't be renewed yet is used until it expires", "[unit]") {
    std::atomic<int> count = 0;
    std::atomic<bool> working = true;
    Fixture fixture([&](const auto&) {
        ++count;
        return working ? test::respond(200, token_json(count, 3600)) : test::respond(503, "");
    });
    fixture.host.clock.freeze();
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-1");
    working = false;
    fixture.host.clock.advance(3400s);
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-1");
    CHECK(count == 2);
    // It is not tried with every request.
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-1");
    CHECK(count == 2);
    fixture.host.clock.advance(31s);
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-1");
    CHECK(count == 3);
    CHECK_THAT(fixture.host.logger.text(), Catch::Contains("can't be renewed"));
    fixture.host.clock.advance(200s);
    CHECK(fixture.tokens.get(Patience::refuse, {}).error().code == Errc::unavailable);
    working = true;
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-5");
}

TEST_CASE("nobody waits for a renewal as long as the token is good", "[unit]") {
    std::atomic<int> count = 0;
    std::atomic<bool> asked = false;
    Fixture fixture([&](const auto&) {
        Reply reply = test::respond(200, token_json(++count, 3600));
        if (count == 2) {
            reply.delay = 500ms;
            asked = true;
        }
        return reply;
    });
    fixture.host.clock.freeze();
    REQUIRE(fixture.tokens.get(Patience::refuse, {}));
    fixture.host.clock.advance(3400s);
    std::jthread renewal([&] { (void)fixture.tokens.get(Patience::refuse, {}); });
    while (!asked) {
        std::this_thread::yield();
    }
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-1");
    renewal.join();
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-2");
    CHECK(count == 2);
}

TEST_CASE("however many need a token, it is asked for once", "[unit]") {
    Fixture fixture([](const auto&) {
        Reply reply = test::respond(200, token_json(1, 3599));
        reply.delay = 100ms;
        return reply;
    });
    std::atomic<int> received = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 16; ++i) {
            threads.emplace_back([&] {
                const auto token = fixture.tokens.get(Patience::refuse, {});
                received += token && token->value == "token-1" ? 1 : 0;
            });
        }
    }
    CHECK(received == 16);
    CHECK(fixture.server.requests().size() == 1);
}

TEST_CASE("those who waited share a refusal", "[unit]") {
    Fixture fixture([](const auto&) {
        Reply reply = test::respond(401, R"({"error":"invalid_client","error_codes":[7000215]})");
        reply.delay = 100ms;
        return reply;
    });
    std::atomic<int> refused = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([&] {
                const auto token = fixture.tokens.get(Patience::refuse, {});
                refused += !token && token.error().service_code == "AADSTS7000215" ? 1 : 0;
            });
        }
    }
    CHECK(refused == 8);
    CHECK(fixture.server.requests().size() <= 2);
}

TEST_CASE("a waiter can be stopped, and the others go on", "[unit]") {
    Fixture fixture([](const auto&) {
        Reply reply = test::respond(200, token_json(1, 3599));
        reply.delay = 500ms;
        return reply;
    });
    std::stop_source stop;
    std::atomic<bool> first_ok = false;
    std::jthread first([&] { first_ok = fixture.tokens.get(Patience::refuse, {}).has_value(); });
    std::this_thread::sleep_for(50ms);
    std::jthread stopper([&] {
        std::this_thread::sleep_for(50ms);
        stop.request_stop();
    });
    const auto token = fixture.tokens.get(Patience::refuse, stop.get_token());
    REQUIRE_FALSE(token);
    CHECK(token.error().code == Errc::cancelled);
    first.join();
    CHECK(first_ok);
}

TEST_CASE("a refused token is replaced once, not by everybody who met the refusal", "[unit]") {
    std::atomic<int> count = 0;
    Fixture fixture([&](const auto&) { return test::respond(200, token_json(++count, 3599)); });
    const Token old = fixture.tokens.get(Patience::refuse, {}).value();
    fixture.tokens.invalidate(old.generation);
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-2");
    fixture.tokens.invalidate(old.generation);
    CHECK(fixture.tokens.get(Patience::refuse, {})->value == "token-2");
    CHECK(count == 2);
}

TEST_CASE("a throttled token endpoint is waited for by listings and not by readers", "[unit]") {
    std::atomic<int> count = 0;
    Fixture fixture([&](const auto&) {
        return ++count == 1 ? test::respond(429, "", "Retry-After: 1\r\n")
                            : test::respond(200, token_json(count, 3599));
    });
    const auto refused = fixture.tokens.get(Patience::refuse, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::rate_limited);
    CHECK(refused.error().retry_after >= 900ms);
    CHECK(fixture.tokens.get(Patience::refuse, {}).error().code == Errc::rate_limited);
    CHECK(count == 1);
    CHECK(fixture.tokens.get(Patience::wait, {})->value == "token-2");
    CHECK(fixture.host.metrics["throttled"] == 1);
}

TEST_CASE("a secret renewed in its place counts at once, and is never shown", "[unit]") {
    Fixture fixture([](const test::ReceivedRequest& request) {
        return request.body.ends_with("client_secret=new")
                   ? test::respond(200, token_json(1, 3599))
                   : test::respond(401, R"({"error":"invalid_client","error_codes":[7000222]})");
    });
    const auto refused = fixture.tokens.get(Patience::refuse, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("s3cret") == std::string::npos);
    fixture.host.secrets.set("/client_secret", "new");
    CHECK(fixture.tokens.get(Patience::refuse, {}));
}

TEST_CASE("a token that would break the header is not used", "[unit]") {
    Fixture fixture([](const auto&) {
        return test::respond(200, R"({"expires_in":3599,"access_token":"a\r\nX-Evil: 1"})");
    });
    CHECK(fixture.tokens.get(Patience::refuse, {}).error().code == Errc::unavailable);
}

}  // namespace
}  // namespace openarchiver::microsoft365
