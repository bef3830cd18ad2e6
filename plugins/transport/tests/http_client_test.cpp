#include "http/http_client.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <thread>

#include "http/failure.hpp"
#include "http/resolver.hpp"
#include "support/scripted_server.hpp"
#include "support/test_certificates.hpp"

namespace openarchiver::http {
namespace {

using sdk::Errc;
using test::Reply;
using test::ScriptedServer;

Origin origin_of(const std::string& url) {
    return split_url(url).value().origin;
}

sdk::Result<std::string> get(HttpClient& client, const std::string& url,
                             std::stop_token stop = {}) {
    HttpRequest request;
    request.target = "/thing";
    OPENARCHIVER_TRY(const auto response, client.send(origin_of(url), request, stop));
    return response->read_all(1024 * 1024);
}

HttpRequest root_request() {
    HttpRequest request;
    request.target = "/";
    return request;
}

/// The error's code, or nothing when the call succeeded.
std::optional<Errc> code_of(const sdk::Result<std::string>& result) {
    return result ? std::nullopt : std::optional(result.error().code);
}

TEST_CASE("a resolver that goes away waits for its lookups", "[unit]") {
    std::stop_source stopped;
    stopped.request_stop();
    for (int round = 0; round < 20; ++round) {
        Resolver resolver;
        for (const char* host : {"a.invalid", "b.invalid", "c.invalid", "d.invalid"}) {
            const auto addresses = resolver.resolve(host, stopped.get_token());
            CHECK_FALSE(addresses);
        }
    }
}

TEST_CASE("a body counts only when its end was seen, wherever the connection is cut", "[unit]") {
    const std::string content = "From: a\r\n\r\nhello";
    const std::vector<std::string> responses = {
        "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n" + content,
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\n" + content + "\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: CHUNKED\r\n\r\n7;a=b\r\nFrom: "
        "a\r\n9\r\n\r\n\r\nhello"
        "\r\n0;z\r\nX-Trailer: t\r\nY: u\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n"
        "From: a\r\r\n8\r\n\n\r\nhello\r\n0\r\n\r\n",
    };
    for (const std::string& response : responses) {
        std::atomic<std::size_t> cut = 0;
        ScriptedServer server(
            [&](const auto&) { return Reply{.bytes = response.substr(0, cut), .close = true}; });
        HttpClient client;
        for (cut = 0; cut <= response.size(); ++cut) {
            const auto body = get(client, server.url());
            INFO("cut after " << cut << " of " << response.size());
            if (cut == response.size()) {
                REQUIRE(body);
                CHECK(*body == content);
            } else {
                REQUIRE_FALSE(body);
                CHECK(body.error().code == Errc::unavailable);
            }
        }
    }
}

TEST_CASE("a body delimited by the end of the connection is taken for cut", "[unit]") {
    ScriptedServer server([](const auto&) {
        return Reply{.bytes = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nwho knows",
                     .close = true};
    });
    HttpClient client;
    CHECK(code_of(get(client, server.url())) == Errc::unavailable);
}

TEST_CASE("connections are kept and used again", "[unit]") {
    ScriptedServer server([](const auto&) { return test::respond(200, "x"); });
    HttpClient client;
    for (int i = 0; i < 10; ++i) {
        CHECK(get(client, server.url()).value() == "x");
    }
    CHECK(server.connections() == 1);
}

TEST_CASE("a kept connection that was closed meanwhile is replaced", "[unit]") {
    // The server closes as the second request arrives: it can't be noticed before.
    ScriptedServer server([](const test::ReceivedRequest& request) {
        return request.on_connection == 0 ? test::respond(200, "x")
                                          : Reply{.bytes = {}, .close = true};
    });
    HttpClient client;
    CHECK(get(client, server.url()).value() == "x");
    CHECK(get(client, server.url()).value() == "x");
    CHECK(server.connections() == 2);
}

TEST_CASE("a new connection that is closed without an answer is an error at once", "[unit]") {
    ScriptedServer server([](const auto&) { return Reply{.bytes = {}, .close = true}; });
    HttpClient client;
    CHECK(code_of(get(client, server.url())) == Errc::unavailable);
    CHECK(server.requests().size() == 1);
}

TEST_CASE("a request is not repeated once a byte of its answer arrived", "[unit]") {
    ScriptedServer server([](const test::ReceivedRequest& request) {
        return request.on_connection == 0 ? test::respond(200, "x")
                                          : Reply{.bytes = "HTTP/1.1 2", .close = true};
    });
    HttpClient client;
    CHECK(get(client, server.url()).value() == "x");
    CHECK(code_of(get(client, server.url())) == Errc::unavailable);
    CHECK(server.requests().size() == 2);
}

TEST_CASE("a connection with bytes left over is not used again", "[unit]") {
    ScriptedServer server([](const auto&) {
        return Reply{.bytes =
                         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n"
                         "Content-Length: 4\r\n\r\nevil"};
    });
    HttpClient client;
    CHECK(get(client, server.url()).value() == "x");
    CHECK(get(client, server.url()).value() == "x");
    CHECK(server.connections() == 2);
}

TEST_CASE("redirects are not followed", "[unit]") {
    ScriptedServer elsewhere([](const auto&) { return test::respond(200, "stolen"); });
    ScriptedServer server([&](const auto&) {
        return test::respond(302, "", "Location: " + elsewhere.url() + "/\r\n");
    });
    HttpClient client;
    const auto response = client.send(origin_of(server.url()), root_request(), {});
    REQUIRE(response);
    CHECK((*response)->head().status == 302);
    CHECK(elsewhere.requests().empty());
}

TEST_CASE("a blocked call ends within a second of the stop", "[unit]") {
    const auto stops_in_time = [](const std::string& url) {
        HttpClient client;
        std::stop_source source;
        const std::jthread stopper([&source] {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            source.request_stop();
        });
        const auto begin = std::chrono::steady_clock::now();
        const auto result = get(client, url, source.get_token());
        CHECK(code_of(result) == Errc::cancelled);
        CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(1));
    };
    SECTION("waiting for the answer") {
        ScriptedServer server([](const auto&) { return Reply{.bytes = {}, .hang = true}; });
        stops_in_time(server.url());
    }
    SECTION("within the body") {
        ScriptedServer server([](const auto&) {
            return Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
                         .hang = true};
        });
        stops_in_time(server.url());
    }
    SECTION("within a TLS handshake that never comes") {
        Poco::Net::ServerSocket silent(Poco::Net::SocketAddress("127.0.0.1", 0));
        stops_in_time("https://127.0.0.1:" + std::to_string(silent.address().port()));
    }
}

