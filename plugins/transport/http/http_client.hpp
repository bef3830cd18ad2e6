#pragma once

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/origin.hpp"
#include "http/proxy.hpp"
#include "http/response_head.hpp"

namespace openarchiver::http {

struct HttpRequest {
    std::string method = "GET";
    /// Path and query, percent-encoded.
    std::string target;
    /// Host, Content-Length and Connection are added.
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
    /// In place of `body`; rewound where the request has to be sent a second time.
    sdk::ByteSource* source = nullptr;
    /// How long the service may take to begin its answer, and how long it may pause within it.
    std::chrono::milliseconds answer_timeout = std::chrono::seconds(120);
    std::chrono::milliseconds stall_timeout = std::chrono::seconds(60);
};

class ConnectionPool;

/// A response whose body is read by whoever asked. Destroying it early closes the connection.
class HttpResponse {
public:
    HttpResponse(const HttpResponse&) = delete;
    HttpResponse& operator=(const HttpResponse&) = delete;
    ~HttpResponse();

    [[nodiscard]] const ResponseHead& head() const;

    /// As sdk::ByteReader::read(): 0 only when the body is known to be whole. A body that was cut
    /// short is unavailable.
    sdk::Result<std::size_t> read(std::span<std::byte> buffer);

    /// The whole body, at most `limit` bytes.
    sdk::Result<std::string> read_all(std::size_t limit);

    /// What there is of the body of an error, whole or not.
    std::string read_error_text();

    /// Whether the whole body was read: the connection is free again.
    [[nodiscard]] bool complete() const;

    /// Never reuse the connection.
    void discard_connection();

private:
    friend class HttpClient;
    struct State;
    explicit HttpResponse(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

/// HTTP/1.1 over pooled keep-alive connections. It follows no redirect, and repeats a request only
/// in one case: a reused connection that turns out closed before the first byte of an answer.
/// Before a large body it asks whether the service wants it ("Expect: 100-continue").
/// Safe for concurrent use; responses may not outlive it.
class HttpClient {
public:
    explicit HttpClient(std::filesystem::path ca_file = {},
                        std::optional<ProxySettings> proxy = {});
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;
    ~HttpClient();

    /// unavailable, timed_out, invalid_config, cancelled. An answer of any status is a success.
    /// The stop token holds for the reading of the body as well.
    sdk::Result<std::unique_ptr<HttpResponse>> send(const Origin& origin,
                                                    const HttpRequest& request,
                                                    std::stop_token stop);

private:
    std::unique_ptr<ConnectionPool> pool_;
};

}  // namespace openarchiver::http
