#include "archive/keyring.hpp"

#include <limits>
#include <vector>

#include "archive/digest.hpp"
#include "archive/random.hpp"
#include "archive/seal.hpp"
#include "archive/wire.hpp"

namespace openarchiver::archive {

namespace {

constexpr std::string_view kMagic = "OARCKEYS";
constexpr std::uint32_t kFormat = 1;
constexpr std::size_t kHeaderSize = 112;
constexpr std::size_t kDigestSize = 32;
constexpr std::size_t kEntryHeadSize = 1 + 16 + 32 + 2 + 2;

enum class EntryKind : std::uint8_t { archive = 0, account = 1, signing = 2 };
enum class Derivation : std::uint8_t { none = 0, scrypt = 1 };

// The plain keys of all accounts: grown by hand, because a vector that grows leaves copies behind.
class SecretBuffer {
public:
    explicit SecretBuffer(std::size_t size) : bytes_(size) {}

    SecretBuffer(const SecretBuffer&) = delete;
    SecretBuffer& operator=(const SecretBuffer&) = delete;

    ~SecretBuffer() { wipe(bytes_); }

    [[nodiscard]] std::span<std::byte> get() { return bytes_; }

private:
    std::vector<std::byte> bytes_;
};

sdk::Error damaged(std::string_view what) {
    return sdk::Error{.code = sdk::Errc::corrupt,
                      .message = "the archive's keyring is damaged: " + std::string(what) +
                                 "; bring the object `keyring` back from a copy of the archive"};
}

std::size_t write_entry(std::span<std::byte> target, std::size_t at, EntryKind kind,
                        const AccountKey& key, std::string_view source, std::string_view account) {
    wire::put(target, at, static_cast<std::uint8_t>(kind));
    wire::put_bytes(target, at + 1, key.id);
    if (key.key) {
        wire::put_bytes(target, at + 17, *key.key);
    }
    wire::put(target, at + 49, static_cast<std::uint16_t>(source.size()));
    wire::put(target, at + 51, static_cast<std::uint16_t>(account.size()));
    wire::put_bytes(target, at + kEntryHeadSize, wire::bytes_of(source));
    wire::put_bytes(target, at + kEntryHeadSize + source.size(), wire::bytes_of(account));
    return at + kEntryHeadSize + source.size() + account.size();
}

/// Magic, checksum and format. The checksum comes first: it tells damage from anything else.
sdk::Status check_object(std::string_view object) {
    const auto bytes = wire::bytes_of(object);
    if (bytes.size() < kHeaderSize + kDigestSize || !object.starts_with(kMagic)) {
        return damaged("it is too short, or does not begin with \"OARCKEYS\"");
    }
    const auto checked = bytes.first(bytes.size() - kDigestSize);
    if (sha256(checked) != wire::get_bytes<kDigestSize>(bytes, checked.size())) {
        return damaged("its checksum does not match");
    }
    if (const auto format = wire::get<std::uint32_t>(bytes, 8); format > kFormat) {
        return sdk::Error{.code = sdk::Errc::unsupported,
                          .message = "the keyring has format " + std::to_string(format) +
                                     ", this engine reads up to format " + std::to_string(kFormat) +
                                     ": use a newer engine"};
    }
    return {};
}

AccountKey make_key(bool encrypted) {
    AccountKey key{.id = random_bytes<16>(), .key = std::nullopt};
    if (encrypted) {
        key.key = random_bytes<32>();
    }
    return key;
}

}  // namespace

void wipe_key(AccountKey& account) {
    if (account.key) {
        wipe(*account.key);
    }
}

Keyring::Keyring(bool encrypted) : encrypted_(encrypted) {}

Keyring::Keyring(Keyring&& other) noexcept {
    const std::lock_guard lock(other.mutex_);
    encrypted_ = other.encrypted_;
    changes_ = other.changes_;
    saved_changes_ = other.saved_changes_;
    sealed_changes_ = other.sealed_changes_;
    generation_ = other.generation_;
    sealed_generation_ = other.sealed_generation_;
    scrypt_ = other.scrypt_;
    archive_key_ = other.archive_key_;
    wipe_key(other.archive_key_);
    signing_key_ = other.signing_key_;
    wipe_key(other.signing_key_);
    by_account_ = std::move(other.by_account_);
    by_id_ = std::move(other.by_id_);
}

Keyring::~Keyring() {
    wipe_key(archive_key_);
    wipe_key(signing_key_);
    for (auto& [account, key] : by_account_) {
        wipe_key(key);
    }
    for (auto& [id, key] : by_id_) {
        wipe_key(key);
    }
}

Keyring Keyring::create(bool encrypted) {
    Keyring keyring(encrypted);
    keyring.archive_key_ = make_key(encrypted);
    keyring.signing_key_ = make_key(true);
    keyring.by_id_.emplace(keyring.archive_key_.id, keyring.archive_key_);
    return keyring;
}

AccountKey Keyring::archive_key() const {
    const std::lock_guard lock(mutex_);
    return archive_key_;
}

SecretKey Keyring::signing_key() const {
    const std::lock_guard lock(mutex_);
    return *signing_key_.key;
}

std::uint64_t Keyring::generation() const {
    const std::lock_guard lock(mutex_);
    return generation_;
}

void Keyring::succeed(std::uint64_t generation) {
    const std::lock_guard lock(mutex_);
    generation_ = std::max(generation_, generation);
    ++changes_;
}

void Keyring::set_scrypt(const std::optional<Scrypt>& scrypt) {
    const std::lock_guard lock(mutex_);
    scrypt_ = scrypt;
}

std::optional<Scrypt> Keyring::scrypt() const {
    const std::lock_guard lock(mutex_);
    return scrypt_;
}

AccountKey Keyring::account_key(std::string_view source, std::string_view account) {
    const std::lock_guard lock(mutex_);
    const auto [entry, inserted] = by_account_.try_emplace(Account(source, account));
    if (inserted) {
        entry->second = make_key(encrypted_);
        by_id_.emplace(entry->second.id, entry->second);
        ++changes_;
    }
    return entry->second;
}

sdk::Result<AccountKey> Keyring::find(const KeyId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_id_.find(id);
    if (found == by_id_.end()) {
        return sdk::Error{.code = sdk::Errc::not_found,
                          .message = "the keyring has no key " + to_hex(id) +
                                     ": the account was forgotten, or the keyring is an older one"};
    }
    return found->second;
}

std::optional<AccountKey> Keyring::find(std::string_view source, std::string_view account) const {
    const std::lock_guard lock(mutex_);
    const auto found = by_account_.find(Account(source, account));
    return found == by_account_.end() ? std::nullopt : std::optional(found->second);
}

bool Keyring::forget(std::string_view source, std::string_view account) {
    const std::lock_guard lock(mutex_);
    const auto found = by_account_.find(Account(source, account));
    if (found == by_account_.end()) {
        return false;
    }
    if (const auto by_id = by_id_.find(found->second.id); by_id != by_id_.end()) {
        wipe_key(by_id->second);
        by_id_.erase(by_id);
    }
    wipe_key(found->second);
    by_account_.erase(found);
    ++changes_;
    return true;
}

bool Keyring::dirty() const {
    const std::lock_guard lock(mutex_);
    return changes_ != saved_changes_;
}

std::size_t Keyring::size() const {
    const std::lock_guard lock(mutex_);
    return by_id_.size();
}

void Keyring::mark_saved() {
    const std::lock_guard lock(mutex_);
    saved_changes_ = sealed_changes_;
    generation_ = sealed_generation_;
}

sdk::Result<std::string> Keyring::seal(const std::optional<SecretKey>& master) const {
    const std::lock_guard lock(mutex_);
    if (master.has_value() != encrypted_) {
        return sdk::Error{.code = sdk::Errc::invalid_argument,
                          .message = encrypted_
                                         ? "the keyring of an encrypted archive needs a master key"
                                         : "the keyring of an archive without encryption takes no "
                                           "master key"};
    }
    std::size_t text_size = 4 + 2 * kEntryHeadSize;
    for (const auto& [account, key] : by_account_) {
        constexpr std::size_t kMaxId = std::numeric_limits<std::uint16_t>::max();
        if (account.first.size() > kMaxId || account.second.size() > kMaxId) {
            return sdk::Error{.code = sdk::Errc::invalid_argument,
                              .message =
                                  "the id of a source or an account is longer than 65535 "
                                  "bytes: its key can't be kept"};
        }
        text_size += kEntryHeadSize + account.first.size() + account.second.size();
    }
    const std::size_t payload_size = text_size + (encrypted_ ? kTagSize : 0);
    SecretBuffer buffer(kHeaderSize + payload_size + kDigestSize);
    const std::span<std::byte> object = buffer.get();

    const std::span<std::byte> text = object.subspan(kHeaderSize, text_size);
    wire::put(text, 0, static_cast<std::uint32_t>(by_account_.size() + 2));
    std::size_t at = write_entry(text, 4, EntryKind::archive, archive_key_, {}, {});
    at = write_entry(text, at, EntryKind::signing, signing_key_, {}, {});
    for (const auto& [account, key] : by_account_) {
        at = write_entry(text, at, EntryKind::account, key, account.first, account.second);
    }

    wire::put_bytes(object, 0, wire::bytes_of(kMagic));
    wire::put(object, 8, kFormat);
    wire::put(object, 12,
              static_cast<std::uint8_t>(encrypted_ ? Cipher::aes_256_gcm : Cipher::none));
    wire::put(object, 60, static_cast<std::uint32_t>(payload_size));
    wire::put(object, 64, generation_ + 1);
    if (scrypt_) {
        wire::put(object, 72, static_cast<std::uint8_t>(Derivation::scrypt));
        wire::put(object, 73, scrypt_->log_n);
        wire::put(object, 74, scrypt_->r);
        wire::put(object, 75, scrypt_->p);
        wire::put_bytes(object, 80, scrypt_->salt);
    }
    if (encrypted_) {
        const Salt salt = random_bytes<16>();
        const Nonce nonce = random_bytes<12>();
        wire::put_bytes(object, 16, wire::bytes_of(key_check_value(*master)));
        wire::put_bytes(object, 32, salt);
        wire::put_bytes(object, 48, nonce);
        Sealer sealer;
        sealer.seal({*master, kKeyringPurpose, salt, nonce}, {object.first(kHeaderSize)}, text,
                    object.subspan(kHeaderSize + text_size).first<kTagSize>());
    }
    wire::put_bytes(object, kHeaderSize + payload_size,
                    sha256(object.first(kHeaderSize + payload_size)));
    sealed_changes_ = changes_;
    sealed_generation_ = generation_ + 1;
    return std::string(wire::text_of(object));
}

sdk::Result<KeyringHeader> Keyring::read_header(std::string_view object) {
    OPENARCHIVER_CHECK(check_object(object));
    const auto bytes = wire::bytes_of(object);
    const auto cipher = wire::get<std::uint8_t>(bytes, 12);
    const auto derivation = wire::get<std::uint8_t>(bytes, 72);
    const bool derived = derivation == static_cast<std::uint8_t>(Derivation::scrypt);
    if (cipher > static_cast<std::uint8_t>(Cipher::aes_256_gcm) ||
        derivation > static_cast<std::uint8_t>(Derivation::scrypt) ||
        wire::get<std::uint32_t>(bytes, 60) != bytes.size() - kHeaderSize - kDigestSize ||
        !wire::all_zero(bytes.subspan(13, 3)) || !wire::all_zero(bytes.subspan(76, 4)) ||
        (!derived && !wire::all_zero(bytes.subspan(73, kHeaderSize - 73)))) {
        return damaged("its header contradicts itself");
    }
    KeyringHeader header{.encrypted = cipher == static_cast<std::uint8_t>(Cipher::aes_256_gcm),
                         .key_check = {},
                         .scrypt = {},
                         .generation = wire::get<std::uint64_t>(bytes, 64)};
    if (header.encrypted) {
        header.key_check = object.substr(16, 16);
    }
    if (derived) {
        header.scrypt = Scrypt{.log_n = wire::get<std::uint8_t>(bytes, 73),
                               .r = wire::get<std::uint8_t>(bytes, 74),
                               .p = wire::get<std::uint8_t>(bytes, 75),
                               .salt = wire::get_bytes<32>(bytes, 80)};
    }
    return header;
}

sdk::Result<Keyring> Keyring::open(std::string_view object,
                                   const std::optional<SecretKey>& master) {
    OPENARCHIVER_TRY(const KeyringHeader header, read_header(object));
    const auto bytes = wire::bytes_of(object);
    const auto payload = bytes.subspan(kHeaderSize, bytes.size() - kHeaderSize - kDigestSize);
    const bool encrypted = header.encrypted;
    if (encrypted != master.has_value()) {
        return sdk::Error{.code = sdk::Errc::invalid_config,
                          .message = encrypted ? "the keyring is encrypted, and there is no "
                                                 "master key: configure archive.encryption.key"
                                               : "a master key is configured, but the keyring "
                                                 "is not encrypted"};
    }
    SecretBuffer buffer(payload.size());
    std::span<std::byte> text = buffer.get();
    std::copy(payload.begin(), payload.end(), text.begin());
    if (encrypted) {
        if (const std::string given = key_check_value(*master); header.key_check != given) {
            return sdk::Error{.code = sdk::Errc::unauthenticated,
                              .message = "the archive wants the master key " + header.key_check +
                                         ", the configured one is " + given +
                                         " (check values): configure the archive's own key"};
        }
        if (text.size() < kTagSize) {
            return damaged("it is too short");
        }
        const auto tag = text.last<kTagSize>();
        text = text.first(text.size() - kTagSize);
        Sealer sealer;
        if (!sealer.open({*master, kKeyringPurpose, wire::get_bytes<16>(bytes, 32),
                          wire::get_bytes<12>(bytes, 48)},
                         {bytes.first(kHeaderSize)}, text, tag)) {
            return damaged("it does not authenticate");
        }
    }

    Keyring keyring(encrypted);
    keyring.generation_ = header.generation;
    keyring.sealed_generation_ = header.generation;
    keyring.scrypt_ = header.scrypt;
    if (text.size() < 4) {
        return damaged("it is too short");
    }
    const auto count = wire::get<std::uint32_t>(text, 0);
    text = text.subspan(4);
    for (std::uint32_t i = 0; i < count; ++i) {
        if (text.size() < kEntryHeadSize) {
            return damaged("an entry is cut short");
        }
        const auto kind = wire::get<std::uint8_t>(text, 0);
        AccountKey key{.id = wire::get_bytes<16>(text, 1), .key = std::nullopt};
        if (encrypted || i == 1) {
            key.key = wire::get_bytes<32>(text, 17);
        }
        const auto source_size = wire::get<std::uint16_t>(text, 49);
        const auto account_size = wire::get<std::uint16_t>(text, 51);
        const std::size_t entry_size =
            kEntryHeadSize + std::size_t{source_size} + std::size_t{account_size};
        if (text.size() < entry_size) {
            return damaged("an entry is cut short");
        }
        const std::string_view names = wire::text_of(text).substr(kEntryHeadSize);
        const EntryKind expected = i == 0   ? EntryKind::archive
                                   : i == 1 ? EntryKind::signing
                                            : EntryKind::account;
        if (kind != static_cast<std::uint8_t>(expected)) {
            return damaged("an entry is of an unexpected kind");
        }
        if (i == 1) {
            keyring.signing_key_ = key;
            wipe_key(key);
            text = text.subspan(entry_size);
            continue;
        }
        if (i == 0) {
            keyring.archive_key_ = key;
        } else if (!keyring.by_account_
                        .try_emplace(Account(names.substr(0, source_size),
                                             names.substr(source_size, account_size)),
                                     key)
                        .second) {
            return damaged("an account has two keys");
        }
        if (!keyring.by_id_.emplace(key.id, key).second) {
            return damaged("two keys have one id");
        }
        wipe_key(key);
        text = text.subspan(entry_size);
    }
    if (count < 2 || !text.empty()) {
        return damaged("the number of entries is wrong");
    }
    keyring.saved_changes_ = keyring.changes_;
    keyring.sealed_changes_ = keyring.changes_;
    return keyring;
}

}  // namespace openarchiver::archive