TEST_CASE("a service that falls silent is timed out", "[unit]") {
    ScriptedServer server([](const auto&) { return Reply{.bytes = {}, .hang = true}; });
    HttpClient client;
    HttpRequest request = root_request();
    request.answer_timeout = std::chrono::milliseconds(50);
    const auto response = client.send(origin_of(server.url()), request, {});
    REQUIRE_FALSE(response);
    CHECK(response.error().code == Errc::timed_out);
}

TEST_CASE("nobody there is unavailable, and the message says who", "[unit]") {
    std::string url;
    {
        const Poco::Net::ServerSocket socket(Poco::Net::SocketAddress("127.0.0.1", 0));
        url = "http://127.0.0.1:" + std::to_string(socket.address().port());
    }
    HttpClient client;
    const auto result = get(client, url);
    CHECK(code_of(result) == Errc::unavailable);
    CHECK_THAT(result.error().message, Catch::Contains(url));
    CHECK(code_of(get(client, "http://no-such-host.invalid")) == Errc::unavailable);
}

TEST_CASE("an answer that is not HTTP is unavailable", "[unit]") {
    for (const std::string bytes :
         {"SSH-2.0-x\r\n\r\n", "HTTP/2 200\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
          "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
          "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
          "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Encoding: gzip\r\n\r\nx"}) {
        ScriptedServer server([&](const auto&) { return Reply{.bytes = bytes, .close = true}; });
        HttpClient client;
        INFO(bytes);
        CHECK(code_of(get(client, server.url())) == Errc::unavailable);
    }
}

