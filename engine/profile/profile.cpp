#include "profile/profile.hpp"

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <fstream>
#include <http/origin.hpp>
#include <map>
#include <system_error>

#include "profile/json_text.hpp"
#include "profile/schema.hpp"
#include "profile/schema_check.hpp"

namespace openarchiver::profile {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr int kVersion = 1;
constexpr std::size_t kMaxProfileBytes = std::size_t{4} << 20;
constexpr const char* kDefaultCatalog = "catalog";
constexpr const char* kDefaultKeyFile = "archive.key";

std::optional<std::string> read_text(const fs::path& file, std::vector<Problem>& problems) {
    const auto fail = [&](std::string message, std::string suggestion) {
        problems.push_back({"", std::move(message), std::move(suggestion), Severity::error});
        return std::nullopt;
    };
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    if (status.type() == fs::file_type::not_found) {
        return fail("there is no profile " + file.string(),
                    "name it with --profile FILE or OPENARCHIVER_PROFILE");
    }
    if (!fs::is_regular_file(status)) {
        return fail("the profile " + file.string() + " is not a file" +
                        (error ? ": " + error.message() : std::string()),
                    "name the JSON file itself");
    }
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        return fail("the profile " + file.string() + " can't be read",
                    "check its permissions for the engine's user");
    }
    if (fs::file_size(file, error) > kMaxProfileBytes) {
        return fail("the profile " + file.string() + " is larger than 4 MiB",
                    "is it the right file?");
    }
    std::string text(kMaxProfileBytes, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (stream.bad()) {
        return fail("reading the profile " + file.string() + " failed", "check its disk");
    }
    text.resize(static_cast<std::size_t>(stream.gcount()));
    return text;
}

fs::path folder_of(const fs::path& file) {
    std::error_code error;
    return fs::absolute(file, error).lexically_normal().parent_path();
}

fs::path resolved(const fs::path& folder, const json::value& path) {
    const json::string& text = path.get_string();
    return (folder / fs::path(std::string_view(text.data(), text.size()))).lexically_normal();
}

std::string text_of(const json::value& value) {
    const json::string& text = value.get_string();
    return {text.data(), text.size()};
}

const json::object* object_at(const json::object& owner, std::string_view key) {
    const json::value* value = owner.if_contains(key);
    return value != nullptr ? value->if_object() : nullptr;
}

/// The schema has accepted the form: digits and a unit.
std::pair<std::uint64_t, std::string_view> number_and_unit(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return {number, text.substr(static_cast<std::size_t>(end - text.data()))};
}

std::chrono::seconds duration_of(std::string_view text) {
    const auto [number, unit] = number_and_unit(text);
    const std::int64_t seconds = unit == "d" ? 86400 : unit == "h" ? 3600 : unit == "m" ? 60 : 1;
    return std::chrono::seconds(static_cast<std::int64_t>(number) * seconds);
}

/// Months and years are those of the calendar; absent: for ever.
std::optional<RetentionPolicy::Time> time_of(std::string_view text) {
    if (text == "forever") {
        return std::nullopt;
    }
    const auto [number, unit] = number_and_unit(text);
    const auto count = static_cast<unsigned>(number);
    return unit == "y"    ? RetentionPolicy::Time{.months = 12 * count}
           : unit == "mo" ? RetentionPolicy::Time{.months = count}
                          : RetentionPolicy::Time{.days = count};
}

std::vector<std::string> texts_of(const json::object& owner, std::string_view key) {
    std::vector<std::string> texts;
    if (const json::value* list = owner.if_contains(key)) {
        for (const json::value& text : list->get_array()) {
            texts.push_back(text_of(text));
        }
    }
    return texts;
}

std::uint64_t size_of(const json::value& value) {
    if (!value.is_string()) {
        return value.to_number<std::uint64_t>();
    }
    const std::string text = text_of(value);
    const auto [number, unit] = number_and_unit(text);
    const unsigned shift = unit == "KiB"   ? 10
                           : unit == "MiB" ? 20
                           : unit == "GiB" ? 30
                           : unit == "TiB" ? 40
                                           : 0;
    return number << shift;
}

/// As far as it is well-formed: what is not is another's to report. A list of hashes that is none
/// allows nothing.
PluginSettings plugin_settings(const json::object& document, const fs::path& folder) {
    PluginSettings settings;
    const json::object* plugins = object_at(document, "plugins");
    if (plugins == nullptr) {
        return settings;
    }
    const auto texts = [&](std::string_view key, auto&& take) {
        const json::value* list = plugins->if_contains(key);
        if (list != nullptr && list->is_array()) {
            for (const json::value& element : list->get_array()) {
                if (element.is_string() && !element.get_string().empty()) {
                    take(element);
                }
            }
        }
    };
    texts("path",
          [&](const json::value& element) { settings.path.push_back(resolved(folder, element)); });
    if (plugins->contains("sha256")) {
        settings.sha256.emplace();
        texts("sha256", [&](const json::value& element) {
            settings.sha256->emplace_back(element.get_string());
        });
    }
    return settings;
}

/// What the schema can't say: relations between values, and numbers within texts.
class Conversion {
public:
    Conversion(const fs::path& file, std::vector<std::string> secrets,
               std::vector<Problem>& problems)
        : secrets_(std::move(secrets)), problems_(problems) {
        std::error_code error;
        profile_.file = fs::absolute(file, error).lexically_normal();
        profile_.folder = folder_of(file);
    }

