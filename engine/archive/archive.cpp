#include "archive/archive.hpp"

#include <boost/json.hpp>
#include <utility>

#include "archive/digest.hpp"
#include "archive/object_io.hpp"
#include "archive/random.hpp"
#include "archive/seal.hpp"
#include "files/shared_file.hpp"

namespace openarchiver::archive {

namespace {

constexpr std::string_view kMarkerKey = "archive";
constexpr std::string_view kKeyringKey = "keyring";
constexpr std::string_view kLeaseKey = "lease";
constexpr std::uint64_t kMaxMarkerSize = 64U << 10;
constexpr std::uint64_t kMaxKeyringSize = 1U << 30;

constexpr std::string_view kEncrypted = "aes-256-gcm";
constexpr std::string_view kPlain = "none";

sdk::Error damaged_marker(std::string_view what) {
    return sdk::Error{.code = sdk::Errc::corrupt,
                      .message = "the archive's marker object `archive` is damaged: " +
                                 std::string(what) + "; bring it back from a copy of the archive"};
}

// Covers every member's value, so that the checksum needs no canonical JSON.
std::string marker_checksum(std::uint64_t format, std::string_view archive_id,
                            std::int64_t created_at, std::string_view encryption,
                            std::string_view public_key) {
    std::string text = std::to_string(format);
    text += '\n';
    text += archive_id;
    text += '\n';
    text += std::to_string(created_at);
    text += '\n';
    text += encryption;
    text += '\n';
    text += public_key;
    text += '\n';
    return to_hex(sha256(text));
}

std::string write_marker(const Archive::Marker& marker) {
    const std::int64_t created_at = marker.created_at.time_since_epoch().count();
    const std::string_view encryption = marker.encrypted ? kEncrypted : kPlain;
    boost::json::object object;
    object["format"] = marker.format;
    object["archive_id"] = marker.archive_id;
    object["created_at"] = created_at;
    object["encryption"] = encryption;
    const std::string public_key = to_hex(marker.public_key);
    object["public_key"] = public_key;
    object["checksum"] =
        marker_checksum(marker.format, marker.archive_id, created_at, encryption, public_key);
    return boost::json::serialize(object) + "\n";
}

std::optional<std::string> text_member(const boost::json::object& object, std::string_view name) {
    const boost::json::value* const value = object.if_contains(name);
    if (value == nullptr || !value->is_string()) {
        return std::nullopt;
    }
    return std::string(value->as_string());
}

std::optional<std::int64_t> number_member(const boost::json::object& object,
                                          std::string_view name) {
    const boost::json::value* const value = object.if_contains(name);
    if (value == nullptr || !value->is_int64()) {
        return std::nullopt;
    }
    return value->as_int64();
}

sdk::Result<Archive::Marker> parse_marker(std::string_view text) {
    boost::json::error_code error;
    const boost::json::value document = boost::json::parse(text, error);
    if (error || !document.is_object()) {
        return damaged_marker("it is not a JSON object");
    }
    const boost::json::object& object = document.as_object();
    const auto format = number_member(object, "format");
    if (!format || *format < 0) {
        return damaged_marker("it has no format number");
    }
    if (*format > std::int64_t{kFormatVersion}) {
        return sdk::Error{.code = sdk::Errc::unsupported,
                          .message = "the archive has format " + std::to_string(*format) +
                                     ", this engine reads up to format " +
                                     std::to_string(kFormatVersion) + ": use a newer engine"};
    }
    if (*format < std::int64_t{kFormatVersion}) {
        return sdk::Error{.code = sdk::Errc::unsupported,
                          .message = "the archive has format " + std::to_string(*format) +
                                     ", which no released engine wrote: archive its sources anew"};
    }
    const auto archive_id = text_member(object, "archive_id");
    const auto created_at = number_member(object, "created_at");
    const auto encryption = text_member(object, "encryption");
    const auto public_key = text_member(object, "public_key");
    const auto checksum = text_member(object, "checksum");
    if (!archive_id || !created_at || !encryption || !public_key || !checksum) {
        return damaged_marker("a member is missing");
    }
    if (*checksum != marker_checksum(static_cast<std::uint64_t>(*format), *archive_id, *created_at,
                                     *encryption, *public_key)) {
        return damaged_marker("its checksum does not match");
    }
    if (*encryption != kEncrypted && *encryption != kPlain) {
        return sdk::Error{.code = sdk::Errc::unsupported,
                          .message = "the archive is encrypted by \"" + *encryption +
                                     "\", which this engine does not know: use a newer engine"};
    }
    const auto key = digest_from_hex(*public_key);  // as long as a digest
    if (!key) {
        return damaged_marker("its public key is malformed");
    }
    return Archive::Marker{.format = static_cast<std::uint32_t>(*format),
                           .archive_id = *archive_id,
                           .created_at = sdk::Timestamp(std::chrono::milliseconds(*created_at)),
                           .encrypted = *encryption == kEncrypted,
                           .public_key = *key};
}

sdk::Result<std::string> read_keyring(sdk::ObjectStore& store, std::stop_token stop) {
    auto object = read_object(store, kKeyringKey, kMaxKeyringSize, std::move(stop));
    if (!object && object.error().code == sdk::Errc::not_found) {
        return sdk::Error{.code = sdk::Errc::corrupt,
                          .message =
                              "the archive's keyring is missing (object `keyring`): without "
                              "it nothing can be read; bring it back from a copy of the "
                              "archive"};
    }
    return object;
}

// A keyring alone is what a creation leaves that was interrupted; a lease is somebody about to
// create. Neither holds anything of an archive.
class ForeignObjectSink final : public sdk::ObjectListSink {
public:
    bool object(const sdk::ObjectInfo& info) override {
        if (info.key == kKeyringKey || info.key == kLeaseKey || info.key == kMarkerKey) {
            return true;
        }
        key_ = info.key;
        return false;
    }

