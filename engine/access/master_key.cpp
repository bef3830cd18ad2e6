#include "access/master_key.hpp"

#include <cstdlib>
#include <utility>

#include "access/key_rotation.hpp"
#include "archive/seal.hpp"
#include "plugin/secrets.hpp"

namespace openarchiver::access {

using profile::KeyReference;
using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

Result<std::string> read_passphrase(const KeyReference& reference) {
    const bool env = reference.kind == KeyReference::Kind::env;
    auto text = plugin::resolve(
        {.kind = env ? plugin::SecretReference::Kind::env : plugin::SecretReference::Kind::file,
         .value = reference.value});
    if (!text) {
        return Error{Errc::not_found,
                     to_text(reference) + " can't be read: " + text.error().message};
    }
    return text;
}

Result<archive::SecretKey> derive(std::string passphrase, const archive::Scrypt& scrypt) {
    auto key = archive::derive_master_key(passphrase, scrypt);
    archive::wipe(std::as_writable_bytes(std::span(passphrase)));
    return key;
}

Result<archive::SecretKey> read_plain_key(const KeyReference& reference) {
    if (reference.kind == KeyReference::Kind::file) {
        return archive::load_master_key(reference.value);
    }
    const char* text = std::getenv(reference.value.c_str());
    if (text == nullptr || *text == '\0') {
        return Error{Errc::not_found, "the environment variable " + reference.value +
                                          " that should hold the archive's key is not set"};
    }
    return archive::parse_master_key(text);
}

}  // namespace

std::string to_text(const KeyReference& reference) {
    const std::string what = reference.passphrase ? "passphrase" : "key";
    return reference.kind == KeyReference::Kind::file
               ? "the " + what + " file " + reference.value
               : "the " + what + " in the environment variable " + reference.value;
}

Result<MasterKey> read_key(const KeyReference& reference,
                           const std::optional<archive::Scrypt>& scrypt) {
    if (!reference.passphrase) {
        OPENARCHIVER_TRY(const auto key, read_plain_key(reference));
        return MasterKey{.key = key, .scrypt = {}};
    }
    if (!scrypt) {
        return Error{Errc::unauthenticated,
                     "the archive's key is not made from a passphrase: name the key file or "
                     "variable at archive.encryption.key"};
    }
    OPENARCHIVER_TRY(std::string passphrase, read_passphrase(reference));
    OPENARCHIVER_TRY(const auto key, derive(std::move(passphrase), *scrypt));
    return MasterKey{.key = key, .scrypt = scrypt};
}

Result<MasterKey> read_new_key(const KeyReference& reference) {
    if (!reference.passphrase) {
        return read_key(reference, {});
    }
    OPENARCHIVER_TRY(std::string passphrase, read_passphrase(reference));
    OPENARCHIVER_CHECK(archive::check_new_passphrase(passphrase));
    const auto scrypt = archive::Scrypt::fresh();
    OPENARCHIVER_TRY(const auto key, derive(std::move(passphrase), scrypt));
    return MasterKey{.key = key, .scrypt = scrypt};
}

Result<std::optional<archive::SecretKey>> key_of_archive(const profile::Profile& profile,
                                                         const archive::KeyringHeader& keyring) {
    const auto& encryption = profile.archive.encryption;
    if (encryption.mode == profile::EncryptionMode::none) {
        return std::optional<archive::SecretKey>();
    }
    if (!keyring.encrypted) {
        return Error{Errc::invalid_config,
                     "the archive was created without encryption, and the profile gives it a key: "
                     "set archive.encryption to {\"mode\": \"none\"}"};
    }
    const auto key = read_key(encryption.key, keyring.scrypt);
    if (!key) {
        if (key.error().code != Errc::not_found) {
            return key.error();
        }
        return Error{Errc::not_found,
                     "the archive's key is missing: " + key.error().message +
                         "; put the key back that the archive was made with (without it the "
                         "archive can't be read)" +
                         where_else(encryption.key, keyring)};
    }
    const std::string given = archive::key_check_value(key->key);
    if (given != keyring.key_check) {
        return Error{Errc::unauthenticated,
                     "the archive wants the master key " + keyring.key_check + ", " +
                         to_text(encryption.key) + " gives " + given + " (check values)" +
                         (encryption.key.passphrase ? ": the passphrase is another one"
                                                    : ": configure the archive's own key") +
                         where_else(encryption.key, keyring)};
    }
    return std::optional(key->key);
}

}  // namespace openarchiver::access