    PluginConfig plugin_config(const json::object& owner) {
        PluginConfig config;
        configuration(owner, "/config", config);
        return config;
    }

    Source lone_source(const json::object& section) {
        source(section, "");
        return std::move(profile_.sources.front());
    }

    Profile convert(const json::object& document, bool with_config) {
        with_config_ = with_config;
        archive(document.at("archive").get_object());
        if (const json::value* sources = document.if_contains("sources")) {
            for (const json::value& element : sources->get_array()) {
                source(element.get_object(), child_pointer("/sources", profile_.sources.size()));
            }
        }
        profile_.plugins = plugin_settings(document, profile_.folder);
        if (const json::object* given = object_at(document, "notifications")) {
            notifications(*given);
        }
        if (const json::object* service = object_at(document, "service")) {
            if (const json::value* listen = service->if_contains("listen")) {
                address(text_of(*listen));
            }
            if (const json::value* url = service->if_contains("public_url")) {
                profile_.service.public_url = text_of(*url);
                while (profile_.service.public_url.ends_with('/')) {
                    profile_.service.public_url.pop_back();
                }
            }
            if (const json::object* tls = object_at(*service, "tls")) {
                profile_.service.certificate = resolved(profile_.folder, tls->at("certificate"));
                profile_.service.key = resolved(profile_.folder, tls->at("key"));
            }
            if (const json::value* allowed = service->if_contains("api_sources")) {
                profile_.service.api_sources = allowed->get_bool();
            }
            check_exposure();
        }
        return std::move(profile_);
    }

private:
    void archive(const json::object& section) {
        Archive& archive = profile_.archive;
        const json::object& storage = section.at("storage").get_object();
        archive.storage.backend = text_of(storage.at("backend"));
        configuration(storage, "/archive/storage/config", archive.storage);

        const json::object* catalog = object_at(section, "catalog");
        archive.catalog_path = catalog != nullptr ? resolved(profile_.folder, catalog->at("path"))
                                                  : profile_.folder / kDefaultCatalog;

        KeyReference& key = archive.encryption.key;
        key.value = (profile_.folder / kDefaultKeyFile).string();
        if (const json::object* encryption = object_at(section, "encryption")) {
            archive.encryption.section_present = true;
            const json::value* mode = encryption->if_contains("mode");
            if (mode != nullptr && text_of(*mode) == "none") {
                archive.encryption.mode = EncryptionMode::none;
                key.value.clear();
            } else {
                const json::object& given = encryption->at("key").get_object();
                const json::object* passphrase = object_at(given, "passphrase");
                const json::object& reference = passphrase != nullptr ? *passphrase : given;
                key.passphrase = passphrase != nullptr;
                if (const json::value* name = reference.if_contains("env")) {
                    key.kind = KeyReference::Kind::env;
                    key.value = text_of(*name);
                } else {
                    key.kind = KeyReference::Kind::file;
                    key.value = resolved(profile_.folder, reference.at("file")).string();
                }
            }
        }
        if (const json::object* given = object_at(section, "evidence")) {
            evidence(*given);
        }
        for (const std::string& deed : texts_of(section, "second_person")) {
            archive.second_person.hold_release |= deed == "hold_release";
            archive.second_person.disposal |= deed == "disposal";
            archive.second_person.forget |= deed == "forget";
        }
        if (const json::value* policies = section.if_contains("retention")) {
            for (const json::value& policy : policies->get_array()) {
                retention(policy.get_object());
            }
        }
        if (const json::object* given = object_at(section, "search")) {
            if (const json::value* enabled = given->if_contains("enabled")) {
                archive.search.enabled = enabled->get_bool();
            }
            if (const json::value* attachments = given->if_contains("attachments")) {
                archive.search.attachments = attachments->get_bool();
            }
        }
        if (const json::value* floor = section.if_contains("free_space_floor")) {
            archive.free_space_floor = size_of(*floor);
        }
    }

