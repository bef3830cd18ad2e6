#include <boost/json.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "access/key_rotation.hpp"
#include "access/master_key.hpp"
#include "access/open_store.hpp"
#include "archive/random.hpp"
#include "archive/signature.hpp"
#include "cli/verbs.hpp"
#include "service/control_client.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

constexpr const char* kDefaultFile = "archive.key";

Outcome print_new(Command& command) {
    const archive::SecretKey key = archive::random_bytes<std::tuple_size_v<archive::SecretKey>>();
    if (command.json()) {
        command.document(
            json::serialize(json::object{{"file", nullptr},
                                         {"key", archive::format_master_key(key)},
                                         {"check_value", archive::key_check_value(key)}}));
    } else {
        command.print(archive::format_master_key(key) + "\n");
    }
    return ExitCode::done;
}

Outcome make_new(Command& command, const std::string& output) {
    if (output == "-") {
        return print_new(command);
    }
    const auto key = archive::create_master_key(output);
    if (!key) {
        return {Origin::profile, key.error()};
    }
    const std::string check = archive::key_check_value(*key);
    if (command.json()) {
        command.document(json::serialize(json::object{{"file", output}, {"check_value", check}}));
    } else {
        command.print("Made the key " + output + " (check value " + check +
                      ").\nKeep a copy of it in a safe place: without it an archive that is made "
                      "with it is lost.\n");
    }
    return ExitCode::done;
}

/// Whether the profile's key opens the profile's archive.
Outcome check(Command& command) {
    OPENARCHIVER_TRY(const auto open, access::open_store(command.context(),
                                                         access::Purpose::reading, command.stop()));
    OPENARCHIVER_TRY(const auto marker, archive::Archive::read_marker(*open.store, command.stop()));
    OPENARCHIVER_TRY(const auto keyring,
                     archive::Archive::read_keyring_header(*open.store, command.stop()));
    const auto& encryption = command.profile().archive.encryption;
    std::optional<access::MasterKey> key;
    if (encryption.mode != profile::EncryptionMode::none) {
        auto read = access::read_key(encryption.key, keyring.scrypt);
        if (!read) {
            return read.error();
        }
        key = std::move(*read);
    }
    const std::string check = key ? archive::key_check_value(key->key) : std::string();
    const bool fits = keyring.encrypted == key.has_value() && check == keyring.key_check;
    if (fits) {
        // The check value is public; only the keyring proves that the key opens it.
        OPENARCHIVER_CHECK(command.open_reader());
    }
    if (command.json()) {
        json::object document{{"archive", marker.archive_id},
                              {"encrypted", keyring.encrypted},
                              {"archive_check_value", nullptr},
                              {"key_check_value", nullptr},
                              {"passphrase", keyring.scrypt.has_value()},
                              {"public_key", archive::to_pem(marker.public_key)},
                              {"fits", fits}};
        if (keyring.encrypted) {
            document["archive_check_value"] = keyring.key_check;
        }
        if (key) {
            document["key_check_value"] = check;
        }
        command.document(json::serialize(document));
    }
    if (!fits && keyring.encrypted && key) {
        return access::key_of_archive(command.profile(), keyring).error();
    }
    if (!fits) {
        return sdk::Error{.code = sdk::Errc::unauthenticated,
                          .message = keyring.encrypted
                                         ? "the archive wants the master key " + keyring.key_check +
                                               " (check value), and the profile turns encryption "
                                               "off: correct archive.encryption"
                                         : "the archive " + marker.archive_id +
                                               " is not encrypted, and the profile names a key: "
                                               "set archive.encryption to {\"mode\": \"none\"}"};
    }
    if (!command.json()) {
        command.print(keyring.encrypted ? "The key (check value " + check + ") opens the archive " +
                                              marker.archive_id + ".\n"
                                        : "The archive " + marker.archive_id +
                                              " is not encrypted, as the profile says.\n");
        command.print("Its heads are signed by this public key (keep a copy of it elsewhere):\n" +
                      archive::to_pem(marker.public_key));
    }
    return ExitCode::done;
}

/// Where the new key of `key rotate` is.
struct Target {
    std::optional<std::string> file;
    std::optional<std::string> env;
    std::optional<std::string> passphrase_file;
    std::optional<std::string> passphrase_env;

