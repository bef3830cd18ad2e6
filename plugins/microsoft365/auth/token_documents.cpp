#include "auth/token_documents.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "failure.hpp"
#include "http/base64.hpp"

namespace openarchiver::microsoft365 {

namespace {

namespace json = boost::json;

constexpr std::size_t kMaxDescription = 500;

std::optional<json::object> parse_object(std::string_view text) {
    json::error_code error;
    json::value value = json::parse(text, error);
    if (error || !value.is_object()) {
        return std::nullopt;
    }
    return std::move(value.get_object());
}

std::string text_member(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

/// Up to the ids and the time that the endpoint appends.
std::string without_ids(std::string description) {
    for (const std::string_view end : {"\r\n", "\n", " Trace ID:", "Trace ID:"}) {
        description.resize(std::min(description.find(end), description.size()));
    }
    description.resize(std::min(description.find_last_not_of(" .") + 1, kMaxDescription));
    return description;
}

/// The claims of a JWT, which is not validated.
std::optional<json::object> payload_of(std::string_view token) {
    const std::size_t first = token.find('.');
    const std::size_t second = first == std::string_view::npos ? first : token.find('.', first + 1);
    if (second == std::string_view::npos) {
        return std::nullopt;
    }
    const auto payload = decode_base64url(token.substr(first + 1, second - first - 1));
    return payload ? parse_object(*payload) : std::nullopt;
}

}  // namespace

bool TokenClaims::has_role(std::string_view role) const {
    return std::ranges::find(roles, role) != roles.end();
}

bool TokenClaims::reads_mail() const {
    return has_role("Mail.Read") || has_role("Mail.ReadWrite");
}

bool TokenClaims::lists_users() const {
    return has_role("User.Read.All") || has_role("User.ReadWrite.All") ||
           has_role("Directory.Read.All") || has_role("Directory.ReadWrite.All");
}

sdk::Result<TokenDocument> parse_token_document(std::string_view text) {
    const auto object = parse_object(text);
    TokenDocument document;
    if (object) {
        document.access_token = text_member(*object, "access_token");
        if (const json::value* life = object->if_contains("expires_in")) {
            if (life->is_int64()) {
                document.expires_in = std::chrono::seconds(life->get_int64());
            } else if (life->is_string()) {
                document.expires_in = std::chrono::seconds(std::atoll(life->get_string().c_str()));
            }
        }
    }
    // Characters that could end the header field have no place in a token.
    const bool usable =
        !document.access_token.empty() &&
        std::ranges::all_of(document.access_token, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!usable) {
        return failure(sdk::Errc::unavailable,
                       "the token endpoint's answer has no token: check authority_url and what is "
                       "between this machine and it");
    }
    return document;
}

EntraFailure parse_entra_failure(int status, std::string_view body) {
    EntraFailure result;
    result.status = status;
    const auto object = parse_object(body);
    if (!object) {
        return result;
    }
    result.error = text_member(*object, "error");
    result.trace_id = text_member(*object, "trace_id");
    result.description = without_ids(text_member(*object, "error_description"));
    if (const json::value* codes = object->if_contains("error_codes");
        codes != nullptr && codes->is_array()) {
        for (const json::value& code : codes->get_array()) {
            if (code.is_int64()) {
                result.codes.push_back(code.get_int64());
            }
        }
    }
    if (result.codes.empty() && result.description.starts_with("AADSTS")) {
        if (const std::int64_t code = std::atoll(result.description.c_str() + 6); code > 0) {
            result.codes.push_back(code);
        }
    }
    return result;
}

std::optional<TokenClaims> parse_token_claims(std::string_view access_token) {
    const auto object = payload_of(access_token);
    if (!object) {
        return std::nullopt;
    }
    TokenClaims claims;
    if (const json::value* roles = object->if_contains("roles");
        roles != nullptr && roles->is_array()) {
        for (const json::value& role : roles->get_array()) {
            if (role.is_string()) {
                claims.roles.emplace_back(role.get_string());
            }
        }
    }
    return claims;
}

std::optional<AssertionClaims> parse_assertion_claims(std::string_view token) {
    const auto object = payload_of(token);
    // Nothing but the token's own characters: it goes into a form and its claims into messages.
    const bool plain = token.find_first_not_of(
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                           "0123456789-_.=") == std::string_view::npos;
    if (!object || !plain) {
        return std::nullopt;
    }
    AssertionClaims claims;
    claims.issuer = text_member(*object, "iss");
    claims.subject = text_member(*object, "sub");
    claims.audience = text_member(*object, "aud");
    if (const json::value* list = object->if_contains("aud"); list != nullptr && list->is_array()) {
        for (const json::value& one : list->get_array()) {
            if (one.is_string()) {
                claims.audience += claims.audience.empty() ? "" : ", ";
                claims.audience += std::string_view(one.get_string());
            }
        }
    }
    if (const json::value* end = object->if_contains("exp"); end != nullptr && end->is_int64()) {
        claims.expires = std::chrono::sys_seconds(std::chrono::seconds(end->get_int64()));
    }
    return claims;
}

}  // namespace openarchiver::microsoft365
