#include "plugin/secrets.hpp"

#include <cstdlib>
#include <fstream>
#include <system_error>
#include <utility>

#include "files/shared_file.hpp"
#include "plugin/digest.hpp"

namespace openarchiver::plugin {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxSecretBytes = 65536;
constexpr std::size_t kMaxFileName = 240;

sdk::Error unusable(const std::string& message) {
    return {sdk::Errc::invalid_config, message};
}

sdk::Result<std::string> read_file(const fs::path& file) {
    std::error_code error;
    if (!fs::is_regular_file(file, error)) {
        return sdk::Error{sdk::Errc::not_found, "there is no file " + file.string()};
    }
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        return sdk::Error{sdk::Errc::permission_denied,
                          "the file " + file.string() + " can't be read"};
    }
    std::string bytes(kMaxSecretBytes + 1, '\0');
    stream.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    if (stream.bad()) {
        return sdk::Error{sdk::Errc::unavailable, "reading the file " + file.string() + " failed"};
    }
    bytes.resize(static_cast<std::size_t>(stream.gcount()));
    if (bytes.size() > kMaxSecretBytes) {
        return sdk::Error{sdk::Errc::corrupt, "the file " + file.string() +
                                                  " is larger than 64 KiB, so it holds no secret"};
    }
    return bytes;
}

/// A name as a file name: what is not plain is written as %XX.
sdk::Result<std::string> file_name(std::string_view name) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    std::string escaped;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            c == '-' || c == '_') {
            escaped.push_back(c);
        } else {
            escaped += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
        }
    }
    if (escaped.empty() || escaped.size() > kMaxFileName) {
        return sdk::Error{sdk::Errc::invalid_argument,
                          "a rotated secret can't be kept: its place in the configuration is "
                          "empty or too long for a file name"};
    }
    return escaped;
}

/// What is kept for a rotated value: the name against files that were swapped, and a salted HMAC of
/// the configured value that it replaces.
struct Rotated {
    std::string name;
    std::string salt;
    std::string configured;
    std::string value;

    [[nodiscard]] std::string to_bytes() const {
        return "openarchiver-secret 1\n" + name + '\n' + salt + '\n' + configured + '\n' + value;
    }

    static std::optional<Rotated> from_bytes(std::string_view bytes) {
        std::string_view lines[4];
        for (std::string_view& line : lines) {
            const std::size_t end = bytes.find('\n');
            if (end == std::string_view::npos) {
                return std::nullopt;
            }
            line = bytes.substr(0, end);
            bytes.remove_prefix(end + 1);
        }
        if (lines[0] != "openarchiver-secret 1") {
            return std::nullopt;
        }
        return Rotated{std::string(lines[1]), std::string(lines[2]), std::string(lines[3]),
                       std::string(bytes)};
    }
};

}  // namespace

SecretVault::~SecretVault() = default;

sdk::Result<std::string> resolve(const SecretReference& reference) {
    switch (reference.kind) {
        case SecretReference::Kind::literal:
            return reference.value;
        case SecretReference::Kind::env: {
            const char* value = std::getenv(reference.value.c_str());
            if (value == nullptr || *value == '\0') {
                return unusable("the environment variable " + reference.value + " is " +
                                (value == nullptr ? "not set" : "empty") +
                                "; set it to the secret for the engine's process");
            }
            return std::string(value);
        }
        case SecretReference::Kind::file: {
            auto bytes = read_file(reference.value);
            if (!bytes) {
                return unusable("the secret can't be read: " + bytes.error().message +
                                "; create the file, readable for the engine's user only");
            }
            bytes->resize(bytes->find_last_not_of("\r\n") + 1);
            if (bytes->empty()) {
                return unusable("the secret file " + reference.value +
                                " is empty; write the secret into it");
            }
            return bytes;
        }
        case SecretReference::Kind::sealed:
            return sdk::Error{sdk::Errc::unsupported, "a sealed secret is opened by its vault"};
    }
    return sdk::Error{sdk::Errc::internal, "a secret reference of unknown kind"};
}

Sealing no_sealing() {
    const auto as_it_is = [](std::string_view bytes) -> sdk::Result<std::string> {
        return std::string(bytes);
    };
    return {as_it_is, as_it_is};
}

FileSecretVault::FileSecretVault(fs::path folder, Sealing sealing)
    : folder_(std::move(folder)), sealing_(std::move(sealing)) {}