    void evidence(const json::object& section) {
        Evidence& evidence = profile_.archive.evidence;
        if (const json::value* every = section.if_contains("head_every")) {
            evidence.head_every = duration_of(text_of(*every));
        }
        if (const json::object* authority = object_at(section, "timestamp_authority")) {
            auto& given = evidence.timestamp_authority.emplace();
            given.url = text_of(authority->at("url"));
            if (const json::value* file = authority->if_contains("ca_file")) {
                given.ca_file = resolved(profile_.folder, *file);
            }
            if (const json::value* every = authority->if_contains("every")) {
                given.every = duration_of(text_of(*every));
            }
        }
        if (const json::value* folder = section.if_contains("publish_to")) {
            evidence.publish_to = resolved(profile_.folder, *folder);
        }
    }

    void retention(const json::object& section) {
        auto& policies = profile_.archive.retention;
        RetentionPolicy policy;
        policy.id = text_of(section.at("id"));
        if (std::ranges::find(policies, policy.id, &RetentionPolicy::id) != policies.end()) {
            problems_.push_back({child_pointer("/archive/retention", policies.size()) + "/id",
                                 "another retention policy has the id \"" + policy.id + "\", too",
                                 "give every policy an id of its own", Severity::error});
        }
        policy.sources = texts_of(section, "sources");
        policy.accounts = texts_of(section, "accounts");
        policy.folders = texts_of(section, "folders");
        policy.keep = time_of(text_of(section.at("keep")));
        policy.second_person = profile_.archive.second_person.disposal;
        if (const json::value* from = section.if_contains("counted_from")) {
            policy.counted_from = text_of(*from) == "archived" ? RetentionPolicy::From::archived
                                                               : RetentionPolicy::From::received;
        }
        policies.push_back(std::move(policy));
    }

    void source(const json::object& section, const std::string& pointer) {
        Source source;
        source.id = text_of(section.at("id"));
        const json::value* name = section.if_contains("name");
        source.name = name != nullptr ? text_of(*name) : source.id;
        source.provider = text_of(section.at("provider"));
        configuration(section, pointer + "/config", source);
        if (const json::object* schedule = object_at(section, "schedule")) {
            if (const json::value* every = schedule->if_contains("every")) {
                source.every = duration_of(text_of(*every));
            }
            if (const json::value* every = schedule->if_contains("reconcile_every")) {
                source.reconcile_every = duration_of(text_of(*every));
            }
        }
        const auto [earlier, is_new] = ids_.try_emplace(source.id, pointer);
        if (!is_new) {
            problems_.push_back(
                {pointer + "/id",
                 "the source id \"" + source.id + "\" is used already at " + earlier->second,
                 "give every source an id of its own", Severity::error});
        }
        profile_.sources.push_back(std::move(source));
    }

