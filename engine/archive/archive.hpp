#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/storage.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "archive/keyring.hpp"
#include "archive/master_key.hpp"
#include "archive/pack.hpp"
#include "archive/segment.hpp"
#include "archive/signature.hpp"

namespace openarchiver::archive {

/// The format that this engine writes, and the newest it reads.
inline constexpr std::uint32_t kFormatVersion = 1;

/// The object that a copy of an archive holds in place of a marker until it is whole; names the
/// archive.
inline constexpr std::string_view kUnfinishedCopyKey = "copy";

/// An opened archive: its marker object was understood, its keyring could be opened. create() and
/// open() take the store only when they succeed: after an error it is still the caller's.
class Archive {
public:
    /// What the marker object (`archive`) says; readable without any key.
    struct Marker {
        std::uint32_t format = kFormatVersion;
        std::string archive_id;  ///< 32 hex digits
        sdk::Timestamp created_at;
        bool encrypted = true;
        PublicKey public_key{};  ///< signs the heads
    };

    /// not_found: the store holds no archive (it is empty); corrupt: it holds something else;
    /// unsupported: the format is newer than this engine, with both numbers.
    static sdk::Result<Marker> read_marker(sdk::ObjectStore& store, std::stop_token stop);

    /// Which master key opens the archive; readable without it.
    static sdk::Result<KeyringHeader> read_keyring_header(sdk::ObjectStore& store,
                                                          std::stop_token stop);

    /// Makes a new archive in a store that holds nothing but a lease (the caller's, best). The
    /// keyring is durable before the marker is. `scrypt`: how the master key was made from a
    /// passphrase. already_exists: there is an archive.
    static sdk::Result<std::unique_ptr<Archive>> create(std::unique_ptr<sdk::ObjectStore>&& store,
                                                        std::optional<SecretKey> master,
                                                        const std::optional<Scrypt>& scrypt,
                                                        sdk::Timestamp now, std::stop_token stop);

    /// invalid_config: no key for an encrypted archive, or a key for one that is not;
    /// unauthenticated: another key (the message names both check values).
    static sdk::Result<std::unique_ptr<Archive>> open(std::unique_ptr<sdk::ObjectStore>&& store,
                                                      std::optional<SecretKey> master,
                                                      std::stop_token stop);

    ~Archive();
    Archive(const Archive&) = delete;
    Archive& operator=(const Archive&) = delete;

    [[nodiscard]] const Marker& marker() const { return marker_; }

    [[nodiscard]] sdk::ObjectStore& store() { return *store_; }

    [[nodiscard]] Keyring& keyring() { return keyring_; }

    [[nodiscard]] SegmentLog& log() { return log_; }

    [[nodiscard]] PackReader& packs() { return packs_; }

    /// Makes new keys durable; nothing to do when there are none. Safe for concurrent use.
    sdk::Status save_keyring(std::stop_token stop);

    /// The header of the keyring's copy in a file; corrupt: there is none.
    static sdk::Result<KeyringHeader> read_keyring_header(const std::filesystem::path& file);
    /// Makes the store's keyring and its copy in `file` the same: the copy where it opens with the
    /// archive's keys and is not older than the store's. True: it was put into the store. The
    /// engine knows only what it saved itself, so that of two of one generation the store's is a
    /// put that came too late. Nothing is done where the store's is gone or damaged.
    static sdk::Result<bool> match_keyring(sdk::ObjectStore& store, const Marker& marker,
                                           const std::optional<SecretKey>& master,
                                           const std::filesystem::path& file, std::stop_token stop);

    /// From now on every keyring that is saved is copied to this file, sealed as it is.
    void keep_keyring_in(std::filesystem::path file) { keyring_file_ = std::move(file); }

    /// Seals the keyring under another master key: one object is replaced, contents stay as they
    /// are. After an error the archive wants either key: read_keyring_header() tells which.
    sdk::Status change_master_key(const SecretKey& master, const std::optional<Scrypt>& scrypt,
                                  std::stop_token stop);

private:
    sdk::Status put_keyring(std::string_view object, std::stop_token stop);
    [[nodiscard]] sdk::Status copy_keyring(std::string_view object) const;
    Archive(std::unique_ptr<sdk::ObjectStore> store, Marker marker, std::optional<SecretKey> master,
            Keyring keyring);

    std::unique_ptr<sdk::ObjectStore> store_;
    Marker marker_;
    std::optional<SecretKey> master_;
    std::mutex save_mutex_;  // one save at a time, so that an older keyring never comes last
    std::filesystem::path keyring_file_;  // empty: no copy
    Keyring keyring_;
    SegmentLog log_;
    PackReader packs_;
};

}  // namespace openarchiver::archive
