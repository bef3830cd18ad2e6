// What stores do wrong, and a healthy one can't be made to do (the healthy one:
// tests/conformance/s3_test.cpp).
#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <mutex>
#include <openarchiver/testkit/byte_streams.hpp>
#include <openarchiver/testkit/conformance.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <thread>

#include "digest.hpp"
#include "http/response_head.hpp"
#include "store.hpp"
#include "support/scripted_server.hpp"

namespace openarchiver::s3 {
namespace {

using namespace std::chrono_literals;
using http::test::ReceivedRequest;
using http::test::Reply;
using http::test::respond;
using http::test::ScriptedServer;
using sdk::Errc;
using testkit::failed_with;

std::string error_text(const std::string& code, const std::string& more = "") {
    return "<Error><Code>" + code + "</Code><Message>" + code + " it is</Message>" + more +
           "</Error>";
}

Reply listing(const std::vector<std::string>& keys, const std::string& continuation = "") {
    std::string text = "<ListBucketResult><IsTruncated>" +
                       std::string(continuation.empty() ? "false" : "true") + "</IsTruncated>";
    for (const std::string& key : keys) {
        text += "<Contents><Key>" + key +
                "</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified>"
                "</Contents>";
    }
    if (!continuation.empty()) {
        text += "<NextContinuationToken>" + continuation + "</NextContinuationToken>";
    }
    return respond(200, text + "</ListBucketResult>");
}

std::string etag_of(std::string_view body) {
    Digest md5(Digest::Kind::md5);
    md5.update(std::as_bytes(std::span(body)));
    return "ETag: \"" + to_hex(md5.finish()) + "\"\r\n";
}

/// A store that opens well, and then answers as the test tells.
struct Fixture {
    explicit Fixture(ScriptedServer::Handler handler, std::string more = "")
        : server([this, handler = std::move(handler)](const ReceivedRequest& request) {
              if (request.target.find("OpenArchiver-if-none-match") != std::string::npos) {
                  return respond(412, error_text("PreconditionFailed"));
              }
              return opened ? handler(request) : listing({});
          }),
          config(R"({"bucket": "archive", "endpoint": ")" + server.url() + "\"" + more + "}") {
        store = open();
        REQUIRE(store);
        opened = true;
    }

    sdk::Result<std::unique_ptr<sdk::ObjectStore>> open() {
        auto settings = parse_settings(config, host.profile_folder());
        REQUIRE(settings);
        return Store::open(std::move(*settings), host.services(), {});
    }

    sdk::Status put(sdk::PutMode mode = sdk::PutMode::replace, std::stop_token stop = {}) {
        testkit::MemorySource source("bytes");
        return (*store)->put("key", source, mode, std::move(stop));
    }

    sdk::Status get(const sdk::Range& range = {}) {
        sink = std::make_unique<testkit::CollectingSink>();
        return (*store)->get("key", range, *sink, {});
    }

    testkit::HostFixture host{{{"/access_key_id", "KEY1"}, {"/secret_access_key", "secret"}}};
    std::atomic<bool> opened = false;
    ScriptedServer server;
    std::string config;
    sdk::Result<std::unique_ptr<sdk::ObjectStore>> store = sdk::Error{};
    std::unique_ptr<testkit::CollectingSink> sink;
};

struct Keys final : sdk::ObjectListSink {
    bool object(const sdk::ObjectInfo& info) override {
        keys.push_back(info.key);
        return true;
    }

    std::vector<std::string> keys;
};

TEST_CASE("A body that was cut short is no object", "[s3]") {
    SECTION("of known length") {
        Fixture fixture([](const ReceivedRequest&) {
            return Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive!",
                         .close = true};
        });
        const auto read = fixture.get();
        REQUIRE(failed_with(read, Errc::unavailable));
        CHECK(read.error().message.find("read the object key") != std::string::npos);
        CHECK(read.error().message.find("5 bytes of 10") != std::string::npos);
    }
    SECTION("of unknown length") {
        Fixture fixture([](const ReceivedRequest&) {
            return Reply{.bytes = "HTTP/1.1 200 OK\r\n\r\nwhole?", .close = true};
        });
        CHECK(failed_with(fixture.get(), Errc::unavailable));
    }
    SECTION("another part than was asked for") {
        Fixture fixture([](const ReceivedRequest&) {
            return respond(206, "12345", "Content-Range: bytes 0-4/10\r\n");
        });
        CHECK(failed_with(fixture.get({.offset = 2, .length = 5}), Errc::unavailable));
        CHECK(fixture.sink->bytes().empty());
    }
    SECTION("the whole where a part was asked for") {
        Fixture fixture([](const ReceivedRequest&) { return respond(200, "1234567890"); });
        CHECK(failed_with(fixture.get({.offset = 2, .length = 5}), Errc::unavailable));
        CHECK(fixture.sink->bytes().empty());
    }
}

