#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "archive/master_key.hpp"
#include "archive/passphrase.hpp"

namespace openarchiver::archive {

/// Names a key in frames and segments: 16 random bytes.
using KeyId = std::array<std::byte, 16>;

struct AccountKey {
    KeyId id{};
    /// Absent in an archive without encryption.
    std::optional<SecretKey> key;
};

/// Overwrites the key, where there is one.
void wipe_key(AccountKey& account);

/// What a keyring says of itself without any key.
struct KeyringHeader {
    bool encrypted = true;
    /// key_check_value() of the master key that opens it; empty without encryption.
    std::string key_check;
    /// How that key is made from a passphrase; absent: it was given as it is.
    std::optional<Scrypt> scrypt;
    /// Grows with every keyring that is saved: tells an older one that was put back.
    std::uint64_t generation = 0;
};

/// The keys of an archive: one for each account, one ("archive") for what belongs to none, and the
/// one that signs heads.
/// Immutable packs and segments are sealed with them; only the keyring is ever rewritten, and what
/// it no longer holds can never be read again. Safe for concurrent use.
class Keyring {
public:
    /// An empty keyring with a new archive key.
    static Keyring create(bool encrypted);

    Keyring(Keyring&& other) noexcept;
    Keyring& operator=(Keyring&&) = delete;
    ~Keyring();

    [[nodiscard]] AccountKey archive_key() const;
    /// Ed25519. There is one also without encryption, where it lies open.
    [[nodiscard]] SecretKey signing_key() const;
    /// Of the keyring that was saved last.
    [[nodiscard]] std::uint64_t generation() const;
    /// The next one that is saved is newer than this generation, whatever was lost since.
    void succeed(std::uint64_t generation);
    /// How the master key that it is sealed with is made from a passphrase.
    void set_scrypt(const std::optional<Scrypt>& scrypt);
    [[nodiscard]] std::optional<Scrypt> scrypt() const;
    /// The key of an account, made at its first use. A new key must be durable (Archive::
    /// save_keyring) before anything sealed with it is.
    [[nodiscard]] AccountKey account_key(std::string_view source, std::string_view account);
    /// not_found: there never was one, or the account was forgotten.
    [[nodiscard]] sdk::Result<AccountKey> find(const KeyId& id) const;
    /// The key of an account that has one; none is made.
    [[nodiscard]] std::optional<AccountKey> find(std::string_view source,
                                                 std::string_view account) const;
    /// Drops an account's key: once saved, nothing sealed with it can be read again. False where
    /// there is none.
    bool forget(std::string_view source, std::string_view account);
    /// True while there are changes that were not saved.
    [[nodiscard]] bool dirty() const;
    [[nodiscard]] std::size_t size() const;

    /// The sealed object (docs/archive-format.md, Keyring), and back. unauthenticated: this master
    /// key does not open it; corrupt: damaged.
    [[nodiscard]] sdk::Result<std::string> seal(const std::optional<SecretKey>& master) const;
    [[nodiscard]] static sdk::Result<Keyring> open(std::string_view object,
                                                   const std::optional<SecretKey>& master);
    /// corrupt: no keyring, or a damaged one.
    [[nodiscard]] static sdk::Result<KeyringHeader> read_header(std::string_view object);
    /// What the last seal() wrote is durable; keys made since then are not.
    void mark_saved();

private:
    explicit Keyring(bool encrypted);

    using Account = std::pair<std::string, std::string>;  // source, account

    mutable std::mutex mutex_;  // guards everything below
    bool encrypted_ = true;
    std::uint64_t changes_ = 1;
    std::uint64_t saved_changes_ = 0;
    mutable std::uint64_t sealed_changes_ = 0;
    std::uint64_t generation_ = 0;
    mutable std::uint64_t sealed_generation_ = 0;
    std::optional<Scrypt> scrypt_;
    AccountKey archive_key_;
    AccountKey signing_key_;
    std::map<Account, AccountKey> by_account_;
    std::map<KeyId, AccountKey> by_id_;
};

}  // namespace openarchiver::archive
