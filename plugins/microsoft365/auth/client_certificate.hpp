#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>

struct evp_pkey_st;  // OpenSSL's EVP_PKEY

namespace openarchiver::microsoft365 {

inline constexpr std::size_t kMaxCertificateFile = std::size_t{256} * 1024;

/// How a client assertion is signed.
enum class SigningAlgorithm : std::uint8_t {
    ps256,  ///< RSASSA-PSS: what Entra's documentation names
    rs256,  ///< RSASSA-PKCS1-v1_5: what older clients send
};

/// The application's certificate and its private key.
struct ClientCertificate {
    std::shared_ptr<evp_pkey_st> key;
    std::string sha1;    ///< over the DER form, raw
    std::string sha256;  ///< the same
    std::chrono::sys_seconds not_before;
    std::chrono::sys_seconds not_after;

    /// As the portal shows it: SHA-1 in hexadecimal.
    [[nodiscard]] std::string thumbprint() const;
};

/// Reads PEM (private key and certificate in one file, in any order; the issuers' may follow) or
/// PKCS#12; the content tells which. invalid_config says what is wrong with the file and what to
/// do.
sdk::Result<ClientCertificate> read_client_certificate(const std::filesystem::path& file,
                                                       const std::optional<std::string>& password);

/// internal: OpenSSL refused.
sdk::Result<std::string> sign(const ClientCertificate& certificate, SigningAlgorithm algorithm,
                              std::string_view text);

}  // namespace openarchiver::microsoft365