TEST_CASE("A tag that is not the MD5 of what was sent is looked into", "[s3]") {
    std::string kept = "bytes";
    std::atomic<int> reads = 0;
    Fixture fixture([&](const ReceivedRequest& request) {
        if (request.method == "GET") {
            ++reads;
            return respond(200, kept);
        }
        return respond(200, "", "ETag: \"0123456789abcdef0123456789abcdef\"\r\n");
    });
    SECTION("the bytes are right: this store's tags are something else, once and for all") {
        CHECK(fixture.put());
        CHECK(fixture.put());
        CHECK(reads == 1);
    }
    SECTION("the bytes are wrong") {
        kept = "bytez";
        const auto stored = fixture.put();
        REQUIRE(failed_with(stored, Errc::corrupt));
        CHECK(stored.error().message.find("other bytes") != std::string::npos);
        CHECK(failed_with(fixture.put(), Errc::corrupt));
    }
}

TEST_CASE("The MD5 of what was sent is right, without another look", "[s3]") {
    Fixture fixture(
        [&](const ReceivedRequest& request) { return respond(200, "", etag_of(request.body)); });
    CHECK(fixture.put());
    CHECK(fixture.server.requests().back().method == "PUT");
    CHECK(fixture.server.requests().back().field("x-amz-content-sha256") == sha256_hex("bytes"));
    CHECK(fixture.server.requests().back().field("content-md5") == "SzpiGLs+OnMD6KFxpg/Pkg==");
}

TEST_CASE("A clock that is wrong is corrected by the store's", "[s3]") {
    std::atomic<bool> believes = true;
    Fixture fixture([&](const ReceivedRequest& request) {
        // Tells 2026-01-01T05:00:00Z; the host has midnight.
        return believes && request.field("x-amz-date").starts_with("20260101T05")
                   ? respond(200, "", etag_of(request.body))
                   : respond(403, error_text("RequestTimeTooSkewed"),
                             "Date: Thu, 01 Jan 2026 05:00:00 GMT\r\n");
    });
    SECTION("once") {
        CHECK(fixture.put());
        CHECK(fixture.put());
        CHECK(fixture.server.requests().size() == 3 + 3);  // three when it is opened
        CHECK(fixture.host.logger.contains("clock"));
    }
    SECTION("and where that does not help, a person has to") {
        believes = false;
        const auto stored = fixture.put();
        REQUIRE(failed_with(stored, Errc::unauthenticated));
        CHECK(stored.error().message.find("clock") != std::string::npos);
        CHECK(fixture.server.requests().size() == 3 + 2);
    }
}

