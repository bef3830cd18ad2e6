#include "session.hpp"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/collecting_sinks.hpp"
#include "support/scripted_server.hpp"
#include "support/test_host.hpp"

namespace openarchiver::microsoft365 {
namespace {

using namespace std::chrono_literals;
using sdk::Errc;
using test::ReceivedRequest;
using test::Reply;
using test::ScriptedServer;

/// A token endpoint, and Graph as the test tells. The session's waits are short.
struct Fixture {
    explicit Fixture(ScriptedServer::Handler graph, Settings settings = {})
        : server([graph = std::move(graph), this](const ReceivedRequest& request) {
              if (request.target.ends_with("/token")) {
                  return test::respond(200, R"({"expires_in":3599,"access_token":"t)" +
                                                std::to_string(++tokens) + R"("})");
              }
              return graph(request);
          }) {
        settings.authority = split_url(server.url()).value().origin;
        settings.graph = settings.authority;
        settings.tenant_id = "tenant";
        settings.client_id = "client";
        session = std::make_unique<Session>(
            std::move(settings), host.services(),
            RetrySettings{.attempts = 5, .first_wait = 1ms, .longest_wait = 5ms});
    }

    /// What was asked of Graph.
    [[nodiscard]] std::vector<ReceivedRequest> requests() const {
        std::vector<ReceivedRequest> result = server.requests();
        std::erase_if(result, [](const auto& one) { return one.target.ends_with("/token"); });
        return result;
    }

    sdk::Status sync(test::Items& items, const std::optional<sdk::Cursor>& cursor = {}) {
        return session->sync_folder("u/1", "f+=", cursor, items, {});
    }

    std::atomic<int> tokens = 0;
    test::TestHost host;
    ScriptedServer server;
    std::unique_ptr<Session> session;
};

std::string error_json(const std::string& code, const std::string& text = "") {
    return R"({"error":{"code":")" + code + R"(","message":")" + text + R"("}})";
}

std::string page(const ReceivedRequest& request, const std::string& items,
                 const std::string& link_name, const std::string& link) {
    return R"({"@odata.)" + link_name + R"(":"http://)" + request.field("Host") + link +
           R"(","value":[)" + items + "]}";
}

TEST_CASE("every request of a mailbox asks for immutable ids, and ids are encoded", "[unit]") {
    Fixture fixture([](const ReceivedRequest& request) {
        if (request.target.ends_with("/$value")) {
            return test::respond(200, "From: a\r\n\r\n");
        }
        if (request.target.find("skip") != std::string::npos) {
            return test::respond(200, page(request, "", "deltaLink", "/v1.0/d?$deltatoken=1"));
        }
        return test::respond(200, page(request, "", "nextLink", "/v1.0/d?$skiptoken=1"));
    });
    test::Items items;
    REQUIRE(fixture.sync(items));
    REQUIRE(fixture.sync(items, items.cursors.back()));
    REQUIRE(fixture.session->open_content("u/1", "m/+=", {}));
    REQUIRE(fixture.session->probe("u/1", {}));
    const auto requests = fixture.requests();
    REQUIRE(requests.size() == 6);
    for (const ReceivedRequest& request : requests) {
        INFO(request.head);
        CHECK_THAT(request.field("Prefer"), Catch::Contains(R"(IdType="ImmutableId")"));
        CHECK(request.field("Authorization") == "Bearer t1");
        CHECK(request.field("Accept-Encoding") == "identity");
        CHECK(request.field("client-request-id").size() == 36);
    }
    CHECK_THAT(requests[0].field("Prefer"), Catch::Contains("odata.maxpagesize=500"));
    CHECK_THAT(requests[0].target,
               Catch::StartsWith("/v1.0/users/u%2F1/mailFolders/f%2B%3D/messages/delta?"));
    CHECK(requests[1].target == "/v1.0/d?$skiptoken=1");
    CHECK(requests[4].target == "/v1.0/users/u%2F1/messages/m%2F%2B%3D/$value");
    CHECK(fixture.tokens == 1);
}

