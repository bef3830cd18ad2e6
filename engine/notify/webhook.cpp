#include "notify/webhook.hpp"

#include <chrono>
#include <http/http_client.hpp>
#include <optional>
#include <string>

#include "plugin/digest.hpp"

namespace openarchiver::notify {

namespace {

using sdk::Errc;
using sdk::Error;

constexpr std::chrono::seconds kTimeout{15};

sdk::Result<std::optional<http::ProxySettings>> proxy_of(const profile::Webhook& hook) {
    if (hook.proxy.empty()) {
        return std::optional<http::ProxySettings>();
    }
    OPENARCHIVER_TRY(const auto url, http::split_url(hook.proxy));
    return std::optional(http::ProxySettings{
        .origin = url.origin, .user = hook.proxy_user, .password = [secret = hook.proxy_password] {
            return secret ? plugin::resolve(*secret) : sdk::Result<std::string>(std::string());
        }});
}

/// The time is signed, too, so that a receiver can refuse what was recorded.
sdk::Status sign(http::HttpRequest& request, const profile::SecretReference& reference) {
    OPENARCHIVER_TRY(const std::string secret, plugin::resolve(reference));
    const auto time = std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::system_clock::now().time_since_epoch());
    const std::string timestamp = std::to_string(time.count());
    OPENARCHIVER_TRY(const std::string signature,
                     plugin::hmac_sha256(secret, timestamp + "." + request.body));
    request.fields.emplace_back("OpenArchiver-Timestamp", timestamp);
    request.fields.emplace_back("OpenArchiver-Signature", "v1=" + signature);
    return {};
}

sdk::Status check(int status, const http::Origin& origin) {
    if (status >= 200 && status < 300) {
        return {};
    }
    const std::string text = origin.url() + " answered with status " + std::to_string(status);
    if (status == 401 || status == 403) {
        return Error{Errc::permission_denied, text + ": check its URL, and the secret"};
    }
    if (status >= 300 && status < 400) {
        return Error{Errc::invalid_config,
                     text + ": redirects are not followed; give the address itself"};
    }
    return Error{Errc::unavailable, text};
}

}  // namespace

sdk::Status post(const profile::Webhook& hook, const Notification& notification,
                 const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto url, http::split_url(hook.url));
    OPENARCHIVER_TRY(auto proxy, proxy_of(hook));
    http::HttpClient client(hook.ca_file, std::move(proxy));
    http::HttpRequest request;
    request.method = "POST";
    request.target = url.target;
    request.fields = {{"Content-Type", "application/json"},
                      {"User-Agent", "OpenArchiver"},
                      {"OpenArchiver-Notification", notification.id}};
    request.body = to_json(notification);
    request.answer_timeout = kTimeout;
    request.stall_timeout = kTimeout;
    if (hook.secret) {
        OPENARCHIVER_CHECK(sign(request, *hook.secret));
    }
    OPENARCHIVER_TRY(const auto response, client.send(url.origin, request, stop));
    return check(response->head().status, url.origin);
}

}  // namespace openarchiver::notify