    void notifications(const json::object& section) {
        Notifications& given = profile_.notifications;
        const auto duration = [&](std::string_view key, std::chrono::seconds& target) {
            if (const json::value* text = section.if_contains(key)) {
                target = duration_of(text_of(*text));
            }
        };
        duration("after", given.after);
        duration("remind_every", given.remind_every);
        duration("lag", given.lag);
        duration("credential_before", given.credential_before);
        if (const json::value* below = section.if_contains("storage_below")) {
            const auto [number, unit] = number_and_unit(std::string_view(below->get_string()));
            given.storage_below_percent = unit == "%" ? static_cast<unsigned>(number) : 0;
            given.storage_below_bytes = unit == "%" ? 0 : size_of(*below);
        }
        for (const json::value& element : section.at("targets").get_array()) {
            const std::string pointer =
                child_pointer("/notifications/targets", given.targets.size());
            NotificationTarget target = notification_target(element.get_object(), pointer);
            if (std::ranges::find(given.targets, target.id, &NotificationTarget::id) !=
                given.targets.end()) {
                problems_.push_back({pointer + "/id",
                                     "another target has the id \"" + target.id + "\", too",
                                     "give every target an id of its own", Severity::error});
            }
            given.targets.push_back(std::move(target));
        }
    }

    NotificationTarget notification_target(const json::object& section,
                                           const std::string& pointer) {
        NotificationTarget target;
        target.id = text_of(section.at("id"));
        target.conditions = texts_of(section, "conditions");
        if (const json::value* name = section.if_contains("name_accounts")) {
            target.name_accounts = name->get_bool();
        }
        if (const json::object* given = object_at(section, "webhook")) {
            target.webhook = webhook(*given, pointer + "/webhook");
        } else {
            target.smtp = smtp(section.at("smtp").get_object(), pointer + "/smtp");
        }
        return target;
    }

    Webhook webhook(const json::object& section, const std::string& pointer) {
        Webhook hook;
        hook.url = text_of(section.at("url"));
        if (const auto url = http::split_url(hook.url); !url) {
            problems_.push_back({pointer + "/url", url.error().message,
                                 "write a URL such as \"https://hooks.example.org/archive\"",
                                 Severity::error});
        } else if (!url->origin.secure && !url->origin.is_loopback()) {
            problems_.push_back(
                {pointer + "/url", "notifications would cross the network in the clear",
                 "use https; plain http is for a receiver on this machine", Severity::error});
        }
        hook.secret = secret(section, "secret");
        hook.ca_file = path_in(section, "ca_file");
        hook.proxy = optional_text(section, "proxy");
        if (!hook.proxy.empty() && !http::split_url(hook.proxy)) {
            problems_.push_back({pointer + "/proxy", "this is no usable URL",
                                 "write a URL such as \"http://proxy.example.org:3128\"",
                                 Severity::error});
        }
        hook.proxy_user = optional_text(section, "proxy_user");
        hook.proxy_password = secret(section, "proxy_password");
        both_or_neither(section, "proxy_user", "proxy_password", pointer);
        return hook;
    }

    Smtp smtp(const json::object& section, const std::string& pointer) {
        Smtp mail;
        mail.host = text_of(section.at("host"));
        if (const std::string security = optional_text(section, "security"); security == "tls") {
            mail.security = Smtp::Security::tls;
            mail.port = 465;
        } else if (security == "none") {
            mail.security = Smtp::Security::none;
            mail.port = 25;
            if (!http::Origin{.secure = false, .host = mail.host}.is_loopback()) {
                problems_.push_back({pointer + "/security",
                                     "mail, and a password, would cross the network in the clear",
                                     "use starttls or tls; none is for a server on this machine",
                                     Severity::error});
            }
        }
        if (const json::value* port = section.if_contains("port")) {
            mail.port = port->to_number<std::uint16_t>();
        }
        mail.username = optional_text(section, "username");
        mail.password = secret(section, "password");
        both_or_neither(section, "username", "password", pointer);
        mail.from = text_of(section.at("from"));
        mail.to = texts_of(section, "to");
        mail.ca_file = path_in(section, "ca_file");
        return mail;
    }

    static std::string optional_text(const json::object& section, std::string_view key) {
        const json::value* text = section.if_contains(key);
        return text != nullptr ? text_of(*text) : std::string();
    }

    /// Empty where there is none.
    [[nodiscard]] fs::path path_in(const json::object& section, std::string_view key) const {
        const json::value* path = section.if_contains(key);
        return path != nullptr ? resolved(profile_.folder, *path) : fs::path();
    }

    [[nodiscard]] std::optional<SecretReference> secret(const json::object& section,
                                                        std::string_view key) const {
        const json::value* given = section.if_contains(key);
        return given != nullptr ? std::optional(reference_of(*given)) : std::nullopt;
    }