    [[nodiscard]] std::vector<profile::KeyReference> references() const {
        using Kind = profile::KeyReference::Kind;
        std::vector<profile::KeyReference> given;
        const auto add = [&](const std::optional<std::string>& value, Kind kind, bool passphrase) {
            if (value) {
                given.push_back({.kind = kind, .passphrase = passphrase, .value = *value});
            }
        };
        add(file, Kind::file, false);
        add(env, Kind::env, false);
        add(passphrase_file, Kind::file, true);
        add(passphrase_env, Kind::env, true);
        return given;
    }
};

/// The section of the profile that names the key.
std::string section_of(const profile::KeyReference& reference) {
    const bool file = reference.kind == profile::KeyReference::Kind::file;
    json::object inner{{file ? "file" : "env", reference.value}};
    return json::serialize(reference.passphrase ? json::object{{"passphrase", std::move(inner)}}
                                                : std::move(inner));
}

std::string rotated_text(const access::Rotation& rotation,
                         const std::optional<profile::KeyReference>& target) {
    std::string text;
    if (rotation.finished_earlier && target) {
        text = "The archive has this key already (check value " + rotation.new_check + ").\n";
    } else {
        text = std::string(rotation.finished_earlier ? "Finished a rotation that was interrupted: t"
                                                     : "T") +
               "he archive has a new master key (check value " + rotation.new_check +
               ", before it " + rotation.old_check + ").\n";
    }
    if (target) {
        text += "Now set archive.encryption.key in the profile to " + section_of(*target) + "\n";
    }
    if (!rotation.old_file.empty()) {
        text += "The old key is in " + rotation.old_file.string() +
                ": it opens copies of the archive, or of its keyring, that are older than now. "
                "Remove it once there are none.\n";
    }
    return text + "Keep a copy of the new key in a safe place.\n";
}

Outcome rotate(Command& command, const Target& given) {
    const auto references = given.references();
    if (references.size() > 1) {
        return Outcome::usage("the new key is in one place: give one of the --to options");
    }
    const auto target =
        references.empty() ? std::nullopt : std::optional<profile::KeyReference>(references[0]);
    if (command.running_service()) {
        return sdk::Error{.code = sdk::Errc::already_exists,
                          .message =
                              "the key is not rotated while a service has the archive open: "
                              "stop it, rotate the key, start it again"};
    }
    auto rotation = access::rotate_key(command.context(), target, command.stop());
    if (!rotation) {
        const bool usage = rotation.error().code == sdk::Errc::invalid_argument;
        return usage ? Outcome::usage(rotation.error().message) : Outcome(rotation.error());
    }
    if (command.json()) {
        json::object document{{"old_check_value", rotation->old_check},
                              {"new_check_value", rotation->new_check},
                              {"finished_earlier", rotation->finished_earlier},
                              {"old_file", nullptr}};
        if (!rotation->old_file.empty()) {
            document["old_file"] = rotation->old_file.string();
        }
        command.document(json::serialize(document));
    } else {
        command.print(rotated_text(*rotation, target));
    }
    return ExitCode::done;
}

}  // namespace

void register_key(Verb& program) {
    // Shared: filled by the command line, used in the action.
    const auto output = std::make_shared<std::string>(kDefaultFile);
    Verb key = program.verb("key", "The master key of an archive.");
    Verb make = key.verb("new", "Makes a new master key; never overwrites a file.");
    make.option("--output", *output, "FILE",
                "where to; default: archive.key in this folder; - prints it");
    make.without_profile([output](Command& command) { return make_new(command, *output); });
    const auto target = std::make_shared<Target>();
    Verb change = key.verb("rotate", "Gives the archive another master key; contents stay.");
    change.option("--to-file", target->file, "FILE",
                  "the new key is in this file (made if missing)");
    change.option("--to-env", target->env, "NAME", "the new key is in this environment variable");
    change.option("--to-passphrase-file", target->passphrase_file, "FILE",
                  "the new key is made from the passphrase in this file");
    change.option("--to-passphrase-env", target->passphrase_env, "NAME",
                  "the new key is made from the passphrase in this environment variable");
    change.audited("key_rotate");
    change.action([target](Command& command) { return rotate(command, *target); });
    key.verb("check", "Says whether the profile's key opens the profile's archive.").action(check);
}

}  // namespace openarchiver::cli
