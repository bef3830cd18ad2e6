#include "auth.hpp"

#include <algorithm>

#include "bytes.hpp"
#include "json_text.hpp"
#include "time_text.hpp"

namespace graph_simulator {
namespace {

constexpr std::size_t kMostTokens = 10000;
constexpr std::string_view kServicePrincipal = "7b1f8f0e-2a3c-4d5e-8f90-a1b2c3d4e5f6";

}  // namespace

bool AccessToken::has(std::string_view role) const {
    return std::find(roles.begin(), roles.end(), role) != roles.end();
}

bool AccessToken::has_any(std::initializer_list<std::string_view> names) const {
    return std::any_of(names.begin(), names.end(),
                       [this](std::string_view name) { return has(name); });
}

std::string AccessTokens::issue(const TokenIdentity& identity,
                                const std::vector<std::string>& roles, std::int64_t lifetime) {
    const std::int64_t now = now_seconds();
    if (tokens_.size() > kMostTokens) {
        std::erase_if(tokens_, [&](const auto& entry) { return entry.second.expires < now; });
    }
    json::object payload = {
        {"aud", "https://graph.microsoft.com"},
        {"iss", "https://sts.windows.net/" + identity.tenant + "/"},
        {"iat", now},
        {"nbf", now},
        {"exp", now + lifetime},
        {"app_displayname", "Mail Archive"},
        {"appid", view(identity.client_id)},
        {"appidacr", identity.certificate ? "2" : "1"},
        {"idtyp", "app"},
        {"oid", view(kServicePrincipal)},
        {"sub", view(kServicePrincipal)},
        {"tid", view(identity.tenant)},
    };
    // Without consent the claim is absent, not empty.
    if (!roles.empty()) {
        json::array names;
        for (const std::string& role : roles) names.emplace_back(view(role));
        payload["roles"] = std::move(names);
    }
    payload["uti"] = fresh_guid();
    payload["ver"] = "1.0";
    const std::string header = R"({"typ":"JWT","nonce":")" + fresh_guid() +
                               R"(","alg":"RS256","x5t":"c2ltdWxhdGVk","kid":"c2ltdWxhdGVk"})";
    std::string token = base64url_encode(header) + "." + base64url_encode(json::serialize(payload));
    // As long as an RSA-2048 signature, and worth as little: clients must not verify it.
    std::string signature;
    for (int i = 0; i < 8; ++i) signature += sha256(token + std::to_string(i));
    token += "." + base64url_encode(signature);
    tokens_.emplace(token, AccessToken{roles, now + lifetime});
    return token;
}

const AccessToken* AccessTokens::find(std::string_view token) const {
    const auto found = tokens_.find(token);
    return found == tokens_.end() ? nullptr : &found->second;
}

void AccessTokens::expire_all() {
    for (auto& [text, token] : tokens_) token.expires = 0;
}

}  // namespace graph_simulator