TEST_CASE("Each refusal has its code, cause and remedy", "[s3]") {
    struct Case {
        int status;
        std::string body;
        std::string fields;
        Errc code;
        std::string words;
    };

    const Case cases[] = {
        {409, error_text("ConditionalRequestConflict"), "", Errc::unavailable, "again later"},
        {412, error_text("PreconditionFailed"), "", Errc::already_exists, ""},
        {500, error_text("InternalError"), "", Errc::unavailable, "InternalError"},
        {503, error_text("SlowDown"), "Retry-After: 7\r\n", Errc::rate_limited, "SlowDown"},
        {503, "<html>gateway</html>", "", Errc::unavailable, "HTTP status 503"},
        {429, "", "", Errc::rate_limited, "HTTP status 429"},
        {403, error_text("AccessDenied"), "", Errc::permission_denied, "allow this user"},
        {403, error_text("ExpiredToken"), "", Errc::unauthenticated, "renew the credentials"},
        {400, error_text("ExpiredToken"), "", Errc::unauthenticated, "renew the credentials"},
        {403, error_text("SignatureDoesNotMatch"), "", Errc::unauthenticated,
         "check access_key_id"},
        {404, error_text("NoSuchBucket"), "", Errc::invalid_config, "make the bucket"},
        {400, error_text("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"), "",
         Errc::invalid_config, "set region to \"eu-west-1\""},
        {301, error_text("PermanentRedirect"), "x-amz-bucket-region: eu-west-2\r\n",
         Errc::invalid_config, "set region to \"eu-west-2\""},
        {307, "", "", Errc::invalid_config, "endpoint"},
        {403, error_text("QuotaExceeded"), "", Errc::resource_exhausted, "more space"},
        {507, "", "", Errc::resource_exhausted, ""},
        {400, error_text("XAmzContentSHA256Mismatch"), "", Errc::unavailable, "on their way"},
        {501, error_text("NotImplemented"), "", Errc::unsupported, ""},
        {418, "", "", Errc::internal, "HTTP status 418"},
    };
    for (const Case& one : cases) {
        Fixture fixture([&](const ReceivedRequest&) {
            return respond(one.status, one.body, "x-amz-request-id: id-1\r\n" + one.fields);
        });
        const auto stored = fixture.put(sdk::PutMode::if_absent);
        INFO(one.status << " " << one.body << ": " << testkit::outcome_of(stored));
        REQUIRE(failed_with(stored, one.code));
        CHECK(stored.error().message.find(one.words) != std::string::npos);
        CHECK(stored.error().message.find("the object key") != std::string::npos);
        CHECK(stored.error().message.find("secret\"") == std::string::npos);
        CHECK(stored.error().request_id == "id-1");
        CHECK(stored.error().retry_after.has_value() == (one.fields == "Retry-After: 7\r\n"));
    }
}

TEST_CASE("A store that ignores If-None-Match is found out", "[s3]") {
    testkit::HostFixture host{{{"/access_key_id", "KEY1"}, {"/secret_access_key", "secret"}}};
    const ScriptedServer server([](const ReceivedRequest& request) {
        return request.method == "PUT" ? respond(200, "", etag_of(request.body)) : listing({});
    });
    auto settings = parse_settings(R"({"bucket": "archive", "endpoint": ")" + server.url() + "\"}",
                                   host.profile_folder());
    REQUIRE(settings);
    const auto store = Store::open(std::move(*settings), host.services(), {});
    REQUIRE(store);
    CHECK_FALSE((*store)->capabilities().put_if_absent);
    testkit::MemorySource source("bytes");
    const auto refused = (*store)->put("key", source, sdk::PutMode::if_absent, {});
    REQUIRE(failed_with(refused, Errc::unsupported));
    CHECK(refused.error().message.find("If-None-Match") != std::string::npos);
    CHECK((*store)->put("key", source, sdk::PutMode::replace, {}));
}

TEST_CASE("Credentials that may only read open the store", "[s3]") {
    testkit::HostFixture host{{{"/access_key_id", "KEY1"}, {"/secret_access_key", "secret"}}};
    const ScriptedServer server([](const ReceivedRequest& request) {
        return request.method == "PUT" ? respond(403, error_text("AccessDenied")) : listing({});
    });
    auto settings = parse_settings(R"({"bucket": "archive", "endpoint": ")" + server.url() + "\"}",
                                   host.profile_folder());
    REQUIRE(settings);
    const auto store = Store::open(std::move(*settings), host.services(), {});
    REQUIRE(store);
    testkit::MemorySource source("bytes");
    CHECK(failed_with((*store)->put("key", source, sdk::PutMode::if_absent, {}),
                      Errc::permission_denied));
}