TEST_CASE("a large body arrives byte for byte", "[unit]") {
    std::string content(3'000'000, '\0');
    for (std::size_t i = 0; i < content.size(); ++i) {
        content[i] = static_cast<char>((i * 2654435761U) >> 13U);
    }
    const test::TestCertificates certificates("127.0.0.1");
    for (const bool secure : {false, true}) {
        ScriptedServer server([&](const auto&) { return test::respond(200, content); },
                              secure ? certificates.server_context() : nullptr);
        HttpClient client(certificates.ca_file());
        HttpRequest request = root_request();
        const auto response = client.send(origin_of(server.url()), request, {});
        REQUIRE(response);
        const auto body = (*response)->read_all(content.size());
        REQUIRE(body);
        CHECK(*body == content);
    }
}

TEST_CASE("HTTPS is spoken with trusted servers of the right name only", "[unit]") {
    const test::TestCertificates certificates("127.0.0.1");
    ScriptedServer server([](const auto&) { return test::respond(200, "secret"); },
                          certificates.server_context());

    SECTION("an authority in ca_file is trusted, and the connection is kept") {
        HttpClient client(certificates.ca_file());
        CHECK(get(client, server.url()).value() == "secret");
        CHECK(get(client, server.url()).value() == "secret");
        CHECK(server.connections() == 1);
    }
    SECTION("an unknown authority is refused") {
        HttpClient client;
        const auto result = get(client, server.url());
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::unavailable);
        CHECK(result.error().service_code == kUntrustedCertificate);
        CHECK(server.requests().empty());
    }
    SECTION("another name is refused, on loopback as well") {
        HttpClient client(certificates.ca_file());
        const auto result = get(client, server.url("localhost"));
        REQUIRE_FALSE(result);
        CHECK(result.error().service_code == kUntrustedCertificate);
        CHECK_THAT(result.error().message, Catch::Contains("ostname mismatch"));
        CHECK(server.requests().empty());
    }
    SECTION("a ca_file that is none is a mistake of the configuration") {
        HttpClient client("/nonexistent/ca.pem");
        const auto result = get(client, server.url());
        CHECK(code_of(result) == Errc::invalid_config);
        CHECK_THAT(result.error().message, Catch::Contains("/nonexistent/ca.pem"));
    }
}

TEST_CASE("a name in the certificate is matched against the host", "[unit]") {
    const test::TestCertificates certificates("localhost");
    ScriptedServer server([](const auto&) { return test::respond(200, "x"); },
                          certificates.server_context());
    HttpClient client(certificates.ca_file());
    CHECK(get(client, server.url("localhost")).value() == "x");
    CHECK(get(client, server.url("127.0.0.1")).error().service_code == kUntrustedCertificate);
}

TEST_CASE("a TLS body that is cut is unavailable, at every byte", "[unit]") {
    const test::TestCertificates certificates("127.0.0.1");
    const std::string response =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    std::atomic<std::size_t> cut = 0;
    ScriptedServer server(
        [&](const auto&) { return Reply{.bytes = response.substr(0, cut), .close = true}; },
        certificates.server_context());
    HttpClient client(certificates.ca_file());
    for (cut = 1; cut <= response.size(); ++cut) {
        const auto body = get(client, server.url());
        INFO("cut after " << cut << " of " << response.size());
        CHECK(body.has_value() == (cut == response.size()));
    }
}

