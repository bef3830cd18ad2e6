#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>

#include "auth/client_certificate.hpp"
#include "auth/token_documents.hpp"

namespace openarchiver::microsoft365 {

struct CredentialSettings {
    enum class Kind : std::uint8_t { secret, certificate, federated_token };
    Kind kind = Kind::secret;
    /// Of the certificate or the federated token.
    std::filesystem::path file = {};
    SigningAlgorithm algorithm = SigningAlgorithm::ps256;
    std::optional<std::chrono::year_month_day> secret_expires = {};
};

/// What shows the token service that this is the application.
struct Proof {
    /// Parameters of the form, beginning with '&'.
    std::string form;
    /// What the service was shown, for whoever has to compare it with the registration. No secret.
    std::string presented;
};

/// What an administrator wants to know about a credential.
struct CredentialState {
    std::string description;
    std::optional<sdk::Timestamp> expires;
    /// What should be changed although it works; empty where nothing should.
    std::string remark;
};

/// What the application signs in with. Everything is read anew at each use: a secret, certificate
/// or token that was renewed in its place counts at the next token.
class Credentials {
public:
    Credentials(CredentialSettings settings, const sdk::HostServices& host)
        : settings_(std::move(settings)), host_(host) {}

    [[nodiscard]] CredentialSettings::Kind kind() const { return settings_.kind; }

    /// `audience` is the URL of the token endpoint. invalid_config: the credential can't be used as
    /// it is; unauthenticated: it is outside its validity.
    sdk::Result<Proof> prove(const std::string& client_id, const std::string& audience) const;

    /// invalid_config: the credential can't be used as it is.
    sdk::Result<CredentialState> inspect() const;

    /// Bytes that nobody else has, to derive keys from: the same as long as the credential is not
    /// renewed. A federated credential has none of its own: they are random then. invalid_config.
    sdk::Result<std::string> key_material() const;

private:
    struct FederatedToken {
        std::string text;
        AssertionClaims claims;
    };

    sdk::Result<std::string> secret() const;
    sdk::Result<ClientCertificate> certificate() const;
    sdk::Result<FederatedToken> federated_token() const;

    const CredentialSettings settings_;
    const sdk::HostServices host_;
};

}  // namespace openarchiver::microsoft365
