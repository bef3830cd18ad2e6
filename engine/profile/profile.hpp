#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "plugin/plugin_host.hpp"
#include "plugin/secrets.hpp"

/// The profile: the JSON file that says what to archive, where and how often.
namespace openarchiver::profile {

using plugin::SecretReference;
using plugin::SecretReferences;

/// A plugin's own configuration: JSON text without its secrets, and where those come from.
struct PluginConfig {
    std::string config_json = "{}";
    /// By JSON pointer within the configuration ("/client_secret").
    SecretReferences secrets;
};

struct Storage : PluginConfig {
    std::string backend;
};

enum class EncryptionMode : std::uint8_t { aes_256_gcm, none };

/// Where the master key is, or the passphrase that it is made from. The file need not exist yet.
struct KeyReference {
    enum class Kind : std::uint8_t { file, env };
    Kind kind = Kind::file;
    bool passphrase = false;
    /// An absolute path, or the name of an environment variable.
    std::string value;
};

struct Encryption {
    EncryptionMode mode = EncryptionMode::aes_256_gcm;
    KeyReference key;
    /// False: the profile says nothing, so the key file may be created at first use.
    bool section_present = false;
};

struct TimestampAuthority {
    std::string url;
    /// Empty: the system's certificates.
    std::filesystem::path ca_file;
    std::chrono::seconds every = std::chrono::days(1);
};

/// What makes the archive provable to others.
struct Evidence {
    std::chrono::seconds head_every = std::chrono::hours(1);
    std::optional<TimestampAuthority> timestamp_authority;
    /// Empty: heads are in the archive only.
    std::filesystem::path publish_to;
};

/// How long items are kept. The first policy that covers an item is the one that counts; what none
/// covers is kept for ever.
struct RetentionPolicy {
    enum class From : std::uint8_t { received, archived };

    struct Time {
        unsigned months = 0;
        unsigned days = 0;
    };

    std::string id;
    // Empty ones do not restrict.
    std::vector<std::string> sources;
    std::vector<std::string> accounts;  ///< ids or addresses
    std::vector<std::string> folders;   ///< paths, with what is below
    std::optional<Time> keep;           ///< absent: for ever
    From counted_from = From::received;
    /// Its approval needs a second person (SecondPerson::disposal).
    bool second_person = false;
};

/// What one person asks for and another one has to approve.
struct SecondPerson {
    bool hold_release = false;
    bool disposal = false;
    bool forget = false;
};

/// What the search index gets.
struct Search {
    bool enabled = true;
    bool attachments = true;  ///< text of attachments
};

struct Archive {
    Storage storage;
    std::filesystem::path catalog_path;
    Encryption encryption;
    Evidence evidence;
    std::vector<RetentionPolicy> retention;
    SecondPerson second_person;
    Search search;
    /// Archiving stops before less than this is free.
    std::uint64_t free_space_floor = std::uint64_t{1} << 30;
};

struct Source : PluginConfig {
    std::string id;
    std::string name;
    std::string provider;
    /// The time between the beginnings of two sync runs.
    std::chrono::seconds every = std::chrono::minutes(5);
    /// The time in which each folder is listed anew once.
    std::chrono::seconds reconcile_every = std::chrono::days(30);
    /// Made through the API: not in the file, but in the archive (access/kept_sources.hpp).
    bool from_api = false;
    /// Who paused it; absent: it is read.
    std::optional<std::string> paused_by;
};

struct Service {
    std::string host = "127.0.0.1";
    std::uint16_t port = 8420;
    /// The profile says where to listen, so that it has to be possible.
    bool listen_given = false;
    /// Under which others reach the HTTP API, without a slash at its end; empty: they don't.
    std::string public_url = {};
    /// Of the HTTP API, PEM; empty: no TLS.
    std::filesystem::path certificate;
    std::filesystem::path key;
    /// False: the profile alone says what the sources are.
    bool api_sources = true;
};

/// Which plugins are loaded.
struct PluginSettings {
    std::vector<std::filesystem::path> path;
    /// Where given, libraries of these SHA-256 only.
    std::optional<std::vector<std::string>> sha256;

    bool operator==(const PluginSettings&) const = default;
};

struct Webhook {
    std::string url;
    std::optional<SecretReference> secret;
    /// Empty: the system's certificates.
    std::filesystem::path ca_file;
    std::string proxy;  ///< an origin; empty: none
    std::string proxy_user;
    std::optional<SecretReference> proxy_password;