TEST_CASE("dates and delays of HTTP are understood", "[unit]") {
    using namespace std::chrono_literals;
    const auto date = parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT");
    REQUIRE(date);
    CHECK(date->time_since_epoch() == 784111777s);
    CHECK_FALSE(parse_http_date("Sun, 31 Feb 1994 08:49:37 GMT"));
    CHECK_FALSE(parse_http_date("tomorrow"));

    const auto now = std::chrono::sys_seconds(784111777s);
    CHECK(parse_retry_after("10", now) == 10'000ms);
    CHECK(parse_retry_after("0.5", now) == 500ms);
    CHECK(parse_retry_after("0", now) == 0ms);
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:49:47 GMT", now) == 10'000ms);
    CHECK(parse_retry_after("Sun, 06 Nov 1994 08:00:00 GMT", now) == 0ms);
    CHECK(parse_retry_after("999999999", now) == 24h);
    CHECK_FALSE(parse_retry_after("-1", now));
    CHECK_FALSE(parse_retry_after("soon", now));
    CHECK_FALSE(parse_retry_after("nan", now));
    CHECK_FALSE(parse_retry_after("", now));

    ResponseHead head;
    CHECK(head.time(now + 1h) == now + 1h);
    head.fields = {{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"}};
    CHECK(head.time(now + 1h) == now);
}

/// Bytes that are asked for once, and once more after each rewind().
class Source final : public sdk::ByteSource {
public:
    explicit Source(std::string bytes) : bytes_(std::move(bytes)) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        const std::size_t count = std::min(buffer.size(), bytes_.size() - offset_);
        std::memcpy(buffer.data(), bytes_.data() + offset_, count);
        offset_ += count;
        return count;
    }

    [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }

    sdk::Status rewind() override {
        offset_ = 0;
        return {};
    }

    [[nodiscard]] std::size_t offset() const { return offset_; }

private:
    const std::string bytes_;
    std::size_t offset_ = 0;
};

HttpRequest put_request(Source& source) {
    HttpRequest request = root_request();
    request.method = "PUT";
    request.source = &source;
    return request;
}

std::string many_bytes() {
    std::string bytes;
    while (bytes.size() < 20'000'000) {
        bytes += std::to_string(bytes.size()) + " ";
    }
    return bytes;
}

TEST_CASE("a body of a source is sent byte for byte, larger than any buffer", "[unit]") {
    const std::string bytes = many_bytes();
    ScriptedServer server([](const auto&) { return test::respond(200, ""); });
    HttpClient client;
    Source source(bytes);
    const auto response = client.send(origin_of(server.url()), put_request(source), {});
    REQUIRE(response);
    const auto requests = server.requests();
    CHECK(requests.size() == 1);
    CHECK(requests.front().body == bytes);
    CHECK(requests.front().field("Expect") == "100-continue");
}

TEST_CASE("a body of a source is sent again after a connection that was closed meanwhile",
          "[unit]") {
    std::atomic<int> count = 0;
    ScriptedServer server([&](const auto&) {
        // Closes after the first answer without saying so, while the second request is on its way.
        return ++count == 2 ? Reply{.bytes = "", .close = true} : test::respond(200, "");
    });
    HttpClient client;
    for (int i = 0; i < 2; ++i) {
        Source source("bytes");
        REQUIRE(client.send(origin_of(server.url()), put_request(source), {}));
    }
    const auto requests = server.requests();
    REQUIRE(requests.size() == 3);
    CHECK(requests[1].connection == 0);
    CHECK(requests[2].connection == 1);
    CHECK(requests[2].body == "bytes");
}

TEST_CASE("a service that refuses a large body is not sent it", "[unit]") {
    ScriptedServer server([](const auto&) { return test::respond(503, "later"); });
    server.answer_before_body();
    HttpClient client;
    Source source(many_bytes());
    const auto response = client.send(origin_of(server.url()), put_request(source), {});
    REQUIRE(response);
    CHECK((*response)->head().status == 503);
    CHECK((*response)->read_all(100).value() == "later");
    CHECK(source.offset() == 0);
}

TEST_CASE("the head of a response to HEAD tells a length, and no body follows", "[unit]") {
    ScriptedServer server([](const auto&) {
        return Reply{.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\n\r\n"};
    });
    HttpClient client;
    for (int i = 0; i < 2; ++i) {
        HttpRequest request = root_request();
        request.method = "HEAD";
        const auto response = client.send(origin_of(server.url()), request, {});
        REQUIRE(response);
        CHECK((*response)->head().field("Content-Length") == "5000000000");
        CHECK((*response)->complete());
    }
    CHECK(server.connections() == 1);
}

TEST_CASE("names below localhost are this machine, whatever the name servers say", "[unit]") {
    ScriptedServer server([](const auto&) { return test::respond(200, "here"); });
    HttpClient client;
    CHECK(get(client, server.url("bucket.localhost")).value() == "here");
    CHECK(split_url("http://bucket.localhost").value().origin.is_loopback());
    CHECK_FALSE(split_url("http://notlocalhost").value().origin.is_loopback());
}

}  // namespace
}  // namespace openarchiver::http
