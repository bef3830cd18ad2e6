#include "settings.hpp"

#include <array>
#include <boost/json.hpp>
#include <optional>
#include <utility>

namespace openarchiver::mailfiles {

namespace {

constexpr std::string_view kSchema = R"({
  "type": "object",
  "title": "Mail files",
  "description": "Reads mail from files on this machine or on a mounted file system: Maildirs, .eml files, mbox files, zip and tar archives of these, and Outlook's PST files.",
  "properties": {
    "paths": {
      "type": "array",
      "items": { "type": "string" },
      "title": "Folders and files",
      "description": "Folders of mail, folders of Maildirs (one account each), or single files. A relative path is relative to the profile's folder.",
      "x-order": 1
    },
    "account": {
      "type": "string",
      "title": "Account",
      "description": "Whose mail it is, usually an address. Without it, each folder is an account of its own name.",
      "x-order": 2
    },
    "watch": {
      "type": "boolean",
      "title": "Watch the folders",
      "description": "Lets the service archive within seconds what arrives in the folders. Changes that other machines make on a network file system can't be watched; they are found by the schedule.",
      "default": true,
      "x-order": 3
    },
    "settle_seconds": {
      "type": "integer",
      "minimum": 0,
      "maximum": 3600,
      "title": "Complete after",
      "description": "A file is taken once nothing was written to it for so many seconds. Raise it where uploads stall.",
      "default": 1,
      "x-order": 4
    },
    "mbox_dialect": {
      "type": "string",
      "enum": ["auto", "mboxo", "mboxrd", "mboxcl", "mboxcl2"],
      "title": "Dialect of mbox files",
      "description": "How mbox files separate messages and quote lines that begin with From. auto decides for each message and alters nothing that could not be put back.",
      "default": "auto",
      "x-order": 5
    },
    "unpacked_gib": {
      "type": "integer",
      "minimum": 1,
      "maximum": 65536,
      "title": "Largest archive, unpacked",
      "description": "In GiB. Archives and PST files are unpacked beside the catalog for as long as they are read; what is beyond this is not unpacked, and reported.",
      "default": 64,
      "x-order": 6
    },
    "readpst": {
      "type": "string",
      "title": "Program readpst",
      "description": "The program that reads PST files, of the package pst-utils: a path, or a name in the usual folders.",
      "default": "readpst",
      "x-order": 7
    },
    "readpst_seconds": {
      "type": "integer",
      "minimum": 1,
      "maximum": 604800,
      "title": "Time for a PST file",
      "description": "In seconds. What readpst has not read by then is reported.",
      "default": 3600,
      "x-order": 8
    },
    "readpst_memory_mib": {
      "type": "integer",
      "minimum": 64,
      "maximum": 1048576,
      "title": "Memory for a PST file",
      "description": "In MiB.",
      "default": 2048,
      "x-order": 9
    }
  },
  "required": ["paths"],
  "additionalProperties": false
})";

constexpr std::size_t kMaxAccountName = 512;
constexpr std::size_t kMaxPath = 4096;

constexpr std::array<std::pair<std::string_view, MboxDialect>, 5> kDialects = {{
    {"auto", MboxDialect::automatic},
    {"mboxo", MboxDialect::mboxo},
    {"mboxrd", MboxDialect::mboxrd},
    {"mboxcl", MboxDialect::mboxcl},
    {"mboxcl2", MboxDialect::mboxcl2},
}};

sdk::Error bad_config(std::string message) {
    return {.code = sdk::Errc::invalid_config, .message = std::move(message)};
}

sdk::Error bad_value(std::string_view key, std::string_view wanted) {
    return bad_config("\"" + std::string(key) + "\" of the mailfiles provider is no " +
                      std::string(wanted));
}

sdk::Result<std::string> absolute_path(const boost::json::value& value,
                                       const std::filesystem::path& profile_folder) {
    const boost::json::string* const text = value.if_string();
    if (text == nullptr || text->empty() || text->find('\0') != boost::json::string::npos) {
        return bad_config("\"paths\" of the mailfiles provider has an entry that is no path");
    }
    const std::filesystem::path path =
        std::filesystem::absolute(profile_folder / std::filesystem::path(std::string_view(*text)));
    std::string result = path.lexically_normal().string();
    while (result.size() > 1 && result.back() == '/') {
        result.pop_back();
    }
    return result;
}

