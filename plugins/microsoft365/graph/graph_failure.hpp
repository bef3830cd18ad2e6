#pragma once

#include <chrono>
#include <openarchiver/sdk/error.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "throttle/request_ceiling.hpp"

namespace openarchiver::microsoft365 {

/// An answer of Graph that is an error, as far as it could be understood: bodies may be empty, or
/// a proxy's HTML.
struct GraphFailure {
    int status = 0;
    /// From the outermost to the innermost; empty without an error envelope.
    std::vector<std::string> codes;
    /// Graph's words. They may name people: for classification only, never shown.
    std::string text;
    std::string request_id;
    std::optional<std::chrono::milliseconds> retry_after;

    /// Codes differ in case between documentation and services.
    [[nodiscard]] bool has_code(std::string_view code) const;
    /// The code to show.
    [[nodiscard]] std::string service_code() const;
};

GraphFailure parse_graph_failure(int status, std::string_view body, std::string_view request_id);

/// What a request was about, which decides what "404" means.
enum class Subject : std::uint8_t { directory, mailbox, folder, item };

/// Whether the service asks to slow down.
bool is_throttling(const GraphFailure& failure);

/// Whose limit it speaks of; `header` is x-ms-throttle-scope.
ThrottledScope throttled_scope(const GraphFailure& failure, std::string_view header);

/// Whether the same request may succeed soon.
bool is_transient(const GraphFailure& failure);

/// Whether the change token is of no use any more. `stored` says that it came from an earlier run,
/// for which a plain 400 means the same.
enum class TokenOrigin : std::uint8_t { this_walk, stored };
bool is_expired_token(const GraphFailure& failure, TokenOrigin origin);

/// Whether the service does not tell what changed in the mailbox, however it is asked: a mailbox
/// that is full can't keep the change token.
bool refuses_changes(const GraphFailure& failure);

/// What a mailbox path's error says about the mailbox itself.
enum class MailboxVerdict : std::uint8_t {
    nothing,
    without_mailbox,   ///< nothing there to read (now)
    user_gone,         ///< the directory has no such user any more
    closed_by_policy,  ///< the tenant's policy keeps the application out
    denied,            ///< refused; consent is missing, or the mailbox is out of scope
};
MailboxVerdict mailbox_verdict(const GraphFailure& failure);

/// `what` is what was being done: "listing the users".
sdk::Error to_error(const GraphFailure& failure, Subject subject, std::string_view what);

}  // namespace openarchiver::microsoft365
