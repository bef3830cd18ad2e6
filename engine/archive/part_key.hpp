#pragma once

#include <array>
#include <cstddef>
#include <openarchiver/sdk/result.hpp>
#include <span>

#include "archive/keyring.hpp"
#include "archive/seal.hpp"

/// Parts have keys of their own; each account that holds one has the part's key sealed under its
/// account key (docs/archive-format.md, Keys). Forgetting an account loses its copy only.
namespace openarchiver::archive {

/// A part's key, sealed for one account; zero bytes in an archive without encryption.
using WrappedKey = std::array<std::byte, 32 + kTagSize>;

[[nodiscard]] AccountKey new_part_key(bool encrypted);

[[nodiscard]] WrappedKey wrap_part_key(const AccountKey& account, const AccountKey& part);

/// corrupt: it was not sealed for this account.
[[nodiscard]] sdk::Result<AccountKey> unwrap_part_key(const AccountKey& account, const KeyId& part,
                                                      const WrappedKey& wrapped);

}  // namespace openarchiver::archive