sdk::Result<std::optional<std::string>> FileSecretVault::load(std::string_view name) {
    OPENARCHIVER_TRY(const std::string escaped, file_name(name));
    const fs::path file = folder_ / escaped;
    auto sealed = read_file(file);
    if (!sealed) {
        if (sealed.error().code == sdk::Errc::not_found) {
            return std::optional<std::string>();
        }
        return std::move(sealed.error());
    }
    auto bytes = sealing_.open(*sealed);
    if (!bytes) {
        return sdk::Error{sdk::Errc::corrupt, "the rotated secret in " + file.string() +
                                                  " can't be opened: " + bytes.error().message +
                                                  "; delete the file to use the configured "
                                                  "secret again"};
    }
    return std::optional(std::move(*bytes));
}

sdk::Status FileSecretVault::store(std::string_view name, std::string_view bytes) {
    OPENARCHIVER_TRY(const std::string escaped, file_name(name));
    OPENARCHIVER_TRY(const std::string sealed, sealing_.seal(bytes));
    const std::lock_guard lock(mutex_);
    std::error_code error;
    if (fs::create_directories(folder_, error); error) {
        return sdk::Error{sdk::Errc::unavailable,
                          "creating " + folder_.string() + " failed: " + error.message()};
    }
    fs::permissions(folder_, fs::perms::owner_all, error);
    if (error) {
        return sdk::Error{sdk::Errc::permission_denied,
                          "protecting " + folder_.string() + " failed: " + error.message()};
    }
    sdk::Status stored = files::replace_file(folder_ / escaped, sealed);
    if (!stored && stored.error().code == sdk::Errc::permission_denied) {
        stored.error().code = sdk::Errc::unavailable;  // it is not the service that refuses
    }
    return stored;
}

sdk::Result<std::string> FileSecretVault::seal(std::string_view bytes) {
    return sealing_.seal(bytes);
}

sdk::Result<std::string> FileSecretVault::open(std::string_view sealed) {
    return sealing_.open(sealed);
}

ConfiguredSecrets::ConfiguredSecrets(std::string owner, SecretReferences references,
                                     SecretVault* vault)
    : owner_(std::move(owner)), references_(std::move(references)), vault_(vault) {}

sdk::Result<std::string> ConfiguredSecrets::configured(const SecretReference& reference) const {
    if (reference.kind != SecretReference::Kind::sealed) {
        return resolve(reference);
    }
    if (vault_ == nullptr) {
        return unusable("the secrets of " + owner_ +
                        " are kept with the archive, which is not open here");
    }
    return vault_->open(reference.value);
}

sdk::Result<std::string> ConfiguredSecrets::get(std::string_view pointer) {
    const auto reference = references_.find(pointer);
    if (reference == references_.end()) {
        return sdk::Error{sdk::Errc::not_found, "the configuration of " + owner_ +
                                                    " has no secret at " + std::string(pointer)};
    }
    OPENARCHIVER_TRY(std::string configured, this->configured(reference->second));
    if (vault_ == nullptr) {
        return configured;
    }
    const std::string name = owner_ + std::string(pointer);
    OPENARCHIVER_TRY(const std::optional<std::string> kept, vault_->load(name));
    if (!kept) {
        return configured;
    }
    auto rotated = Rotated::from_bytes(*kept);
    if (!rotated || rotated->name != name) {
        return sdk::Error{sdk::Errc::corrupt,
                          "what was kept as the rotated secret " + name +
                              " is something else; delete its file to use the configured secret"};
    }
    OPENARCHIVER_TRY(const std::string digest, hmac_sha256(rotated->salt, configured));
    return digest == rotated->configured ? std::move(rotated->value) : std::move(configured);
}

sdk::Status ConfiguredSecrets::update(std::string_view pointer, std::string_view value) {
    const auto reference = references_.find(pointer);
    if (reference == references_.end()) {
        return sdk::Error{sdk::Errc::not_found, "the configuration of " + owner_ +
                                                    " has no secret at " + std::string(pointer)};
    }
    if (vault_ == nullptr) {
        return sdk::Error{sdk::Errc::unsupported, "rotated secrets are not kept here"};
    }
    OPENARCHIVER_TRY(const std::string configured, this->configured(reference->second));
    OPENARCHIVER_TRY(std::string salt, random_hex(16));
    OPENARCHIVER_TRY(std::string digest, hmac_sha256(salt, configured));
    const std::string name = owner_ + std::string(pointer);
    const Rotated rotated{name, std::move(salt), std::move(digest), std::string(value)};
    return vault_->store(name, rotated.to_bytes());
}

}  // namespace openarchiver::plugin
