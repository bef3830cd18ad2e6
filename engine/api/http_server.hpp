#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace openarchiver::api {

/// A request, read whole: bodies are small.
struct Request {
    std::string method;
    /// Of the path, decoded; the query is not in it.
    std::vector<std::string> segments;
    std::multimap<std::string, std::string> query;
    std::string body;
    std::string authorization;
    std::string if_none_match;
    /// All of its fields, names in lower case; as they came.
    std::vector<std::pair<std::string, std::string>> fields;
    std::string query_text;  ///< what follows `?`, as it came
    std::string client;      ///< address without the port

    /// The last value of that name; empty: none.
    [[nodiscard]] std::string value(const std::string& name) const;
    [[nodiscard]] std::vector<std::string> values(const std::string& name) const;
};

struct Response {
    int status = 200;
    std::string content_type = "application/json";
    std::string body = {};
    std::vector<std::pair<std::string, std::string>> fields = {};
    /// Instead of `body`: writes it, as it comes. An error closes the connection before the end,
    /// which the client notices.
    std::function<sdk::Status(sdk::ByteSink&, std::stop_token)> stream = {};
    /// Of a stream; absent: unknown.
    std::optional<std::uint64_t> length = {};
};

/// HTTP/1.1, each request on one of a bounded number of threads. What is wrong with a request as
/// such is answered here: too large, malformed, too slow.
class HttpServer {
public:
    static constexpr int kThreads = 32;
    static constexpr int kWaiting = 128;
    static constexpr std::chrono::seconds kPatience{30};

    struct Options {
        std::string host;
        std::uint16_t port = 0;  ///< 0: any that is free
        /// PEM; empty: no TLS.
        std::filesystem::path certificate;
        std::filesystem::path key;
        /// How long the body of a request may be, which has none yet.
        std::function<std::size_t(const Request&)> most_body;
    };

    /// Called on several threads at a time; must not throw.
    using Handler = std::function<Response(const Request&, std::stop_token)>;

    /// unavailable: the address can't be used.
    static sdk::Result<std::unique_ptr<HttpServer>> open(const Options& options, Handler handler);
    /// Stops the handlers and waits for them.
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    [[nodiscard]] std::uint16_t port() const;

private:
    struct State;
    explicit HttpServer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace openarchiver::api
