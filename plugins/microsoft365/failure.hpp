#pragma once

#include <openarchiver/sdk/error.hpp>
#include <string>
#include <utility>

namespace openarchiver::microsoft365 {

/// An error without a service's own words.
inline sdk::Error failure(sdk::Errc code, std::string message, std::string service_code = {}) {
    return sdk::Error{.code = code,
                      .message = std::move(message),
                      .service_code = std::move(service_code),
                      .request_id = {},
                      .retry_after = {}};
}

inline sdk::Error cancelled() {
    return failure(sdk::Errc::cancelled, "stopped");
}

/// service_code of a certificate that is not trusted: trying again won't help, a person will.
inline constexpr char kUntrustedCertificate[] = "CertificateUntrusted";

}  // namespace openarchiver::microsoft365
