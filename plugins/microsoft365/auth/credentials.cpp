#include "auth/credentials.hpp"

#include <openssl/rand.h>

#include <algorithm>
#include <boost/json.hpp>

#include "auth/small_file.hpp"
#include "auth/token_documents.hpp"
#include "failure.hpp"
#include "http/base64.hpp"
#include "http/origin.hpp"
#include "random_id.hpp"
#include "time_text.hpp"

namespace openarchiver::microsoft365 {

namespace {

namespace json = boost::json;
using sdk::Errc;
using Kind = CredentialSettings::Kind;
using std::chrono::sys_seconds;

constexpr std::size_t kMaxToken = 64 * 1024;
constexpr std::string_view kAssertionType =
    "&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
    "&client_assertion=";
/// A clock that is a little ahead must not make an assertion of the future.
constexpr std::chrono::seconds kBackdated{60};
constexpr std::chrono::seconds kAssertionLife{600};

/// https://learn.microsoft.com/entra/identity-platform/certificate-credentials
sdk::Result<std::string> client_assertion(const ClientCertificate& certificate,
                                          SigningAlgorithm algorithm, const std::string& client_id,
                                          const std::string& audience, sys_seconds now) {
    json::object header{{"alg", "PS256"}, {"typ", "JWT"}};
    header["x5t#S256"] = encode_base64url(certificate.sha256);
    if (algorithm == SigningAlgorithm::rs256) {
        header["alg"] = "RS256";
        header["x5t"] = encode_base64url(certificate.sha1);
    }
    const auto from = (now - kBackdated).time_since_epoch().count();
    const json::object claims{{"aud", audience},
                              {"iss", client_id},
                              {"sub", client_id},
                              {"jti", random_guid()},
                              {"iat", now.time_since_epoch().count()},
                              {"nbf", from},
                              {"exp", from + kAssertionLife.count()}};
    std::string text =
        encode_base64url(json::serialize(header)) + "." + encode_base64url(json::serialize(claims));
    OPENARCHIVER_TRY(const std::string signature, sign(certificate, algorithm, text));
    return text + "." + encode_base64url(signature);
}

sys_seconds now_of(const sdk::Clock& clock) {
    return std::chrono::floor<std::chrono::seconds>(clock.now());
}

std::string describe(const ClientCertificate& certificate) {
    return "the certificate with the thumbprint " + certificate.thumbprint() + ", valid from " +
           date_text(certificate.not_before) + " to " + date_text(certificate.not_after);
}

std::string describe(const AssertionClaims& claims) {
    return "a token of issuer '" + claims.issuer + "', subject '" + claims.subject +
           "', audience '" + claims.audience + "'";
}

/// Entra would refuse it as well, in words that do not name the file.
sdk::Status in_force(const ClientCertificate& certificate, const std::filesystem::path& file,
                     sys_seconds now) {
    const auto refuse = [&](std::string_view what) {
        return failure(Errc::unauthenticated,
                       "no token: certificate.file " + file.string() + " holds " +
                           describe(certificate) + ": it " + std::string(what) +
                           " (this machine's date is " + date_text(now) + ")",
                       "CertificateNotInForce");
    };
    if (now >= certificate.not_after) {
        return refuse(
            "has expired. Make a new one, upload its public part under Certificates & secrets > "
            "Certificates, and put it into the file");
    }
    if (now < certificate.not_before) {
        return refuse(
            "is not valid yet. Wait, use the earlier one until then, or set this machine's clock");
    }
    return {};
}

}  // namespace

sdk::Result<std::string> Credentials::secret() const {
    auto secret = host_.secrets.get("/client_secret");
    if (!secret) {
        return failure(Errc::invalid_config,
                       "the Client Secret Value can't be read: " + secret.error().message);
    }
    return secret;
}

sdk::Result<ClientCertificate> Credentials::certificate() const {
    std::optional<std::string> password;
    if (auto given = host_.secrets.get("/certificate/password")) {
        password = std::move(*given);
    } else if (given.error().code != Errc::not_found) {
        return failure(Errc::invalid_config,
                       "certificate.password can't be read: " + given.error().message);
    }
    return read_client_certificate(settings_.file, password);
}

sdk::Result<Credentials::FederatedToken> Credentials::federated_token() const {
    OPENARCHIVER_TRY(std::string token,
                     read_small_file("federated_token_file", settings_.file, kMaxToken));
    const std::size_t begin = std::min(token.find_first_not_of(" \t\r\n"), token.size());
    token = token.substr(begin, token.find_last_not_of(" \t\r\n") + 1 - begin);
    auto claims = parse_assertion_claims(token);
    if (!claims) {
        return failure(Errc::invalid_config,
                       "federated_token_file " + settings_.file.string() +
                           " does not hold a token (a JWT in one line): name the file that the "
                           "platform writes it to");
    }
    return FederatedToken{std::move(token), std::move(*claims)};
}

sdk::Result<Proof> Credentials::prove(const std::string& client_id,
                                      const std::string& audience) const {
    const sys_seconds now = now_of(host_.clock);
    switch (settings_.kind) {
        case Kind::secret: {
            OPENARCHIVER_TRY(const std::string value, secret());
            return Proof{"&client_secret=" + percent_encode(value), {}};
        }
        case Kind::certificate: {
            OPENARCHIVER_TRY(const ClientCertificate own, certificate());
            OPENARCHIVER_CHECK(in_force(own, settings_.file, now));
            OPENARCHIVER_TRY(const std::string assertion,
                             client_assertion(own, settings_.algorithm, client_id, audience, now));
            return Proof{std::string(kAssertionType) + assertion, describe(own)};
        }
        case Kind::federated_token: {
            OPENARCHIVER_TRY(const auto token, federated_token());
            if (token.claims.expires && *token.claims.expires <= now) {
                return failure(Errc::unauthenticated,
                               "no token: the token in federated_token_file " +
                                   settings_.file.string() + " expired " +
                                   std::to_string((now - *token.claims.expires).count()) +
                                   " s ago by this machine's clock: whatever writes the file does "
                                   "not renew it",
                               "FederatedTokenExpired");
            }
            return Proof{std::string(kAssertionType) + percent_encode(token.text),
                         describe(token.claims)};
        }
    }
    return failure(Errc::internal, "a credential of unknown kind");
}

sdk::Result<std::string> Credentials::key_material() const {
    switch (settings_.kind) {
        case Kind::secret:
            return secret();
        case Kind::certificate:
            return read_small_file("certificate.file", settings_.file, kMaxCertificateFile);
        case Kind::federated_token:
            break;
    }
    std::string bytes(32, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()),
                   static_cast<int>(bytes.size())) != 1) {
        return failure(Errc::internal, "the system has no random numbers");
    }
    return bytes;
}

sdk::Result<CredentialState> Credentials::inspect() const {
    CredentialState state;
    const auto remark_on_mode = [&] {
        if (is_readable_by_everybody(settings_.file)) {
            state.remark =
                "Every user of this machine may read it: chmod 600 " + settings_.file.string();
        }
    };
    switch (settings_.kind) {
        case Kind::secret: {
            OPENARCHIVER_TRY(const std::string value, secret());
            state.description = "a client secret";
            if (settings_.secret_expires) {
                // On that day it may still work.
                state.expires = std::chrono::sys_days(*settings_.secret_expires) +
                                std::chrono::days(1) - std::chrono::seconds(1);
            }
            break;
        }
        case Kind::certificate: {
            OPENARCHIVER_TRY(const ClientCertificate own, certificate());
            state.description = describe(own);
            state.expires = own.not_after;
            remark_on_mode();
            break;
        }
        case Kind::federated_token: {
            OPENARCHIVER_TRY(const auto token, federated_token());
            state.description = describe(token.claims);
            break;
        }
    }
    return state;
}

}  // namespace openarchiver::microsoft365