TEST_CASE("items, removals and a checkpoint are reported page by page", "[unit]") {
    Fixture fixture([](const ReceivedRequest& request) {
        if (request.target.find("skip") == std::string::npos) {
            return test::respond(200, page(request,
                                           R"({"id":"a","internetMessageId":"<a>","isDraft":false,)"
                                           R"("receivedDateTime":"2026-09-28T21:03:10Z"},)"
                                           R"({"id":"b","isRead":true},{"noid":1})",
                                           "nextLink", "/v1.0/x?$skiptoken=1"));
        }
        return test::respond(200, page(request, R"({"id":"c","@removed":{"reason":"deleted"}})",
                                       "deltaLink", "/v1.0/x?$deltatoken=2"));
    });
    test::Items items;
    REQUIRE(fixture.sync(items));
    REQUIRE(items.all.size() == 2);
    CHECK(items.all[0].id == "a");
    CHECK(items.all[0].content_tag.size() == 16);
    CHECK(items.all[0].received_at == sdk::Timestamp(1790629390s));
    CHECK(items.all[1].content_tag.empty());
    CHECK(items.left == std::vector<std::string>{"c"});
    REQUIRE(items.cursors.size() == 2);
    CHECK(items.cursors[0].value == fixture.server.url() + "/v1.0/x?$skiptoken=1");
    CHECK(items.cursors[1].value == fixture.server.url() + "/v1.0/x?$deltatoken=2");
}

TEST_CASE("the token does not follow a link to another origin", "[unit]") {
    ScriptedServer thief([](const auto&) { return test::respond(200, R"({"value":[]})"); });
    Fixture fixture([&](const auto&) {
        return test::respond(
            200, R"({"value":[],"@odata.nextLink":")" + thief.url() + R"(/v1.0/users?x"})");
    });
    test::Items items;
    CHECK(fixture.sync(items).error().code == Errc::internal);
    CHECK(items.cursors.empty());
    CHECK(fixture.sync(items, sdk::Cursor{1, thief.url() + "/v1.0/x"}).error().code ==
          Errc::cursor_expired);
    test::Accounts accounts;
    CHECK(fixture.session->discover({}, accounts, {}).error().code == Errc::internal);
    CHECK(thief.connections() == 0);
}

TEST_CASE("pages that go in circles end", "[unit]") {
    Fixture fixture([](const ReceivedRequest& request) {
        return test::respond(200, page(request, "", "nextLink", "/v1.0/x?$skiptoken=1"));
    });
    test::Items items;
    CHECK(fixture.sync(items).error().code == Errc::internal);
    CHECK(fixture.requests().size() == 2);
    // Or the folder would stay in the circle for ever.
    const sdk::Cursor inside{1, fixture.server.url() + "/v1.0/x?$skiptoken=1"};
    CHECK(fixture.sync(items, inside).error().code == Errc::cursor_expired);
}

TEST_CASE("a page that fails is asked for in smaller ones, and large ones follow", "[unit]") {
    // The messages 0 to 99; the page that begins with 30 fails unless it holds one.
    std::vector<int> sizes;
    std::mutex mutex;
    Fixture fixture([&](const ReceivedRequest& request) {
        const std::string prefer = request.field("Prefer");
        const int asked = std::stoi(prefer.substr(prefer.find("maxpagesize=") + 12));
        const std::size_t token = request.target.find("token=");
        const int at = token == std::string::npos ? 0 : std::stoi(request.target.substr(token + 6));
        {
            const std::lock_guard lock(mutex);
            sizes.push_back(asked);
        }
        const int size = std::min(asked, 30);
        if (at <= 30 && at + size > 30 && size > 1) {
            return test::respond(500, error_json("InternalServerError"));
        }
        std::string entries;
        for (int i = at; i < std::min(at + size, 100); ++i) {
            entries += (entries.empty() ? "" : ",") + std::string(R"({"id":"m)") +
                       std::to_string(i) + R"("})";
        }
        const bool last = at + size >= 100;
        return test::respond(200, page(request, entries, last ? "deltaLink" : "nextLink",
                                       "/v1.0/x?$skiptoken=" + std::to_string(at + size)));
    });
    test::Items items;
    REQUIRE(fixture.sync(items));
    CHECK(items.all.size() == 100);
    // Waited out once, at the size that is asked for first.
    CHECK(std::ranges::count(sizes, 500) == 1 + 5 + 1);
    CHECK(std::ranges::count(sizes, 25) == 1);
    CHECK(std::ranges::count(sizes, 1) == 51);
}