    bool operator==(const Webhook&) const = default;
};

struct Smtp {
    enum class Security : std::uint8_t { starttls, tls, none };

    std::string host;
    std::uint16_t port = 587;
    Security security = Security::starttls;
    std::string username;  ///< empty: nobody signs in
    std::optional<SecretReference> password;
    std::string from;
    std::vector<std::string> to;
    /// Empty: the system's certificates.
    std::filesystem::path ca_file;

    bool operator==(const Smtp&) const = default;
};

/// Who is told; has one of webhook and smtp.
struct NotificationTarget {
    std::string id;
    /// Names of conditions; empty: all.
    std::vector<std::string> conditions = {};
    bool name_accounts = false;
    std::optional<Webhook> webhook = {};
    std::optional<Smtp> smtp = {};

    bool operator==(const NotificationTarget&) const = default;
};

/// Who is told of what needs somebody, and when.
struct Notifications {
    std::vector<NotificationTarget> targets;
    /// How long a condition lasts, or is over, before that is told.
    std::chrono::seconds after = std::chrono::minutes(15);
    std::chrono::seconds remind_every = std::chrono::days(1);
    /// Beyond a source's schedule.
    std::chrono::seconds lag = std::chrono::hours(4);
    std::chrono::seconds credential_before = std::chrono::days(30);
    /// Free space: a share, or where that is 0 a size.
    unsigned storage_below_percent = 10;
    std::uint64_t storage_below_bytes = 0;

    bool operator==(const Notifications&) const = default;
};

/// All paths are absolute.
struct Profile {
    int version = 1;
    Archive archive;
    std::vector<Source> sources;
    PluginSettings plugins;
    Notifications notifications;
    Service service;
    std::filesystem::path file;
    std::filesystem::path folder;
};

enum class Severity : std::uint8_t { error, warning };

struct Problem {
    /// JSON pointer of the place; empty: the file as a whole.
    std::string pointer;
    std::string message;
    /// What to do; may be empty.
    std::string suggestion;
    Severity severity = Severity::error;
};

/// One line for people: "error at /sources/0/id: ... (...)".
[[nodiscard]] std::string to_text(const Problem& problem);

struct ProfileResult {
    /// Absent exactly when there is a problem of severity `error`.
    std::optional<Profile> profile;
    std::vector<Problem> problems;
};

/// Reads and validates a profile. `plugins` gives the schemas of the configurations; without it
/// (null) plugins' configurations are neither checked nor returned, because what in them is secret
/// is not known.
[[nodiscard]] ProfileResult load_profile(const std::filesystem::path& file,
                                         const plugin::PluginHost* plugins);

struct PluginConfigResult {
    /// Absent exactly when there is a problem of severity `error`.
    std::optional<PluginConfig> config;
    /// Pointers begin with "/config".
    std::vector<Problem> problems;
};

/// Reads a plugin's configuration from a file of its own, as it would stand in a profile of that
/// folder. `schema` is the plugin's, and `loaded` is for messages.
[[nodiscard]] PluginConfigResult read_plugin_config(const std::filesystem::path& file,
                                                    const plugin::LoadedPlugin& loaded,
                                                    std::string_view schema);

/// `plugins` of a profile that is not validated yet, because its plugins must be loaded first.
/// Empty where the file can't be read as JSON; load_profile() reports that.
[[nodiscard]] PluginSettings read_plugin_settings(const std::filesystem::path& file);

struct SourceResult {
    /// Absent exactly when there is a problem of severity `error`.
    std::optional<Source> source;
    /// Pointers are into the source ("/config/tenant_id").
    std::vector<Problem> problems;
};

/// Reads a source by itself, JSON text as it would stand among the `sources` of this profile, but
/// with the secrets themselves: who may not see the profile's machine may not refer to its files.
[[nodiscard]] SourceResult read_source(std::string_view json_text,
                                       const std::filesystem::path& profile_file,
                                       const plugin::PluginHost& plugins);

/// Reads every secret that the profile refers to and reports those that can't be used (errors) or
/// are probably mistaken (warnings). Pointers are into the profile. No value is in any text.
[[nodiscard]] std::vector<Problem> check_secrets(const Profile& profile);

/// The JSON Schema of a profile with the configurations of the loaded plugins merged in, as
/// indented JSON text.
[[nodiscard]] std::string profile_schema(const plugin::PluginHost* plugins);

}  // namespace openarchiver::profile