sdk::Result<std::string> text_of(const boost::json::object& object, std::string_view key,
                                 std::string fallback, std::size_t most) {
    const boost::json::value* const value = object.if_contains({key.data(), key.size()});
    if (value == nullptr) {
        return fallback;
    }
    const boost::json::string* const text = value->if_string();
    if (text == nullptr || text->empty() || text->size() > most ||
        text->find('\0') != boost::json::string::npos) {
        return bad_value(key, "text of 1 to " + std::to_string(most) + " bytes");
    }
    return std::string(std::string_view(*text));
}

sdk::Result<std::uint64_t> number_of(const boost::json::object& object, std::string_view key,
                                     std::uint64_t fallback, std::int64_t least,
                                     std::int64_t most) {
    const boost::json::value* const value = object.if_contains({key.data(), key.size()});
    if (value == nullptr) {
        return fallback;
    }
    const std::int64_t* const number = value->if_int64();
    if (number == nullptr || *number < least || *number > most) {
        return bad_value(
            key, "whole number from " + std::to_string(least) + " to " + std::to_string(most));
    }
    return static_cast<std::uint64_t>(*number);
}

sdk::Result<bool> flag_of(const boost::json::object& object, std::string_view key, bool fallback) {
    const boost::json::value* const value = object.if_contains({key.data(), key.size()});
    if (value == nullptr) {
        return fallback;
    }
    if (!value->is_bool()) {
        return bad_value(key, "true or false");
    }
    return value->get_bool();
}

sdk::Result<MboxDialect> dialect_of(const boost::json::object& object) {
    OPENARCHIVER_TRY(const std::string name, text_of(object, "mbox_dialect", "auto", kMaxPath));
    for (const auto& [known, dialect] : kDialects) {
        if (known == name) {
            return dialect;
        }
    }
    return bad_value("mbox_dialect", "dialect; it is auto, mboxo, mboxrd, mboxcl or mboxcl2");
}

}  // namespace

std::string_view settings_schema() {
    return kSchema;
}

sdk::Result<Settings> parse_settings(std::string_view config_json,
                                     const std::filesystem::path& profile_folder) {
    boost::system::error_code failure;
    const boost::json::value json =
        boost::json::parse({config_json.data(), config_json.size()}, failure);
    const boost::json::object* const object = failure ? nullptr : json.if_object();
    if (object == nullptr) {
        return bad_config("the configuration of the mailfiles provider is no JSON object");
    }
    const boost::json::value* const paths = object->if_contains("paths");
    if (paths == nullptr || !paths->is_array() || paths->get_array().empty()) {
        return bad_config(
            "the configuration of the mailfiles provider has no \"paths\"; list folders or files");
    }
    Settings settings;
    for (const boost::json::value& value : paths->get_array()) {
        OPENARCHIVER_TRY(std::string path, absolute_path(value, profile_folder));
        settings.paths.push_back(std::move(path));
    }
    OPENARCHIVER_TRY(settings.account, text_of(*object, "account", "", kMaxAccountName));
    OPENARCHIVER_TRY(settings.mbox_dialect, dialect_of(*object));
    OPENARCHIVER_TRY(settings.watch, flag_of(*object, "watch", true));
    OPENARCHIVER_TRY(const std::uint64_t settle, number_of(*object, "settle_seconds", 1, 0, 3600));
    settings.settle = std::chrono::seconds(settle);
    OPENARCHIVER_TRY(const std::uint64_t unpacked,
                     number_of(*object, "unpacked_gib", 64, 1, 65536));
    settings.unpacked_bytes = unpacked << 30U;
    OPENARCHIVER_TRY(settings.readpst, text_of(*object, "readpst", "readpst", kMaxPath));
    if (settings.readpst.find('/') != std::string::npos) {
        settings.readpst = (profile_folder / settings.readpst).string();
    }
    OPENARCHIVER_TRY(const std::uint64_t seconds,
                     number_of(*object, "readpst_seconds", 3600, 1, 604800));
    settings.readpst_time = std::chrono::seconds(seconds);
    OPENARCHIVER_TRY(const std::uint64_t memory,
                     number_of(*object, "readpst_memory_mib", 2048, 64, 1048576));
    settings.readpst_memory = memory << 20U;
    return settings;
}

}  // namespace openarchiver::mailfiles
