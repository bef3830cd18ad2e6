#pragma once

#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <vector>

#include "settings.hpp"

/// Which accounts the configured paths hold.
///
/// - With `account` set, all paths are this one account.
/// - Without, each path is an account named by its folder: `mail/alice` is `alice`.
/// - A path that is no Maildir itself but has at least one directly below is a spool: each of its
///   folders is an account. One Maildir is enough, so that a user folder in the making or a stray
///   folder does not rename every account of the spool.
/// - Single files belong to the account of their folder.
/// - Two accounts, or two paths of one account, of the same name are refused: their ids would mix.
///   So are a path and another one below it, whose mail would be archived twice.
namespace openarchiver::mailfiles {

/// A configured folder, or the folder of configured files.
struct Root {
    enum class Scope : std::uint8_t {
        tree,         ///< everything below
        files_only,   ///< the files directly in it
        named_files,  ///< those in `files`
    };

    std::string path;
    /// The last part of the path, in bytes; the first segment of all its folder and file ids.
    std::string name;
    Scope scope = Scope::tree;
    std::vector<std::string> files = {};
};

struct AccountLayout {
    std::string id;
    /// In bytes, as on disk or as configured.
    std::string name;
    std::vector<Root> roots;
};

/// Looks at the paths. invalid_config; unavailable or permission_denied: a path can't be read.
sdk::Result<std::vector<AccountLayout>> resolve_accounts(const Settings& settings);

}  // namespace openarchiver::mailfiles