TEST_CASE("A listing is followed to its last page, and believed only in order", "[s3]") {
    SECTION("pages, and one without keys") {
        Fixture fixture([](const ReceivedRequest& request) {
            if (request.target.find("continuation-token=t1") != std::string::npos) {
                return listing({}, "t2");
            }
            if (request.target.find("continuation-token=t2") != std::string::npos) {
                return listing({"c"});
            }
            return listing({"a", "b", "Not a KEY"}, "t1");
        });
        // "N" sorts before "a".
        Keys keys;
        CHECK(failed_with((*fixture.store)->list("", "", keys, {}), Errc::unsupported));
    }
    SECTION("pages") {
        Fixture fixture([](const ReceivedRequest& request) {
            if (request.target.find("continuation-token=t1") != std::string::npos) {
                return listing({}, "t2");
            }
            if (request.target.find("continuation-token=t2") != std::string::npos) {
                return listing({"c"});
            }
            return listing({"Not a KEY", "a", "b"}, "t1");
        });
        Keys keys;
        REQUIRE((*fixture.store)->list("", "", keys, {}));
        CHECK(keys.keys == std::vector<std::string>{"a", "b", "c"});
    }
    SECTION("a page that was cut short") {
        Fixture fixture([](const ReceivedRequest&) {
            return respond(200, "<ListBucketResult><IsTruncated>false</IsTruncated>");
        });
        Keys keys;
        CHECK(failed_with((*fixture.store)->list("", "", keys, {}), Errc::unavailable));
    }
    SECTION("the page of another bucket's keys") {
        Fixture fixture([](const ReceivedRequest&) { return listing({"elsewhere/a"}); },
                        R"(, "prefix": "mail")");
        Keys keys;
        CHECK(failed_with((*fixture.store)->list("", "", keys, {}), Errc::unsupported));
    }
}

TEST_CASE("Credentials renewed in their file count at once", "[s3]") {
    testkit::HostFixture files;
    const auto file = files.profile_folder() / "credentials";
    const auto write = [&](const std::string& key, const std::string& token) {
        std::ofstream(file) << "[archive]\naws_access_key_id = " << key
                            << "\naws_secret_access_key = s\naws_session_token = " << token << "\n";
    };
    write("KEY1", "token1");
    Fixture fixture(
        [&](const ReceivedRequest& request) {
            return request.field("Authorization").find("KEY2/") != std::string::npos
                       ? respond(200, "", etag_of(request.body))
                       : respond(400, error_text("ExpiredToken"));
        },
        R"(, "profile": "archive", "credentials_file": ")" + file.string() + "\"");
    const auto expired = fixture.put();
    REQUIRE(failed_with(expired, Errc::unauthenticated));
    CHECK(expired.error().message.find(file.string()) != std::string::npos);
    write("KEY2", "token2");
    CHECK(fixture.put());
    CHECK(fixture.server.requests().back().field("x-amz-security-token") == "token2");
    CHECK(fixture.server.requests().back().field("Authorization").find("x-amz-security-token") !=
          std::string::npos);
    // Caught while it is written anew: the last ones hold.
    std::ofstream(file) << "[archi";
    CHECK(fixture.put());
}

TEST_CASE("Without credentials the store does not open, and says what is missing", "[s3]") {
    testkit::HostFixture host;
    auto settings = parse_settings(R"({"bucket": "archive", "credentials_file": "none"})",
                                   host.profile_folder());
    REQUIRE(settings);
    const auto refused = Store::open(std::move(*settings), host.services(), {});
    REQUIRE(failed_with(refused, Errc::invalid_config));
    CHECK(refused.error().message.find((host.profile_folder() / "none").string()) !=
          std::string::npos);
}

TEST_CASE("A silent store is left at the timeout, and at once when stopped", "[s3]") {
    Fixture fixture([](const ReceivedRequest&) { return Reply{.bytes = "", .hang = true}; },
                    R"(, "timeout_seconds": 1)");
    CHECK(failed_with(fixture.put(), Errc::timed_out));
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(100ms);
        stop.request_stop();
    });
    CHECK(failed_with(fixture.put(sdk::PutMode::replace, stop.get_token()), Errc::cancelled));
}

TEST_CASE("Requests follow each other on one connection", "[s3]") {
    Fixture fixture(
        [&](const ReceivedRequest& request) { return respond(200, "", etag_of(request.body)); });
    for (int i = 0; i < 5; ++i) {
        REQUIRE(fixture.put());
    }
    CHECK(fixture.server.connections() == 1);
}

}  // namespace
}  // namespace openarchiver::s3
