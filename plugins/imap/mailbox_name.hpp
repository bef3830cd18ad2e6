#pragma once

#include <string>
#include <string_view>

/// Names of mailboxes are ASCII on the wire, with the rest in modified UTF-7 (RFC 3501 section
/// 5.1.3); those that can't be read so, people see as they are.
namespace openarchiver::imap {

/// UTF-8, for people only: control characters and bytes that are no UTF-8 become `%XX`.
[[nodiscard]] std::string display_name(std::string_view mailbox);

/// As display_name(), but reversibly: `%` itself is escaped, too.
[[nodiscard]] std::string escape_id(std::string_view mailbox);
[[nodiscard]] std::string unescape_id(std::string_view id);

}  // namespace openarchiver::imap
