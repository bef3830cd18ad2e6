#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <openarchiver/sdk/host.hpp>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "credentials.hpp"
#include "http/http_client.hpp"
#include "settings.hpp"

namespace openarchiver::s3 {

/// SHA-256 of nothing.
inline constexpr std::string_view kEmptySha256 =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A request to the bucket or to one of its objects.
struct Call {
    /// For messages: "list", "read the object a/b of".
    std::string action;
    std::string method = "GET";
    /// As the store knows it, prefix and all; empty: the bucket itself.
    std::string object = {};
    std::vector<std::pair<std::string, std::string>> query = {};
    /// Are signed, too.
    std::vector<std::pair<std::string, std::string>> fields = {};
    sdk::ByteSource* source = nullptr;
    /// Of the source.
    std::string payload_sha256 = std::string(kEmptySha256);
};

/// Sends signed requests over keep-alive connections. Safe for concurrent use.
class Client {
public:
    Client(Settings settings, const sdk::HostServices& host);

    /// An answer of any status. Where the store refuses the time of this machine, the request is
    /// sent once more with the store's; nothing else is repeated.
    sdk::Result<std::unique_ptr<http::HttpResponse>> send(const Call& call,
                                                          const std::stop_token& stop);

    /// The body of an answer that is a document.
    [[nodiscard]] sdk::Result<std::string> read_page(const Call& call,
                                                     http::HttpResponse& response) const;

    /// What an answer means that is no success. Reads its body.
    [[nodiscard]] sdk::Error error(const Call& call, http::HttpResponse& response) const;

    [[nodiscard]] const Settings& settings() const { return settings_; }

private:
    /// Says what failed and where.
    [[nodiscard]] sdk::Error in_call(const Call& call, sdk::Error error) const;
    sdk::Result<http::HttpRequest> signed_request(const Call& call);
    [[nodiscard]] std::chrono::sys_seconds now() const;
    bool correct_clock(const http::ResponseHead& head);

    const Settings settings_;
    sdk::Logger& logger_;
    sdk::Clock& clock_;
    CredentialSource credentials_;
    http::HttpClient http_;
    /// By how much the store's clock is ahead of this machine's.
    std::atomic<std::chrono::seconds::rep> ahead_ = 0;
};

}  // namespace openarchiver::s3
