#pragma once

#include <openarchiver/sdk/error.hpp>
#include <string>
#include <utility>

namespace openarchiver::http {

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

/// service_code of a certificate that is not trusted.
inline constexpr char kUntrustedCertificate[] = "CertificateUntrusted";
/// service_code of what is a proxy's doing and may pass, and of what it refuses.
inline constexpr char kProxyFault[] = "ProxyFault";
inline constexpr char kProxyRefusal[] = "ProxyRefusal";

/// Trying again won't help, a person will.
inline bool needs_person(const sdk::Error& error) {
    return error.service_code == kUntrustedCertificate || error.service_code == kProxyRefusal;
}

}  // namespace openarchiver::http