TEST_CASE("a stored token that is no longer known is an expired cursor", "[unit]") {
    std::string code = "SyncStateNotFound";
    int status = 410;
    Fixture fixture([&](const auto&) { return test::respond(status, error_json(code)); });
    test::Items items;
    const sdk::Cursor cursor{1, fixture.server.url() + "/v1.0/x?$deltatoken=1"};
    CHECK(fixture.sync(items, cursor).error().code == Errc::cursor_expired);
    // Without a cursor there is nothing to expire: no endless starting over.
    CHECK(fixture.sync(items).error().code != Errc::cursor_expired);
    status = 400;
    code = "BadRequest";
    CHECK(fixture.sync(items, cursor).error().code == Errc::cursor_expired);
    CHECK(fixture.sync(items).error().code == Errc::internal);
    status = 404;
    code = "ErrorItemNotFound";
    CHECK(fixture.sync(items, cursor).error().code == Errc::not_found);
    CHECK(fixture.sync(items, sdk::Cursor{9, "x"}).error().code == Errc::cursor_expired);
}

TEST_CASE("a listing outlasts failures for a while", "[unit]") {
    std::atomic<int> count = 0;
    int failures = 4;
    Fixture fixture([&](const ReceivedRequest& request) {
        switch (++count <= failures ? count % 4 : 9) {
            case 0:
                return test::respond(503, "<html>busy</html>");
            case 1:
                return test::respond(502, error_json("UnknownError"));
            case 2:
                return Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
                             .close = true};
            case 3:
                return Reply{.bytes = {}, .close = true};
            default:
                return test::respond(200, page(request, "", "deltaLink", "/v1.0/x?1"));
        }
    });
    test::Items items;
    CHECK(fixture.sync(items));
    CHECK(items.cursors.size() == 1);
    count = 0;
    failures = 5;
    CHECK(fixture.sync(items).error().code == Errc::unavailable);
    CHECK(count == 5);
}

