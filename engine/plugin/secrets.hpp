#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <optional>
#include <string>
#include <string_view>

/// Where secrets come from, and where values rotated by a service are kept.
namespace openarchiver::plugin {

struct SecretReference {
    enum class Kind : std::uint8_t {
        env,      ///< `value` is the name of an environment variable
        file,     ///< `value` is an absolute path
        literal,  ///< `value` is the secret itself
        sealed,   ///< `value` is what a vault's seal() made of the secret
    };
    Kind kind = Kind::literal;
    std::string value;

    bool operator==(const SecretReference&) const = default;
};

/// Secrets of one configuration, by the JSON pointer of their place in it.
using SecretReferences = std::map<std::string, SecretReference, std::less<>>;

/// Reads the secret anew; the line break at the end of a file is not part of it.
/// Errc::invalid_config where the variable or file is missing, empty or unreadable, naming it,
/// never the value; unsupported for a sealed one: a vault opens that.
[[nodiscard]] sdk::Result<std::string> resolve(const SecretReference& reference);

/// Keeps values that a service rotated. Safe for concurrent use.
class SecretVault {
public:
    SecretVault() = default;
    SecretVault(const SecretVault&) = delete;
    SecretVault& operator=(const SecretVault&) = delete;
    virtual ~SecretVault();

    /// Nothing where nothing was stored under this name.
    virtual sdk::Result<std::optional<std::string>> load(std::string_view name) = 0;
    /// Durable, and replaces an earlier value.
    virtual sdk::Status store(std::string_view name, std::string_view bytes) = 0;

    /// Protects bytes as the vault protects what it keeps, and opens them again.
    virtual sdk::Result<std::string> seal(std::string_view bytes) = 0;
    virtual sdk::Result<std::string> open(std::string_view sealed) = 0;
};

/// How a vault's files are protected: authenticated encryption under the archive's master key.
struct Sealing {
    using Function = std::function<sdk::Result<std::string>(std::string_view)>;
    Function seal;
    Function open;
};

/// For an archive without encryption: the file's mode is the only protection.
[[nodiscard]] Sealing no_sealing();

/// One sealed file of mode 0600 for each name, in a folder of mode 0700 that is created at need.
class FileSecretVault final : public SecretVault {
public:
    FileSecretVault(std::filesystem::path folder, Sealing sealing);

    sdk::Result<std::optional<std::string>> load(std::string_view name) override;
    sdk::Status store(std::string_view name, std::string_view bytes) override;
    sdk::Result<std::string> seal(std::string_view bytes) override;
    sdk::Result<std::string> open(std::string_view sealed) override;

private:
    std::filesystem::path folder_;
    Sealing sealing_;
    std::mutex mutex_;  // one writer of the temporary file at a time
};

/// The secrets of one source or storage backend. A rotated value counts only as long as the
/// configured one is what it was when the service rotated it.
class ConfiguredSecrets final : public sdk::Secrets {
public:
    /// `owner` is the id of the source; `vault` may be null (then update() is unsupported) and must
    /// outlive the object.
    ConfiguredSecrets(std::string owner, SecretReferences references, SecretVault* vault);

    sdk::Result<std::string> get(std::string_view pointer) override;
    sdk::Status update(std::string_view pointer, std::string_view value) override;

private:
    [[nodiscard]] sdk::Result<std::string> configured(const SecretReference& reference) const;

    std::string owner_;
    SecretReferences references_;
    SecretVault* vault_;
};

}  // namespace openarchiver::plugin
