#include "http/origin.hpp"

#include <algorithm>
#include <charconv>

namespace openarchiver::http {

namespace {

using sdk::Errc;
using sdk::Error;

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return result;
}

Error bad_url(std::string_view why) {
    return Error{.code = Errc::invalid_argument,
                 .message = "not a usable URL: " + std::string(why),
                 .service_code = {},
                 .request_id = {},
                 .retry_after = {}};
}

bool is_host_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

}  // namespace

std::string Origin::host_header() const {
    std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
    if (port != (secure ? 443 : 80)) {
        text += ":" + std::to_string(port);
    }
    return text;
}

std::string Origin::url() const {
    return (secure ? "https://" : "http://") + host_header();
}

bool Origin::is_loopback() const {
    if (host == "localhost" || host.ends_with(".localhost") || host == "::1") {
        return true;
    }
    // Only a dotted quad: "127.0.0.1.example.org" is somebody else's machine.
    return host.starts_with("127.") && std::ranges::count(host, '.') == 3 &&
           host.find_first_not_of("0123456789.") == std::string::npos;
}

sdk::Result<SplitUrl> split_url(std::string_view url) {
    for (const char c : url) {
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f || c == '\\' || c == '#') {
            return bad_url("it has a character that does not belong in one");
        }
    }
    const std::size_t scheme_end = url.find("://");
    if (scheme_end == std::string_view::npos) {
        return bad_url("it has no scheme");
    }
    SplitUrl result;
    const std::string scheme = lower(url.substr(0, scheme_end));
    if (scheme != "https" && scheme != "http") {
        return bad_url("its scheme is neither https nor http");
    }
    result.origin.secure = scheme == "https";
    result.origin.port = result.origin.secure ? 443 : 80;

    std::string_view rest = url.substr(scheme_end + 3);
    const std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
    const std::string authority = lower(rest.substr(0, authority_end));
    rest.remove_prefix(authority_end);

    std::string_view port_text;
    if (authority.starts_with('[')) {
        const std::size_t close = authority.find(']');
        if (close == std::string::npos ||
            authority.find_first_not_of("0123456789abcdef:.", 1) != close) {
            return bad_url("its address is malformed");
        }
        result.origin.host = authority.substr(1, close - 1);
        port_text = std::string_view(authority).substr(close + 1);
    } else {
        const std::size_t colon = std::min(authority.find(':'), authority.size());
        result.origin.host = authority.substr(0, colon);
        port_text = std::string_view(authority).substr(colon);
        if (!std::ranges::all_of(result.origin.host, is_host_character)) {
            return bad_url("its host name is malformed");
        }
    }
    if (result.origin.host.empty()) {
        return bad_url("it has no host");
    }
    if (!port_text.empty()) {
        unsigned port = 0;
        const char* first = port_text.data() + 1;
        const char* last = port_text.data() + port_text.size();
        const auto [end, status] = std::from_chars(first, last, port);
        if (port_text.front() != ':' || status != std::errc{} || end != last || port == 0 ||
            port > 65535) {
            return bad_url("its port is malformed");
        }
        result.origin.port = static_cast<std::uint16_t>(port);
    }
    result.target = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
    return result;
}

sdk::Result<Origin> parse_origin(std::string_view setting, std::string_view url) {
    const auto refuse = [setting](std::string_view why) {
        return Error{.code = Errc::invalid_config,
                     .message = std::string(setting) + " " + std::string(why),
                     .service_code = {},
                     .request_id = {},
                     .retry_after = {}};
    };
    auto split = split_url(url);
    if (!split) {
        return refuse("is " + split.error().message +
                      "; give scheme, host and port only, such as https://graph.microsoft.com");
    }
    if (split->target != "/") {
        return refuse(
            "must be an origin alone (scheme, host and port): the tenant and the version "
            "are added to it");
    }
    if (!split->origin.secure && !split->origin.is_loopback()) {
        return refuse("uses plain http, which is allowed for a loopback address only: use https");
    }
    return split->origin;
}

std::string percent_encode(std::string_view text) {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string result;
    result.reserve(text.size() + 16);
    for (const char c : text) {
        const bool unreserved = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                                (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
                                c == '~';
        if (unreserved) {
            result += c;
        } else {
            const auto byte = static_cast<unsigned char>(c);
            result += '%';
            result += kHex[byte >> 4U];
            result += kHex[byte & 15U];
        }
    }
    return result;
}

}  // namespace openarchiver::http
