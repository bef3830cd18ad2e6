#include <boost/json.hpp>
#include <memory>
#include <string>
#include <utility>

#include "archive/master_key.hpp"
#include "archive/random.hpp"
#include "cli/verbs.hpp"
#include "service/archive_marker.hpp"

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
    OPENARCHIVER_TRY(const auto marker,
                     service::read_archive_marker(command.context(), command.stop()));
    const auto key = access::load_key(command.profile());
    if (!key) {
        return key.error();
    }
    const std::string check = *key ? archive::key_check_value(**key) : std::string();
    const bool fits = marker.encrypted == key->has_value() && check == marker.key_check;
    if (fits) {
        // The check value is public; only the keyring proves that the key opens it.
        OPENARCHIVER_CHECK(command.open_reader());
    }
    if (command.json()) {
        json::object document{{"archive", marker.archive_id},
                              {"encrypted", marker.encrypted},
                              {"archive_check_value", nullptr},
                              {"key_check_value", nullptr},
                              {"fits", fits}};
        if (marker.encrypted) {
            document["archive_check_value"] = marker.key_check;
        }
        if (*key) {
            document["key_check_value"] = check;
        }
        command.document(json::serialize(document));
    }
    if (!fits) {
        const auto named = [](const std::string& value) {
            return value.empty() ? std::string("none") : value;
        };
        return sdk::Error{.code = sdk::Errc::unauthenticated,
                          .message = "the key of the profile does not open the archive " +
                                     marker.archive_id +
                                     ": the archive wants the key with the check value " +
                                     named(marker.key_check) + ", the profile's has " +
                                     named(check) + "; point archive.encryption at the right key"};
    }
    if (!command.json()) {
        command.print(marker.encrypted ? "The key (check value " + check + ") opens the archive " +
                                             marker.archive_id + ".\n"
                                       : "The archive " + marker.archive_id +
                                             " is not encrypted, as the profile says.\n");
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
    key.verb("check", "Says whether the profile's key opens the profile's archive.").action(check);
}

}  // namespace openarchiver::cli
