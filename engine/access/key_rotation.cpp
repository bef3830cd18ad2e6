#include "access/key_rotation.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "access/catalog_lock.hpp"
#include "access/open_store.hpp"

namespace openarchiver::access {

namespace fs = std::filesystem;

using archive::KeyringHeader;
using profile::KeyReference;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

fs::path with(fs::path file, const std::string& suffix) {
    return file += suffix;
}

fs::path fresh_file(const fs::path& file) {
    return with(file, ".new");
}

fs::path old_file(const fs::path& file, const std::string& check) {
    return with(file, ".old-" + check);
}

/// Empty where there is no usable key.
std::string check_of(const fs::path& file) {
    const auto key = archive::load_master_key(file);
    return key ? archive::key_check_value(*key) : std::string();
}

Error system_failed(const std::string& what, const fs::path& file, int code) {
    return {code == ENOSPC ? Errc::resource_exhausted : Errc::permission_denied,
            what + " " + file.string() + ": " + std::generic_category().message(code)};
}

Status sync_folder_of(const fs::path& file) {
    const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
    const int code = errno;
    if (descriptor >= 0) {
        ::close(descriptor);
    }
    return synced ? Status() : Status(system_failed("can't sync the folder", folder, code));
}

/// The old key is kept beside, the new one put in its place: there is a key in FILE at any moment.
Result<fs::path> put_in_place(const fs::path& file) {
    const fs::path kept = old_file(file, check_of(file));
    if (::link(file.c_str(), kept.c_str()) != 0 && errno != EEXIST) {
        return system_failed("can't keep the old key as", kept, errno);
    }
    OPENARCHIVER_CHECK(sync_folder_of(file));
    if (::rename(fresh_file(file).c_str(), file.c_str()) != 0) {
        return system_failed("can't replace the key file", file, errno);
    }
    OPENARCHIVER_CHECK(sync_folder_of(file));
    return kept;
}

Result<KeyringHeader> header_of(const Context& context, std::stop_token stop) {
    OPENARCHIVER_TRY(const auto open, open_store(context, Purpose::reading, stop));
    OPENARCHIVER_CHECK(archive::Archive::read_marker(*open.store, stop));
    return archive::Archive::read_keyring_header(*open.store, std::move(stop));
}

/// The random key for the profile's file: one that an interrupted rotation made, or a new one.
Result<MasterKey> fresh_key_for(const fs::path& file) {
    auto key = archive::create_master_key(fresh_file(file));
    if (!key && key.error().code == Errc::already_exists) {
        key = archive::load_master_key(fresh_file(file));
        if (!key && key.error().code == Errc::invalid_config) {
            // Cut short by a crash: no keyring was sealed with it.
            ::unlink(fresh_file(file).c_str());
            key = archive::create_master_key(fresh_file(file));
        }
    }
    OPENARCHIVER_CHECK(key);
    return MasterKey{.key = *key, .scrypt = {}};
}

Result<MasterKey> key_from(const KeyReference& target) {
    auto key = read_new_key(target);
    if (key || key.error().code != Errc::not_found || target.passphrase ||
        target.kind != KeyReference::Kind::file) {
        return key;
    }
    OPENARCHIVER_TRY(const auto made, archive::create_master_key(target.value));
    return MasterKey{.key = made, .scrypt = {}};
}

/// Whether the archive has the key already that `target` names.
bool has_key_of(const KeyringHeader& keyring, const KeyReference& target) {
    if (target.passphrase != keyring.scrypt.has_value()) {
        return false;
    }
    const auto key = read_key(target, keyring.scrypt);
    return key && archive::key_check_value(key->key) == keyring.key_check;
}

}  // namespace

std::string where_else(const KeyReference& reference, const KeyringHeader& keyring) {
    if (reference.kind != KeyReference::Kind::file || reference.passphrase) {
        return {};
    }
    const fs::path file = reference.value;
    if (check_of(fresh_file(file)) == keyring.key_check) {
        return " - the right one is in " + fresh_file(file).string() +
               ": a rotation was interrupted; run `openarchiver key rotate` to finish it";
    }
    if (const fs::path kept = old_file(file, keyring.key_check);
        check_of(kept) == keyring.key_check) {
        return " - the right one is in " + kept.string() +
               ": this copy of the archive is from before a rotation of the key";
    }
    return {};
}

Result<Rotation> rotate_key(const Context& context, const std::optional<KeyReference>& target,
                            const std::stop_token& stop) {
    const auto& encryption = context.profile.archive.encryption;
    OPENARCHIVER_TRY(const auto keyring, header_of(context, stop));
    if (!keyring.encrypted || encryption.mode == profile::EncryptionMode::none) {
        return Error{Errc::invalid_config, "the archive is not encrypted: it has no master key"};
    }
    const bool to_file = !target;
    if (to_file && (encryption.key.passphrase || encryption.key.kind != KeyReference::Kind::file)) {
        return Error{Errc::invalid_argument,
                     "only a key file is replaced by itself; the profile names " +
                         to_text(encryption.key) +
                         ": say where the new key is, with --to-file, --to-env, "
                         "--to-passphrase-file or --to-passphrase-env"};
    }
    Rotation rotation{.old_check = keyring.key_check, .new_check = {}, .old_file = {}};
    const fs::path file = encryption.key.value;
    const bool interrupted = to_file && check_of(file) != keyring.key_check &&
                             check_of(fresh_file(file)) == keyring.key_check;
    if (interrupted) {
        OPENARCHIVER_TRY(const auto lock,
                         CatalogLock::acquire(context.profile.archive.catalog_path));
        rotation.old_check = check_of(file);
        OPENARCHIVER_TRY(rotation.old_file, put_in_place(file));
    }
    if (interrupted || (target && has_key_of(keyring, *target))) {
        rotation.new_check = keyring.key_check;
        rotation.finished_earlier = true;
        return rotation;
    }
    OPENARCHIVER_TRY(auto writer,
                     ArchiveWriter::open_archive(context, false, [](std::string_view) {}, stop));
    OPENARCHIVER_TRY(const auto next, to_file ? fresh_key_for(file) : key_from(*target));
    rotation.new_check = archive::key_check_value(next.key);
    const auto changed = writer->archive().change_master_key(next.key, next.scrypt, stop);
    if (!changed) {
        const auto now = archive::Archive::read_keyring_header(writer->archive().store(), stop);
        if (!now || now->key_check != rotation.new_check) {
            return Error{changed.error().code,
                         "the keyring was not replaced: " + changed.error().message +
                             (now ? "; the old key still opens the archive. Run the rotation again"
                                  : "; whether the archive has the old key or the new one shows "
                                    "when the storage can be reached: run the rotation again")};
        }
    }
    if (to_file) {
        OPENARCHIVER_TRY(rotation.old_file, put_in_place(file));
    } else if (encryption.key.kind == KeyReference::Kind::file) {
        rotation.old_file = file;
    }
    return rotation;
}

}  // namespace openarchiver::access
