#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The closed list of ways in which an operation can fail, shared by the engine and its plugins.
namespace openarchiver::sdk {

enum class Errc : std::uint8_t {
    cancelled,           ///< the stop token was triggered
    invalid_argument,    ///< the caller broke the contract
    invalid_config,      ///< the configuration can't work; a person has to change it
    unauthenticated,     ///< the service refused the credentials
    permission_denied,   ///< the service knows us and refuses this
    not_found,           ///< it does not exist (any more)
    already_exists,      ///< if-absent creation found an object
    cursor_expired,      ///< the service no longer knows the cursor: list anew without one
    rate_limited,        ///< the service asks to wait; see Error::retry_after
    unavailable,         ///< outage, broken connection, truncated body: try again later
    timed_out,           ///< no answer in time
    resource_exhausted,  ///< no space, no memory, quota
    corrupt,             ///< what was read is damaged or not what it should be
    unsupported,         ///< this can't be done here, now or later
    internal,            ///< a defect: of the plugin, of the engine, of the service
};

/// The stable name of a code ("rate_limited"), as it appears in logs, documents and the catalog.
[[nodiscard]] constexpr std::string_view to_string(Errc code) noexcept {
    switch (code) {
        case Errc::cancelled:
            return "cancelled";
        case Errc::invalid_argument:
            return "invalid_argument";
        case Errc::invalid_config:
            return "invalid_config";
        case Errc::unauthenticated:
            return "unauthenticated";
        case Errc::permission_denied:
            return "permission_denied";
        case Errc::not_found:
            return "not_found";
        case Errc::already_exists:
            return "already_exists";
        case Errc::cursor_expired:
            return "cursor_expired";
        case Errc::rate_limited:
            return "rate_limited";
        case Errc::unavailable:
            return "unavailable";
        case Errc::timed_out:
            return "timed_out";
        case Errc::resource_exhausted:
            return "resource_exhausted";
        case Errc::corrupt:
            return "corrupt";
        case Errc::unsupported:
            return "unsupported";
        case Errc::internal:
            return "internal";
    }
    return "internal";
}

/// Whether the same call may succeed later without anybody changing anything.
[[nodiscard]] constexpr bool is_retryable(Errc code) noexcept {
    return code == Errc::rate_limited || code == Errc::unavailable || code == Errc::timed_out;
}

/// What went wrong. `message` says what failed, on what and why, in one sentence for an
/// administrator; it never holds a secret, a subject or the text of a mail.
struct Error {
    Errc code = Errc::internal;
    std::string message = {};
    /// The service's own code where it has one ("ErrorItemNotFound", "AADSTS7000215").
    std::string service_code = {};
    /// The id under which the service's support finds this request; may be empty.
    std::string request_id = {};
    /// How long the service asked to wait, from now; only with `rate_limited` and `unavailable`.
    std::optional<std::chrono::milliseconds> retry_after = {};
};

}  // namespace openarchiver::sdk