TEST_CASE("a listing waits as long as the service asks, and a reader does not wait", "[unit]") {
    std::atomic<bool> throttle = true;
    Fixture fixture([&](const ReceivedRequest& request) {
        if (throttle.exchange(false)) {
            return test::respond(429, "", "Retry-After: 1\r\n");
        }
        return request.target.ends_with("/$value")
                   ? test::respond(200, "content")
                   : test::respond(200, page(request, "", "deltaLink", "/v1.0/x?1"));
    });
    const auto begin = std::chrono::steady_clock::now();
    const auto refused = fixture.session->open_content("u/1", "m", {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::rate_limited);
    CHECK(refused.error().retry_after >= 500ms);
    // The pause holds for the mailbox: the next reader is not even sent.
    CHECK(fixture.session->open_content("u/1", "m", {}).error().code == Errc::rate_limited);
    CHECK(fixture.session->open_content("other", "m", {}).has_value());
    CHECK(std::chrono::steady_clock::now() - begin < 900ms);
    CHECK(fixture.requests().size() == 2);
    test::Items items;
    REQUIRE(fixture.sync(items));
    CHECK(std::chrono::steady_clock::now() - begin >= 1s);
    CHECK(fixture.host.metrics["throttled"] == 1);
}

TEST_CASE("a refused token is renewed once, in listings and in readers", "[unit]") {
    std::string accepted = "Bearer t2";
    Fixture fixture([&](const ReceivedRequest& request) {
        if (request.field("Authorization") != accepted) {
            return test::respond(401, error_json("InvalidAuthenticationToken"));
        }
        return test::respond(200, "{}");
    });
    REQUIRE(fixture.session->open_content("u", "m", {}));
    accepted = "Bearer t3";
    REQUIRE(fixture.session->probe("u", {}));
    accepted = "none";
    CHECK(fixture.session->probe("u", {}).error().code == Errc::unauthenticated);
}

TEST_CASE("a content is delivered byte for byte, or not at all", "[unit]") {
    const std::string content = std::string("From: a\r\n\r\n") + '\0' + "\xff binary";
    std::string framed = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    framed += "5\r\n" + content.substr(0, 5) + "\r\nf\r\n" + content.substr(5) + "\r\n";
    std::atomic<bool> whole = true;
    Fixture fixture([&](const auto&) {
        return Reply{.bytes = whole ? framed + "0\r\n\r\n" : framed, .close = !whole};
    });
    auto reader = fixture.session->open_content("u", "m", {});
    REQUIRE(reader);
    CHECK(test::read_all(**reader).value() == content);
    CHECK(fixture.host.metrics["bytes_downloaded"] == content.size());
    whole = false;
    reader = fixture.session->open_content("u", "m", {});
    REQUIRE(reader);
    CHECK(test::read_all(**reader).error().code == Errc::unavailable);
}

TEST_CASE("a content of no bytes is a failure, not an empty message", "[unit]") {
    Fixture fixture([](const auto&) { return test::respond(200, ""); });
    auto reader = fixture.session->open_content("u", "m", {});
    REQUIRE(reader);
    CHECK(test::read_all(**reader).error().code == Errc::unavailable);
}

TEST_CASE("a content that fails is not tried again here", "[unit]") {
    std::string code = "ErrorInternalServerError";
    int status = 500;
    Fixture fixture([&](const auto&) { return test::respond(status, error_json(code)); });
    CHECK(fixture.session->open_content("u", "m", {}).error().code == Errc::unavailable);
    CHECK(fixture.requests().size() == 1);
    code = "ErrorMimeContentConversionFailed";
    CHECK(fixture.session->open_content("u", "m", {}).error().code == Errc::corrupt);
    status = 404;
    code = "ErrorItemNotFound";
    CHECK(fixture.session->open_content("u", "m", {}).error().code == Errc::not_found);
    CHECK(fixture.requests().size() == 3);
}

TEST_CASE("open readers hold their place, and give it back when read or dropped", "[unit]") {
    Settings settings;
    settings.requests_per_account = 2;
    Fixture fixture([](const auto&) { return test::respond(200, std::string(300'000, 'x')); },
                    settings);
    CHECK(fixture.session->limits().readers_per_account == 4);
    auto first = fixture.session->open_content("u", "1", {});
    auto second = fixture.session->open_content("u", "2", {});
    REQUIRE(first);
    REQUIRE(second);
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(100ms);
        stop.request_stop();
    });
    CHECK(fixture.session->open_content("u", "3", stop.get_token()).error().code ==
          Errc::cancelled);
    CHECK(test::read_all(**first)->size() == 300'000);
    CHECK(fixture.session->open_content("u", "4", {}));
    second->reset();
    CHECK(fixture.session->open_content("u", "5", {}));
}

TEST_CASE("a reader ends soon after the stop of the call that opened it", "[unit]") {
    Fixture fixture([](const auto&) {
        return Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", .hang = true};
    });
    std::stop_source stop;
    auto reader = fixture.session->open_content("u", "m", stop.get_token());
    REQUIRE(reader);
    std::jthread stopper([&] {
        std::this_thread::sleep_for(100ms);
        stop.request_stop();
    });
    const auto begin = std::chrono::steady_clock::now();
    CHECK(test::read_all(**reader).error().code == Errc::cancelled);
    CHECK(std::chrono::steady_clock::now() - begin < 1s);
}

TEST_CASE("no permit is held while the sink takes a page", "[unit]") {
    Settings settings;
    settings.requests_per_account = 1;
    Fixture fixture(
        [](const ReceivedRequest& request) {
            return request.target.ends_with("/$value")
                       ? test::respond(200, "content")
                       : test::respond(200, page(request, R"({"id":"a"},{"id":"b"})", "deltaLink",
                                                 "/v1.0/x?1"));
        },
        settings);
    test::Items items;
    int read = 0;
    items.on_item = [&](const sdk::Item& item) {
        auto reader = fixture.session->open_content("u/1", item.id, {});
        read += reader && test::read_all(**reader) ? 1 : 0;
    };
    REQUIRE(fixture.sync(items));
    CHECK(read == 2);
}

TEST_CASE("users are discovered over all pages, once each", "[unit]") {
    Fixture fixture([](const ReceivedRequest& request) {
        if (request.target.find("/delta") != std::string::npos) {
            return test::respond(400, error_json("BadRequest"));
        }
        if (request.target.find("skip") == std::string::npos) {
            return test::respond(
                200, page(request, R"({"id":"1","mail":"a@c"},{"id":"2","userType":"Guest"})",
                          "nextLink", "/v1.0/users?$skiptoken=1"));
        }
        return test::respond(200, R"({"value":[{"id":"1","mail":"a@c"},{"id":"3","mail":"b@c"}]})");
    });
    test::Accounts accounts;
    const auto listing = fixture.session->discover({}, accounts, {});
    REQUIRE(listing);
    CHECK(listing->complete);
    REQUIRE(accounts.all.size() == 3);
    CHECK(accounts.all[1].state == sdk::AccountState::without_mailbox);
    CHECK(fixture.requests().front().field("x-ms-throttle-priority") == "Low");
    CHECK_THAT(fixture.requests().at(1).target, Catch::Contains("$top=999"));
    CHECK_FALSE(listing->cursor);
}

TEST_CASE("a mailbox that can't be read is a state of the account", "[unit]") {
    const std::pair<int, std::string> answers[] = {
        {404, error_json("MailboxNotEnabledForRESTAPI")},
        {404, error_json("Request_ResourceNotFound")},
        {403, error_json("ErrorAccessDenied", "Access to OData is disabled.")},
        {503, error_json("ErrorAccessDenied", "Access to OData is disabled.")}};
    std::atomic<std::size_t> now = 0;  // requests of a listing that failed may still be answered
    Fixture fixture([&](const auto&) {
        const auto& [status, body] = answers[now];
        return test::respond(status, body);
    });
    test::Folders folders;
    const auto state = [&] {
        const auto listing = fixture.session->list_folders("u", {}, folders, {});
        REQUIRE(listing);
        CHECK_FALSE(listing->complete);
        CHECK_FALSE(listing->reason.empty());
        return listing->account_state;
    };
    CHECK(state() == sdk::AccountState::without_mailbox);
    CHECK(fixture.requests().size() <= 8);  // the first ones go out together
    now = 1;
    CHECK(state() == sdk::AccountState::deleted_upstream);
    now = 2;
    CHECK(state() == sdk::AccountState::closed_by_policy);
    now = 3;
    CHECK(fixture.session->list_folders("u", {}, folders, {}).error().code == Errc::unavailable);
}

TEST_CASE("a well-known folder is never guessed when its lookup fails at first", "[unit]") {
    std::atomic<int> lookups = 0;
    Fixture fixture([&](const ReceivedRequest& request) {
        if (request.target.find("/mailFolders/drafts") != std::string::npos) {
            return ++lookups == 1 ? test::respond(503, error_json("UnknownError"))
                                  : test::respond(200, R"({"id":"entwuerfe"})");
        }
        for (const std::string_view name : kWellKnownNames) {
            if (request.target.find("/mailFolders/" + std::string(name)) != std::string::npos) {
                return test::respond(404, error_json("ErrorItemNotFound"));
            }
        }
        if (request.target.find("delta") != std::string::npos) {
            return test::respond(200, page(request, "", "deltaLink", "/v1.0/x?$deltatoken=1"));
        }
        return test::respond(200,
                             R"({"value":[{"id":"entwuerfe","displayName":"Entwuerfe",)"
                             R"("parentFolderId":"root"},{"id":"i","parentFolderId":"root"}]})");
    });
    test::Folders folders;
    const auto listing = fixture.session->list_folders("u", {}, folders, {});
    REQUIRE(listing);
    CHECK(lookups == 2);
    REQUIRE(folders.all.size() == 2);
    CHECK_FALSE(folders.all.at("entwuerfe").archived);
    CHECK(folders.all.at("i").archived);
    CHECK(folders.all.at("i").parent_id.empty());
    REQUIRE(listing->cursor);
    // Nothing changed: one request.
    const std::size_t before = fixture.requests().size();
    REQUIRE(fixture.session->list_folders("u", listing->cursor, folders, {}));
    CHECK(fixture.requests().size() == before + 1);
}

TEST_CASE("a mailbox that is being set up is unavailable, not gone", "[unit]") {
    Fixture fixture(
        [](const auto&) { return test::respond(404, error_json("ErrorItemNotFound")); });
    test::Folders folders;
    CHECK(fixture.session->list_folders("u", {}, folders, {}).error().code == Errc::unavailable);
    CHECK(fixture.session->probe("u", {}).error().code == Errc::unavailable);
}

TEST_CASE("the session goes away with connections open", "[unit]") {
    auto fixture = std::make_unique<Fixture>([](const auto&) { return test::respond(200, "{}"); });
    REQUIRE(fixture->session->probe("u", {}));
    const auto begin = std::chrono::steady_clock::now();
    fixture->session.reset();
    CHECK(std::chrono::steady_clock::now() - begin < 500ms);
}

TEST_CASE("logs and messages name nobody", "[unit]") {
    Fixture fixture([](const auto&) {
        return test::respond(
            404,
            error_json("ErrorInvalidUser", "The requested user 'eve@contoso.example' is invalid."));
    });
    test::Items items;
    const auto status = fixture.sync(items);
    CHECK(status.error().message.find("eve") == std::string::npos);
    test::Folders folders;
    const auto listing = fixture.session->list_folders("u", {}, folders, {});
    REQUIRE(listing);
    CHECK(listing->reason.find("eve") == std::string::npos);
    CHECK(fixture.host.logger.text().find("eve") == std::string::npos);
}

}  // namespace
}  // namespace openarchiver::microsoft365