    void both_or_neither(const json::object& section, std::string_view one, std::string_view other,
                         const std::string& pointer) {
        if (section.contains(one) != section.contains(other)) {
            const std::string_view missing = section.contains(one) ? other : one;
            problems_.push_back({pointer, "\"" + std::string(missing) + "\" is missing",
                                 "give both \"" + std::string(one) + "\" and \"" +
                                     std::string(other) + "\", or neither",
                                 Severity::error});
        }
    }

    /// The schema has accepted the form.
    [[nodiscard]] SecretReference reference_of(const json::value& value) const {
        const json::object* object = value.if_object();
        if (object == nullptr) {
            return {SecretReference::Kind::literal, text_of(value)};
        }
        if (const json::value* name = object->if_contains("env")) {
            return {SecretReference::Kind::env, text_of(*name)};
        }
        return {SecretReference::Kind::file,
                resolved(profile_.folder, object->at("file")).string()};
    }

    /// Takes the secrets out of a plugin's configuration.
    void configuration(const json::object& owner, const std::string& place, PluginConfig& config) {
        const json::value* given = owner.if_contains("config");
        if (given == nullptr || !with_config_) {
            return;
        }
        json::value copy = *given;
        for (const std::string& pointer : secrets_) {
            if (pointer.starts_with(place + '/')) {
                std::string within = pointer.substr(place.size());
                config.secrets.emplace(within, take(copy, within));
            }
        }
        config.config_json = json::serialize(copy);
    }

    SecretReference take(json::value& config, const std::string& pointer) const {
        json::error_code error;
        json::value* value = config.find_pointer(pointer, error);
        if (value == nullptr) {
            return {};
        }
        SecretReference reference = reference_of(*value);
        const std::size_t last = pointer.rfind('/');
        json::value* parent = config.find_pointer(pointer.substr(0, last), error);
        if (json::object* members = parent != nullptr ? parent->if_object() : nullptr) {
            const auto member = std::ranges::find_if(
                *members, [&](const auto& candidate) { return &candidate.value() == value; });
            members->erase(member);
        } else {
            *value = nullptr;  // an element of a list keeps its place
        }
        return reference;
    }

    /// Credentials and mail would cross the network in the open.
    void check_exposure() {
        const Service& service = profile_.service;
        const bool loopback = service.host == "localhost" || service.host == "::1" ||
                              service.host.starts_with("127.");
        if (!loopback && service.certificate.empty()) {
            problems_.push_back({"/service/listen",
                                 "the HTTP API would be reachable from other machines without TLS",
                                 "give service.tls a certificate and its key, or listen on "
                                 "127.0.0.1 behind a proxy that has one",
                                 Severity::error});
        }
    }

    void address(const std::string& listen) {
        profile_.service.listen_given = true;
        const std::size_t colon = listen.rfind(':');
        const auto [port, rest] = number_and_unit(std::string_view(listen).substr(colon + 1));
        if (port > 65535) {
            problems_.push_back({"/service/listen", "the port must be at most 65535",
                                 "write an address and a port such as \"127.0.0.1:8420\"",
                                 Severity::error});
            return;
        }
        profile_.service.port = static_cast<std::uint16_t>(port);
        std::string host = listen.substr(0, colon);
        if (host.starts_with('[')) {
            host = host.substr(1, host.size() - 2);
        }
        profile_.service.host = std::move(host);
    }

    Profile profile_;
    std::vector<std::string> secrets_;
    std::vector<Problem>& problems_;
    std::map<std::string, std::string> ids_;  // of sources, with the pointer of the first
    bool with_config_ = true;
};

bool has_errors(const std::vector<Problem>& problems) {
    return std::ranges::any_of(
        problems, [](const Problem& problem) { return problem.severity == Severity::error; });
}

/// A profile of another version is not checked further: nothing else about it can be said.
bool readable_version(const json::value& document, std::vector<Problem>& problems) {
    const auto* object = document.if_object();
    const json::value* version = object != nullptr ? object->if_contains("version") : nullptr;
    if (version == nullptr || !version->is_number() || *version == json::value(kVersion)) {
        return true;
    }
    problems.push_back({"/version",
                        "this engine reads profiles of version 1, not " + json::serialize(*version),
                        "use the engine that the profile was written for, or write it anew as "
                        "version 1",
                        Severity::error});
    return false;
}

}  // namespace

