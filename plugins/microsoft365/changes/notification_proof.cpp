#include "changes/notification_proof.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <utility>

#include "failure.hpp"
#include "http/base64.hpp"

namespace openarchiver::microsoft365 {

namespace {

constexpr char kTagName[] = "key";

std::string hmac_sha256(std::string_view key, std::string_view text) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
    return {reinterpret_cast<const char*>(digest.data()), size};
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::optional<unsigned> hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = static_cast<char>(c | 0x20);
    return c >= 'a' && c <= 'f' ? std::optional<unsigned>(c - 'a' + 10) : std::nullopt;
}

std::optional<std::string> form_decoded(std::string_view text) {
    std::string decoded;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '+') {
            decoded += ' ';
        } else if (text[i] != '%') {
            decoded += text[i];
        } else {
            const auto high = i + 1 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
            const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
            if (!high || !low) {
                return std::nullopt;
            }
            decoded += static_cast<char>(*high << 4U | *low);
            i += 2;
        }
    }
    return decoded;
}

}  // namespace

NotificationProof::NotificationProof(std::string_view secret, std::string webhook_url)
    : webhook_url_(std::move(webhook_url)),
      key_(hmac_sha256(secret, "openarchiver change notifications\n" + webhook_url_)),
      tag_(mark("address")),
      notification_url_(webhook_url_ + "?" + kTagName + "=" + tag_) {}

std::string NotificationProof::mark(std::string_view what) const {
    return encode_base64url(hmac_sha256(key_, what));
}

bool NotificationProof::addressed_by(std::string_view query) const {
    const auto tag = query_value(query, kTagName);
    return tag && equal_in_constant_time(*tag, tag_);
}

std::string NotificationProof::client_state(std::string_view account_id) const {
    return std::string(account_id) + "." + mark("account\n" + std::string(account_id));
}

std::optional<std::string> NotificationProof::account_of(std::string_view client_state) const {
    std::string account(client_state.substr(0, client_state.rfind('.')));
    if (account.empty() || !equal_in_constant_time(this->client_state(account), client_state)) {
        return std::nullopt;
    }
    return account;
}

std::optional<std::string> query_value(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const std::string_view pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        const std::size_t equals = pair.find('=');
        if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
            return form_decoded(pair.substr(equals + 1));
        }
    }
    return std::nullopt;
}

}  // namespace openarchiver::microsoft365
