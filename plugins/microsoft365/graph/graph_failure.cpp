#include "graph/graph_failure.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "failure.hpp"

namespace openarchiver::microsoft365 {

namespace {

namespace json = boost::json;
using sdk::Errc;

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

const json::value* member(const json::object& object, std::string_view name) {
    for (const auto& [key, value] : object) {
        if (equal_ignoring_case(std::string_view(key.data(), key.size()), name)) {
            return &value;
        }
    }
    return nullptr;
}

std::string text_of(const json::value* value) {
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

/// Failures of the item itself: however often it is asked for, it will not come.
constexpr std::array<std::string_view, 5> kDamagedItem = {
    "ErrorMimeContentConversionFailed", "ErrorContentConversionFailed", "ErrorCorruptData",
    "ErrorInvalidRecipients", "ErrorCannotOpenFileAttachment"};

constexpr std::array<std::string_view, 4> kWithoutMailbox = {
    "MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI", "ErrorInvalidUser",
    "ErrorNonExistentMailbox"};

bool has_any(const GraphFailure& failure, const auto& codes) {
    return std::ranges::any_of(codes,
                               [&](std::string_view code) { return failure.has_code(code); });
}

}  // namespace

bool GraphFailure::has_code(std::string_view code) const {
    return std::ranges::any_of(
        codes, [code](const std::string& c) { return equal_ignoring_case(c, code); });
}

std::string GraphFailure::service_code() const {
    // The inner code is the more specific one only where the outer says nothing.
    for (const std::string& code : codes) {
        if (!code.empty() && !equal_ignoring_case(code, "UnknownError") &&
            !equal_ignoring_case(code, "generalException")) {
            return code;
        }
    }
    return codes.empty() ? "HTTP " + std::to_string(status) : codes.front();
}

GraphFailure parse_graph_failure(int status, std::string_view body, std::string_view request_id) {
    GraphFailure failure_;
    failure_.status = status;
    failure_.request_id = std::string(request_id);
    json::error_code error;
    const json::value document = json::parse(body, error);
    if (error || !document.is_object()) {
        return failure_;
    }
    const json::value* envelope = member(document.get_object(), "error");
    if (envelope != nullptr && envelope->is_object()) {
        failure_.text = text_of(member(envelope->get_object(), "message"));
    }
    while (envelope != nullptr && envelope->is_object() && failure_.codes.size() < 8) {
        const json::object& object = envelope->get_object();
        if (const json::value* code = member(object, "code"); code != nullptr) {
            failure_.codes.push_back(text_of(code));
        }
        if (failure_.request_id.empty()) {
            failure_.request_id = text_of(member(object, "request-id"));
        }
        envelope = member(object, "innerError");
    }
    return failure_;
}

bool is_throttling(const GraphFailure& failure_) {
    return failure_.status == 429 || failure_.status == 509;
}

ThrottledScope throttled_scope(const GraphFailure& failure_, std::string_view header) {
    // Outlook's words for its limit of a mailbox; the header is the directory's, where it names
    // what it counts for: Tenant_Application/Read/...
    if (failure_.text.find("MailboxConcurrency") != std::string::npos) {
        return ThrottledScope::mailbox;
    }
    return header.starts_with("Tenant_Application") || header.starts_with("Application") ||
                   header.starts_with("Tenant/")
               ? ThrottledScope::application
               : ThrottledScope::unknown;
}

bool is_transient(const GraphFailure& failure_) {
    if (is_throttling(failure_)) {
        return true;
    }
    if (has_any(failure_, kDamagedItem) || failure_.has_code("ErrorQuotaExceeded")) {
        return false;
    }
    switch (failure_.status) {
        case 408:
            return true;
        // A front end that lost the mailbox for a moment answers without an envelope.
        case 404:
            return failure_.codes.empty();
        case 501:
        case 505:
        case 507:
            return false;
        default:
            return failure_.status >= 500;
    }
}

bool is_expired_token(const GraphFailure& failure_, TokenOrigin origin) {
    static constexpr std::array<std::string_view, 3> kExpired = {
        "SyncStateNotFound", "SyncStateInvalid", "ResyncRequired"};
    if (failure_.status == 410 || (failure_.status < 500 && has_any(failure_, kExpired))) {
        return true;
    }
    return origin == TokenOrigin::stored && failure_.status == 400 &&
           mailbox_verdict(failure_) == MailboxVerdict::nothing;
}

bool refuses_changes(const GraphFailure& failure_) {
    // For want of a code of its own the second one is known by its words.
    return failure_.has_code("ErrorQuotaExceeded") ||
           (failure_.status == 400 && failure_.text.find("DeltaToken") != std::string::npos &&
            failure_.text.find("not supported") != std::string::npos);
}

MailboxVerdict mailbox_verdict(const GraphFailure& failure_) {
    if (has_any(failure_, kWithoutMailbox)) {
        return MailboxVerdict::without_mailbox;
    }
    switch (failure_.status) {
        case 400:
            return failure_.has_code("extensionError") ? MailboxVerdict::without_mailbox
                                                       : MailboxVerdict::nothing;
        case 401:
            // With a token that was just renewed: users without a licence are refused like this.
            return failure_.has_code("AuthenticationError") ? MailboxVerdict::without_mailbox
                                                            : MailboxVerdict::nothing;
        case 403: {
            if (failure_.has_code("ErrorQuotaExceeded")) {
                return MailboxVerdict::nothing;
            }
            // Exchange has one code for both; only the words tell a policy from missing consent.
            const bool policy = failure_.text.find("OData is disabled") != std::string::npos ||
                                failure_.text.find("RAOP") != std::string::npos ||
                                failure_.text.find("AccessPolicy") != std::string::npos ||
                                failure_.has_code("extensionError");
            return policy ? MailboxVerdict::closed_by_policy : MailboxVerdict::denied;
        }
        case 404:
            if (failure_.has_code("Request_ResourceNotFound")) {
                return MailboxVerdict::user_gone;
            }
            return failure_.has_code("ResourceNotFound") ? MailboxVerdict::without_mailbox
                                                         : MailboxVerdict::nothing;
        default:
            return MailboxVerdict::nothing;
    }
}

sdk::Error to_error(const GraphFailure& failure_, Subject subject, std::string_view what) {
    sdk::Error error;
    error.service_code = failure_.service_code();
    error.request_id = failure_.request_id;
    error.message = std::string(what) + ": Graph answered " + std::to_string(failure_.status);
    if (!failure_.codes.empty()) {
        error.message += " " + error.service_code;
    }
    const auto set = [&error](Errc code, std::string_view advice) {
        error.code = code;
        if (!advice.empty()) {
            error.message += "; ";
            error.message += advice;
        }
    };

    if (is_throttling(failure_)) {
        set(Errc::rate_limited, "the service asks to wait");
        error.retry_after = failure_.retry_after;
        return error;
    }
    if (failure_.has_code("ErrorQuotaExceeded")) {
        set(Errc::resource_exhausted,
            "the mailbox is over its storage quota and refuses to be synced: free space in it or "
            "raise its quota");
        return error;
    }
    if (subject == Subject::item && has_any(failure_, kDamagedItem)) {
        set(Errc::corrupt, "Exchange can't deliver this item as a message");
        return error;
    }
    if (subject != Subject::directory) {
        switch (mailbox_verdict(failure_)) {
            case MailboxVerdict::without_mailbox:
            case MailboxVerdict::user_gone:
                // Not "not found": that would speak of the folder or the item.
                set(Errc::unavailable, "the mailbox can't be read now");
                return error;
            case MailboxVerdict::closed_by_policy:
                set(Errc::permission_denied,
                    "a policy of the tenant closes this mailbox to the application");
                return error;
            case MailboxVerdict::denied:
                set(Errc::permission_denied,
                    "the application lacks the permission Mail.Read, or the mailbox is outside the "
                    "scope it was granted for");
                return error;
            case MailboxVerdict::nothing:
                break;
        }
    }
    switch (failure_.status) {
        case 401:
            set(Errc::unauthenticated, "the service refuses a new token: check tenant and cloud");
            return error;
        case 403:
            set(Errc::permission_denied,
                "grant the application permission User.Read.All with admin consent");
            return error;
        case 404:
            if (failure_.codes.empty()) {
                set(Errc::unavailable, "without saying what is missing");
            } else {
                set(Errc::not_found, {});
            }
            return error;
        case 405:
        case 501:
            set(Errc::unsupported, {});
            return error;
        case 423:
            set(Errc::permission_denied,
                "the tenant or its subscription is locked: check the subscription");
            return error;
        default:
            break;
    }
    if (is_transient(failure_)) {
        set(Errc::unavailable, "the service is failing for now");
        error.retry_after = failure_.retry_after;
        return error;
    }
    if (failure_.status >= 300 && failure_.status < 400) {
        set(Errc::unavailable, "redirects are not followed: check the address of the service");
        return error;
    }
    set(Errc::internal, "the service does not accept the request");
    return error;
}

}  // namespace openarchiver::microsoft365