std::string to_text(const Problem& problem) {
    std::string text = problem.severity == Severity::error ? "error" : "warning";
    if (!problem.pointer.empty()) {
        text += " at " + problem.pointer;
    }
    text += ": " + problem.message;
    if (!problem.suggestion.empty()) {
        text += " (" + problem.suggestion + ")";
    }
    return text;
}

ProfileResult load_profile(const fs::path& file, const plugin::PluginHost* plugins) {
    ProfileResult result;
    std::vector<Problem>& problems = result.problems;
    const auto text = read_text(file, problems);
    if (!text) {
        return result;
    }
    const auto document = parse_json(*text, problems);
    if (!document || !readable_version(*document, problems)) {
        return result;
    }

    const json::value schema = merged_schema(plugins);
    Findings findings = check_document(schema, *document, plugins);
    std::ranges::move(findings.problems, std::back_inserter(problems));
    if (!has_errors(problems)) {
        std::ranges::move(arbitrate(schema, *document), std::back_inserter(problems));
    }
    if (has_errors(problems)) {
        return result;
    }
    Profile profile = Conversion(file, std::move(findings.secrets), problems)
                          .convert(document->get_object(), plugins != nullptr);
    if (!has_errors(problems)) {
        result.profile = std::move(profile);
    }
    return result;
}

PluginConfigResult read_plugin_config(const fs::path& file, const plugin::LoadedPlugin& loaded,
                                      std::string_view schema) {
    PluginConfigResult result;
    std::vector<Problem>& problems = result.problems;
    const auto text = read_text(file, problems);
    const auto config = text ? parse_json(*text, problems) : std::nullopt;
    if (!config) {
        return result;
    }
    const json::object owner{{"config", *config}};
    json::object wanted = owner_schema(loaded, schema);
    wanted["type"] = "object";
    Findings findings = check_document(wanted, owner, nullptr);
    std::ranges::move(findings.problems, std::back_inserter(problems));
    if (!has_errors(problems)) {
        std::ranges::move(arbitrate(wanted, owner), std::back_inserter(problems));
    }
    if (!has_errors(problems)) {
        result.config =
            Conversion(file, std::move(findings.secrets), problems).plugin_config(owner);
    }
    return result;
}

SourceResult read_source(std::string_view json_text, const fs::path& profile_file,
                         const plugin::PluginHost& plugins) {
    SourceResult result;
    std::vector<Problem>& problems = result.problems;
    const auto section = parse_json(json_text, problems);
    if (!section) {
        return result;
    }
    const json::value schema = merged_schema(&plugins).at("properties").at("sources").at("items");
    Findings findings = check_document(schema, *section, &plugins);
    std::ranges::move(findings.problems, std::back_inserter(problems));
    if (!has_errors(problems)) {
        std::ranges::move(arbitrate(schema, *section), std::back_inserter(problems));
    }
    // It stands in no profile, so a secret in the open is no reason to warn.
    std::erase_if(problems, [&](const Problem& problem) {
        return problem.severity == Severity::warning &&
               problem.message != secret_id_warning({}).message &&
               std::ranges::find(findings.secrets, problem.pointer) != findings.secrets.end();
    });
    if (has_errors(problems)) {
        return result;
    }
    Source source = Conversion(profile_file, std::move(findings.secrets), problems)
                        .lone_source(section->get_object());
    for (const auto& [pointer, reference] : source.secrets) {
        if (reference.kind != SecretReference::Kind::literal) {
            problems.push_back(
                {"/config" + pointer, "a reference to a variable or file of the engine's machine",
                 "give the secret itself; references are for the profile", Severity::error});
        }
    }
    if (!has_errors(problems)) {
        result.source = std::move(source);
    }
    return result;
}

PluginSettings read_plugin_settings(const fs::path& file) {
    std::vector<Problem> ignored;
    const auto text = read_text(file, ignored);
    const auto document = text ? parse_json(*text, ignored) : std::nullopt;
    const json::object* root = document ? document->if_object() : nullptr;
    return root != nullptr ? plugin_settings(*root, folder_of(file)) : PluginSettings{};
}

}  // namespace openarchiver::profile
