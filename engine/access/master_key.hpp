#pragma once

#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>

#include "archive/keyring.hpp"
#include "profile/profile.hpp"

/// The master key as a profile or a command line refers to it.
namespace openarchiver::access {

/// A master key and how it was made from a passphrase, where it was.
struct MasterKey {
    archive::SecretKey key{};
    std::optional<archive::Scrypt> scrypt;
};

/// As the profile names it: "the key file /srv/archive.key".
[[nodiscard]] std::string to_text(const profile::KeyReference& reference);

/// not_found: the file or the variable is missing. A passphrase is taken with `scrypt`.
[[nodiscard]] sdk::Result<MasterKey> read_key(const profile::KeyReference& reference,
                                              const std::optional<archive::Scrypt>& scrypt);
/// For an archive, or a keyring, that is to be made: a passphrase gets new parameters, and has to
/// be long enough.
[[nodiscard]] sdk::Result<MasterKey> read_new_key(const profile::KeyReference& reference);

/// The profile's key for the archive with this keyring; nullopt: encryption is off. not_found: the
/// key is missing; unauthenticated: it is another one, with what is known of the right one.
[[nodiscard]] sdk::Result<std::optional<archive::SecretKey>> key_of_archive(
    const profile::Profile& profile, const archive::KeyringHeader& keyring);

}  // namespace openarchiver::access