    [[nodiscard]] const std::string& key() const { return key_; }

private:
    std::string key_;
};

}  // namespace

Archive::Archive(std::unique_ptr<sdk::ObjectStore> store, Marker marker,
                 std::optional<SecretKey> master, Keyring keyring)
    : store_(std::move(store)),
      marker_(std::move(marker)),
      master_(master),
      keyring_(std::move(keyring)),
      log_(*store_, keyring_),
      packs_(*store_, keyring_) {}

Archive::~Archive() {
    if (master_) {
        wipe(*master_);
    }
}

sdk::Result<Archive::Marker> Archive::read_marker(sdk::ObjectStore& store, std::stop_token stop) {
    sdk::Result<std::string> text = read_object(store, kMarkerKey, kMaxMarkerSize, stop);
    if (text) {
        return parse_marker(*text);
    }
    if (text.error().code != sdk::Errc::not_found) {
        return std::move(text.error());
    }
    ForeignObjectSink foreign;
    OPENARCHIVER_CHECK(store.list("", "", foreign, std::move(stop)));
    if (foreign.key() == kUnfinishedCopyKey) {
        return sdk::Error{.code = sdk::Errc::corrupt,
                          .message =
                              "the store holds a copy of an archive that was not finished: "
                              "run `openarchiver copy` with the profile of the archive, it "
                              "goes on where it was"};
    }
    if (!foreign.key().empty()) {
        return sdk::Error{.code = sdk::Errc::corrupt,
                          .message =
                              "the store holds no archive (there is no object `archive`), "
                              "but other objects (" +
                              foreign.key() +
                              "): they are not mixed; use an empty place, or bring the "
                              "object `archive` back"};
    }
    return sdk::Error{.code = sdk::Errc::not_found,
                      .message =
                          "the store holds no archive: the first `openarchiver sync` makes "
                          "one; if there was one, check archive.storage"};
}

sdk::Result<std::unique_ptr<Archive>> Archive::create(std::unique_ptr<sdk::ObjectStore>&& store,
                                                      std::optional<SecretKey> master,
                                                      const std::optional<Scrypt>& scrypt,
                                                      sdk::Timestamp now, std::stop_token stop) {
    const sdk::Result<Marker> found = read_marker(*store, stop);
    if (found) {
        return sdk::Error{.code = sdk::Errc::already_exists,
                          .message = "the store already holds the archive " + found->archive_id};
    }
    if (found.error().code != sdk::Errc::not_found) {
        return found.error();
    }
    Keyring keyring = Keyring::create(master.has_value());
    keyring.set_scrypt(scrypt);
    Marker marker{.format = kFormatVersion,
                  .archive_id = to_hex(random_bytes<16>()),
                  .created_at = now,
                  .encrypted = master.has_value(),
                  .public_key = public_key_of(keyring.signing_key())};
    const std::string text = write_marker(marker);
    std::unique_ptr<Archive> archive(
        new Archive(std::move(store), std::move(marker), master, std::move(keyring)));
    if (master) {
        wipe(*master);
    }
    sdk::Status made = archive->save_keyring(stop);
    if (made) {
        made = put_object(archive->store(), kMarkerKey, text, sdk::PutMode::if_absent, stop);
        if (!made) {
            // An attempt whose answer was lost may have made it.
            const auto there = read_object(archive->store(), kMarkerKey, kMaxMarkerSize, stop);
            if (there && *there == text) {
                made = sdk::Status();
            }
        }
    }
    if (!made) {
        store = std::move(archive->store_);
        return std::move(made.error());
    }
    return archive;
}

sdk::Result<std::unique_ptr<Archive>> Archive::open(std::unique_ptr<sdk::ObjectStore>&& store,
                                                    std::optional<SecretKey> master,
                                                    std::stop_token stop) {
    OPENARCHIVER_TRY(Marker marker, read_marker(*store, stop));
    OPENARCHIVER_TRY(const std::string object, read_keyring(*store, stop));
    if (marker.encrypted != master.has_value()) {
        OPENARCHIVER_TRY(const KeyringHeader header, Keyring::read_header(object));
        return sdk::Error{
            .code = sdk::Errc::invalid_config,
            .message = marker.encrypted
                           ? "the archive is encrypted with the master key " + header.key_check +
                                 " (check value), and none is configured: set "
                                 "archive.encryption.key"
                           : "a master key is configured, but the archive was created without "
                             "encryption: set archive.encryption to {\"mode\": \"none\"}"};
    }
    OPENARCHIVER_TRY(Keyring keyring, Keyring::open(object, master));
    if (public_key_of(keyring.signing_key()) != marker.public_key) {
        return damaged_marker(
            "it names another public key than the keyring holds: one of the two "
            "is of another archive");
    }
    std::unique_ptr<Archive> archive(
        new Archive(std::move(store), std::move(marker), master, std::move(keyring)));
    if (master) {
        wipe(*master);
    }
    return archive;
}

sdk::Result<KeyringHeader> Archive::read_keyring_header(sdk::ObjectStore& store,
                                                        std::stop_token stop) {
    OPENARCHIVER_TRY(const std::string object, read_keyring(store, std::move(stop)));
    return Keyring::read_header(object);
}

sdk::Status Archive::change_master_key(const SecretKey& master, const std::optional<Scrypt>& scrypt,
                                       std::stop_token stop) {
    const std::lock_guard lock(save_mutex_);
    const auto before = keyring_.scrypt();
    keyring_.set_scrypt(scrypt);
    auto object = keyring_.seal(master);
    const sdk::Status put =
        object ? put_keyring(*object, std::move(stop)) : sdk::Status(object.error());
    if (!put) {
        keyring_.set_scrypt(before);
        return put;
    }
    wipe(*master_);
    master_ = master;
    return copy_keyring(*object);
}

sdk::Status Archive::save_keyring(std::stop_token stop) {
    const std::lock_guard lock(save_mutex_);
    if (!keyring_.dirty()) {
        return {};
    }
    OPENARCHIVER_TRY(const std::string object, keyring_.seal(master_));
    OPENARCHIVER_CHECK(put_keyring(object, std::move(stop)));
    return copy_keyring(object);
}

sdk::Status Archive::put_keyring(std::string_view object, std::stop_token stop) {
    OPENARCHIVER_CHECK(
        put_object(*store_, kKeyringKey, object, sdk::PutMode::replace, std::move(stop)));
    keyring_.mark_saved();
    return {};
}

/// After the store has it: what is only here was never promised to anybody.
sdk::Status Archive::copy_keyring(std::string_view object) const {
    return keyring_file_.empty() ? sdk::Status() : files::replace_file(keyring_file_, object);
}

sdk::Result<KeyringHeader> Archive::read_keyring_header(const std::filesystem::path& file) {
    return Keyring::read_header(files::read_shared(file));
}

sdk::Result<bool> Archive::match_keyring(sdk::ObjectStore& store, const Marker& marker,
                                         const std::optional<SecretKey>& master,
                                         const std::filesystem::path& file, std::stop_token stop) {
    const auto opens = [&](const std::string& object) {
        const auto keyring = Keyring::open(object, master);
        return keyring && public_key_of(keyring->signing_key()) == marker.public_key;
    };
    const auto stored = read_keyring(store, stop);
    const auto there = stored ? Keyring::read_header(*stored) : stored.error();
    if (!there) {
        return there.error().code == sdk::Errc::corrupt ? sdk::Result<bool>(false) : there.error();
    }
    const std::string kept = files::read_shared(file);
    if (kept == *stored) {
        return false;
    }
    const auto newest = Keyring::read_header(kept);
    if (newest && newest->generation >= there->generation && opens(kept)) {
        OPENARCHIVER_CHECK(
            put_object(store, kKeyringKey, kept, sdk::PutMode::replace, std::move(stop)));
        return true;
    }
    std::error_code ignored;
    const bool unreadable = kept.empty() && std::filesystem::exists(file, ignored);
    if (opens(*stored) && !unreadable) {
        OPENARCHIVER_CHECK(files::replace_file(file, *stored));
    }
    return false;
}

}  // namespace openarchiver::archive
