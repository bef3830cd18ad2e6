#include "http/proxy.hpp"

#include "http/base64.hpp"
#include "http/failure.hpp"
#include "http/response_head.hpp"

namespace openarchiver::http {

namespace {

using sdk::Errc;

std::string place_of(const Origin& origin) {
    const std::string host =
        origin.host.find(':') == std::string::npos ? origin.host : "[" + origin.host + "]";
    return host + ":" + std::to_string(origin.port);
}

sdk::Error authentication_wanted(const ProxySettings& proxy, const ResponseHead& head) {
    const std::string scheme(head.field("Proxy-Authenticate").substr(0, 64));
    const std::string status = std::to_string(head.status);
    std::string text = "the proxy " + proxy.origin.url();
    if (scheme.find("asic") == std::string::npos && !scheme.empty()) {
        text += " wants a user (" + status + ", \"" + scheme.substr(0, scheme.find(' ')) +
                "\") in a way that is not supported: let it take Basic, or admit this machine by "
                "its address";
    } else if (proxy.user.empty()) {
        text += " wants a user and a password (" + status + "): set proxy_user and proxy_password";
    } else {
        text += " refuses the user or the password (" + status +
                "): check proxy_user and proxy_password";
    }
    return failure(Errc::unavailable, std::move(text), kProxyRefusal);
}

}  // namespace

sdk::Result<std::string> tunnel_request(const ProxySettings& proxy, const Origin& destination) {
    const std::string place = place_of(destination);
    std::string text = "CONNECT " + place + " HTTP/1.1\r\nHost: " + place + "\r\n";
    if (!proxy.user.empty()) {
        auto password = proxy.password();
        if (!password) {
            return failure(Errc::invalid_config,
                           "proxy_password can't be read: " + password.error().message);
        }
        text +=
            "Proxy-Authorization: Basic " + encode_base64(proxy.user + ":" + *password) + "\r\n";
    }
    return text + "\r\n";
}

sdk::Status tunnel_opened(const ProxySettings& proxy, const Origin& destination,
                          std::string_view text) {
    const std::string name = "the proxy " + proxy.origin.url();
    const auto head = parse_response_head(text);
    if (!head) {
        return failure(Errc::unavailable,
                       name + " does not answer as a proxy does: check its address and port",
                       kProxyFault);
    }
    if (head->status >= 200 && head->status < 300) {
        return {};
    }
    // 401 is what tinyproxy says to a wrong password; the service itself was not reached yet.
    if (head->status == 407 || head->status == 401) {
        return authentication_wanted(proxy, *head);
    }
    const std::string status = " (" + std::to_string(head->status) + ")";
    if (head->status >= 500) {
        return failure(Errc::unavailable,
                       name + " could not connect to " + place_of(destination) + status +
                           ": check its name resolution and its own way out",
                       kProxyFault);
    }
    return failure(Errc::unavailable,
                   name + " refuses to connect to " + place_of(destination) + status +
                       ": allow this machine to reach it there",
                   kProxyRefusal);
}

}  // namespace openarchiver::http
