#include "token_source.hpp"

#include <boost/json.hpp>
#include <charconv>

#include "failure.hpp"
#include "stream.hpp"

namespace openarchiver::imap {

namespace {

namespace json = boost::json;
using sdk::Errc;

constexpr std::chrono::seconds kTimeout{20};
constexpr std::size_t kMaxAnswer = 256 * 1024;
/// Tokens are given up a little before they expire.
constexpr std::chrono::seconds kMargin{120};

std::string form_encode(std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string encoded;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                           (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
        if (plain) {
            encoded += c;
        } else {
            encoded += '%';
            encoded += kHex[byte >> 4];
            encoded += kHex[byte & 0xF];
        }
    }
    return encoded;
}

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* const value = object.if_contains(name);
    const json::string* const text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string() : std::string(*text);
}

}  // namespace

sdk::Result<std::string> TokenSource::get(const std::stop_token& stop) {
    std::unique_lock lock(mutex_, std::defer_lock);
    while (!lock.try_lock_for(std::chrono::milliseconds(250))) {
        if (stop.stop_requested()) {
            return cancelled();
        }
    }
    if (!token_.empty() && host_.clock.steady_now() < good_until_) {
        return token_;
    }
    OPENARCHIVER_TRY(token_, ask(stop));
    return token_;
}

void TokenSource::discard(const std::string& token) {
    const std::lock_guard lock(mutex_);
    if (token_ == token) {
        token_.clear();
    }
}

sdk::Result<std::string> TokenSource::ask(const std::stop_token& stop) {
    const auto secret = host_.secrets.get("/oauth/client_secret");
    const auto refresh = host_.secrets.get("/oauth/refresh_token");
    for (const auto* result : {&secret, &refresh}) {
        if (!*result && result->error().code != Errc::not_found) {
            return result->error();
        }
    }
    std::string form = "client_id=" + form_encode(settings_.client_id);
    if (secret) {
        form += "&client_secret=" + form_encode(*secret);
    }
    form += refresh ? "&grant_type=refresh_token&refresh_token=" + form_encode(*refresh)
                    : "&grant_type=client_credentials";
    if (!settings_.scope.empty()) {
        form += "&scope=" + form_encode(settings_.scope);
    }
    const std::string where = "the token endpoint " + settings_.endpoint.text();
    int status = 0;
    OPENARCHIVER_TRY(const std::string body, post(form, status, stop));
    boost::system::error_code error;
    const json::value document = json::parse(body, error);
    const json::object* const object = error ? nullptr : document.if_object();
    const std::string reason = object == nullptr ? std::string() : text_of(*object, "error");
    if (status == 429 || status >= 500) {
        sdk::Error busy = failure(status == 429 ? Errc::rate_limited : Errc::unavailable,
                                  where + " answers with status " + std::to_string(status), reason);
        busy.retry_after = std::chrono::seconds(30);
        return busy;
    }
    if (status != 200 || object == nullptr) {
        return failure(object == nullptr ? Errc::unavailable : Errc::unauthenticated,
                       where + " gives no token (status " + std::to_string(status) +
                           (reason.empty() ? "" : ", " + reason) +
                           "): check client, secret, refresh token and scope",
                       reason);
    }
    std::string token = text_of(*object, "access_token");
    if (token.empty()) {
        return failure(Errc::unauthenticated, where + " answers without an access token");
    }
    std::chrono::seconds lifetime{3600};
    if (const json::value* const expires = object->if_contains("expires_in");
        expires != nullptr && expires->is_int64() && expires->get_int64() > 0) {
        lifetime = std::chrono::seconds(std::min<std::int64_t>(expires->get_int64(), 86'400));
    }
    good_until_ = host_.clock.steady_now() + std::max(lifetime - kMargin, lifetime / 2);
    if (const std::string rotated = text_of(*object, "refresh_token");
        refresh && !rotated.empty() && rotated != *refresh) {
        OPENARCHIVER_CHECK(host_.secrets.update("/oauth/refresh_token", rotated));
    }
    return token;
}

/// HTTP/1.0, so that the answer is neither chunked nor followed by another.
sdk::Result<std::string> TokenSource::post(const std::string& form, int& status,
                                           const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto stream,
                     Stream::connect(settings_.endpoint, resolver_, kTimeout, stop));
    if (settings_.secure) {
        OPENARCHIVER_CHECK(stream->secure(tls_, kTimeout, stop));
    }
    OPENARCHIVER_CHECK(stream->write("POST " + settings_.path +
                                         " HTTP/1.0\r\nHost: " + settings_.endpoint.host +
                                         "\r\nContent-Type: application/x-www-form-urlencoded\r\n"
                                         "Accept: application/json\r\nContent-Length: " +
                                         std::to_string(form.size()) + "\r\n\r\n" + form,
                                     kTimeout, stop));
    std::string answer;
    std::array<std::byte, 16384> buffer{};
    for (;;) {
        OPENARCHIVER_TRY(const std::size_t count, stream->read(buffer, kTimeout, stop));
        if (count == 0) {
            break;
        }
        answer.append(reinterpret_cast<const char*>(buffer.data()), count);
        if (answer.size() > kMaxAnswer) {
            return failure(Errc::unavailable, "the token endpoint's answer is too large");
        }
    }
    const std::size_t space = answer.find(' ');
    const std::size_t end = answer.find("\r\n\r\n");
    if (!answer.starts_with("HTTP/1.") || space == std::string::npos || end == std::string::npos ||
        std::from_chars(answer.data() + space + 1, answer.data() + answer.size(), status).ec !=
            std::errc()) {
        return failure(Errc::unavailable, settings_.endpoint.text() + " does not speak HTTP");
    }
    return answer.substr(end + 4);
}

}  // namespace openarchiver::imap
