#pragma once

#include <openarchiver/sdk/error.hpp>
#include <string>
#include <string_view>
#include <utility>

namespace openarchiver::imap {

inline sdk::Error failure(sdk::Errc code, std::string message, std::string service_code = {}) {
    return {.code = code, .message = std::move(message), .service_code = std::move(service_code)};
}

inline sdk::Error cancelled() {
    return failure(sdk::Errc::cancelled, "stopped");
}

/// service_code of a certificate that is not trusted.
inline constexpr char kUntrustedCertificate[] = "CertificateUntrusted";

/// What a command was for: the same response code may mean different things.
enum class Purpose : std::uint8_t { signing_in, mailbox, message, other };

/// The error for a NO, BAD or BYE. `response_code` is the atom in brackets ("AUTHENTICATIONFAILED",
/// RFC 5530), `words` what the server says to people: told only where it can't be about a mail.
sdk::Error refusal(std::string_view condition, std::string_view response_code,
                   std::string_view words, std::string_view what, Purpose purpose);

}  // namespace openarchiver::imap
