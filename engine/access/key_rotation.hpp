#pragma once

#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "access/access.hpp"
#include "access/master_key.hpp"

/// A new master key: the keyring is sealed anew, contents and accounts' keys stay.
///
/// A key file is replaced in steps of which each is durable before the next: the new key in
/// FILE.new, the keyring under it (one object, replaced as a whole), the old key in FILE.old-CHECK,
/// FILE.new to FILE. After a crash between any two of them one of the files opens the archive;
/// rotate_key() goes on where it stood.
namespace openarchiver::access {

struct Rotation {
    std::string old_check;
    std::string new_check;
    /// Where the old key was kept; empty: it was in no file.
    std::filesystem::path old_file;
    /// An earlier rotation that was interrupted has been finished; or the archive had the key
    /// already that was asked for.
    bool finished_earlier = false;
};

/// `target` absent: a random key into the profile's key file. Otherwise the key is read from there
/// (made where it is a file that is missing), and the profile has to be changed afterwards.
/// already_exists: an engine has the archive open; invalid_config: not possible for this profile.
[[nodiscard]] sdk::Result<Rotation> rotate_key(const Context& context,
                                               const std::optional<profile::KeyReference>& target,
                                               const std::stop_token& stop);

/// For the message about a key that does not fit: " - ..." where the right one is beside it.
[[nodiscard]] std::string where_else(const profile::KeyReference& reference,
                                     const archive::KeyringHeader& keyring);

}  // namespace openarchiver::access
