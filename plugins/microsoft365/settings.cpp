#include "settings.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <limits>

#include "failure.hpp"

namespace openarchiver::microsoft365 {

namespace {

namespace json = boost::json;
using sdk::Errc;

constexpr std::string_view kSchema = R"json({
  "type": "object",
  "title": "Microsoft 365",
  "description": "Mailboxes of an organisation in Exchange Online, read through Microsoft Graph with an application's own permissions (Mail.Read and User.Read.All, with admin consent).",
  "additionalProperties": false,
  "required": ["tenant_id", "client_id"],
  "oneOf": [
    { "required": ["client_secret"] },
    { "required": ["certificate"] },
    { "required": ["federated_token_file"] }
  ],
  "properties": {
    "client_id": {
      "type": "string",
      "title": "Application (Client) ID",
      "description": "From the app registration's Overview page in the Microsoft Entra admin center.",
      "pattern": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
      "x-order": 1
    },
    "tenant_id": {
      "type": "string",
      "title": "Directory (Tenant) ID",
      "description": "From the app registration's Overview page; a verified domain of the tenant works as well.",
      "pattern": "^[0-9a-zA-Z][0-9a-zA-Z.-]*$",
      "x-order": 2
    },
    "client_secret": {
      "type": "string",
      "title": "Client Secret Value",
      "description": "The Value of a secret under Certificates & secrets, not its Secret ID. It is shown only once, when the secret is created.",
      "writeOnly": true,
      "x-order": 3
    },
    "client_secret_expires": {
      "type": "string",
      "format": "date",
      "title": "Client Secret Expires",
      "description": "The day on which the secret expires (YYYY-MM-DD). The check and the status remind of it from 30 days before.",
      "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$",
      "x-order": 4
    },
    "cloud": {
      "type": "string",
      "enum": ["global", "usgov", "dod", "china"],
      "default": "global",
      "title": "Cloud",
      "description": "Where the tenant lives: global (US GCC included), usgov (US Government L4, GCC High), dod (US Government L5) or china (operated by 21Vianet).",
      "x-order": 5
    },
    "accounts": {
      "type": "object",
      "title": "Accounts",
      "description": "Which mailboxes to archive; all of them when left out.",
      "additionalProperties": false,
      "properties": {
        "include": {
          "type": "array",
          "items": { "type": "string" },
          "title": "Include",
          "description": "Addresses or ids, with * for any characters. When given, only these are archived.",
          "x-order": 1
        },
        "exclude": {
          "type": "array",
          "items": { "type": "string" },
          "title": "Exclude",
          "description": "Addresses or ids, with * for any characters. It wins over what is included.",
          "x-order": 2
        },
        "groups": {
          "type": "object",
          "title": "Groups",
          "description": "Members of groups, directly or through other groups. Needs the permission GroupMember.Read.All.",
          "additionalProperties": false,
          "properties": {
            "include": {
              "type": "array",
              "items": { "type": "string", "pattern": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$" },
              "title": "Include Groups",
              "description": "Object ids of groups. When given, their members are archived, and who is in Include.",
              "x-order": 1
            },
            "exclude": {
              "type": "array",
              "items": { "type": "string", "pattern": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$" },
              "title": "Exclude Groups",
              "description": "Object ids of groups. Their members are left out, however they are included.",
              "x-order": 2
            }
          },
          "x-order": 3
        }
      },
      "x-order": 6
    },
    "folders": {
      "type": "object",
      "title": "Folders",
      "description": "Which folders to archive, each with everything below it. When left out: all but Drafts, Outbox, Sync Issues, Conversation History and Recoverable Items. Search folders are never archived.",
      "additionalProperties": false,
      "properties": {
        "include": {
          "type": "array",
          "items": { "type": "string" },
          "title": "Include",
          "description": "Well-known names (inbox, drafts, ...) or paths of display names joined by '/', with * for any characters. When given, only these are archived; * alone stands for what is archived by default.",
          "x-order": 1
        },
        "exclude": {
          "type": "array",
          "items": { "type": "string" },
          "title": "Exclude",
          "description": "Well-known names or paths as above. It wins over what is included.",
          "x-order": 2
        }
      },
      "x-order": 7
    },
    "requests_per_account": {
      "type": "integer",
      "minimum": 1,
      "maximum": 4,
      "default": 4,
      "title": "Requests per Account",
      "description": "How many requests may be in flight for one mailbox. Exchange Online allows four.",
      "x-order": 8
    },
    "accounts_in_parallel": {
      "type": "integer",
      "minimum": 1,
      "maximum": 128,
      "default": 32,
      "title": "Accounts in Parallel",
      "description": "How many mailboxes are read at the same time.",
      "x-order": 9
    },
    "max_lag_seconds": {
      "type": "integer",
      "minimum": 1,
      "maximum": 86400,
      "default": 3600,
      "title": "Longest Lag",
      "description": "Within how many seconds a folder is polled in any case. Folders whose counts of items did not change may wait so long; Inbox and Sent Items never wait.",
      "x-order": 10
    },
    "change_notifications": {
      "type": "boolean",
      "default": true,
      "title": "Change Notifications",
      "description": "Whether Microsoft is asked to tell of new mail, so that it is archived within a minute. Only where service.public_url leads to this service from the internet; the schedule goes on beside.",
      "x-order": 11
    },
    "authority_url": {
      "type": "string",
      "title": "Authority URL",
      "description": "Another token endpoint than the cloud's: scheme, host and port only. Needs graph_url.",
      "x-order": 12
    },
    "graph_url": {
      "type": "string",
      "title": "Graph URL",
      "description": "Another Graph endpoint than the cloud's: scheme, host and port only. Needs authority_url.",
      "x-order": 13
    },
    "ca_file": {
      "type": "string",
      "title": "Certificate Authorities",
      "description": "A PEM file of the certificate authorities to trust instead of the system's.",
      "x-order": 14
    },
    "certificate": {
      "type": "object",
      "title": "Certificate",
      "description": "A certificate with its RSA key, instead of a client secret. Its public part is uploaded under Certificates & secrets.",
      "additionalProperties": false,
      "required": ["file"],
      "properties": {
        "file": {
          "type": "string",
          "pattern": ".",
          "title": "File",
          "description": "PEM with the private key and the certificate, or PKCS#12. It is read anew for each token.",
          "x-order": 1
        },
        "password": {
          "type": "string",
          "title": "Password",
          "description": "What the file is protected with, if it is.",
          "writeOnly": true,
          "x-order": 2
        },
        "algorithm": {
          "type": "string",
          "enum": ["PS256", "RS256"],
          "default": "PS256",
          "title": "Algorithm",
          "description": "How the assertion is signed: PS256, or RS256 where a service still asks for it.",
          "x-order": 3
        }
      },
      "x-order": 21
    },
    "federated_token_file": {
      "type": "string",
      "pattern": ".",
      "title": "Federated Token File",
      "description": "A file with a token of an issuer that the application trusts (workload identity federation), instead of a client secret. It is read anew for each token.",
      "x-order": 22
    },
    "proxy": {
      "type": "string",
      "title": "Proxy",
      "description": "A proxy that opens tunnels (CONNECT) to the services: http://host:port.",
      "x-order": 23
    },
    "proxy_user": {
      "type": "string",
      "pattern": ".",
      "title": "Proxy User",
      "description": "For a proxy that wants a user (Basic).",
      "x-order": 24
    },
    "proxy_password": {
      "type": "string",
      "title": "Proxy Password",
      "description": "The password of the proxy's user.",
      "writeOnly": true,
      "x-order": 25
    }
  }
})json";

struct CloudHosts {
    std::string_view name;
    std::string_view authority;
    std::string_view graph;
};

constexpr std::array kClouds = {
    CloudHosts{"global", "https://login.microsoftonline.com", "https://graph.microsoft.com"},
    CloudHosts{"usgov", "https://login.microsoftonline.us", "https://graph.microsoft.us"},
    CloudHosts{"dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"},
    CloudHosts{"china", "https://login.chinacloudapi.cn",
               "https://microsoftgraph.chinacloudapi.cn"},
};

/// The schema was checked by whoever calls; this reports what it can't express, and does not rely
/// on the rest.
class Reader {
public:
    explicit Reader(const json::object& object) : object_(object) {}

    sdk::Result<std::string> text(std::string_view name) const {
        const json::value* value = object_.if_contains(name);
        if (value == nullptr) {
            return std::string();
        }
        if (!value->is_string()) {
            return failure(Errc::invalid_config, std::string(name) + " must be a text");
        }
        return std::string(value->get_string());
    }

    sdk::Result<bool> flag(std::string_view name, bool otherwise) const {
        const json::value* value = object_.if_contains(name);
        if (value != nullptr && !value->is_bool()) {
            return failure(Errc::invalid_config, std::string(name) + " must be true or false");
        }
        return value == nullptr ? otherwise : value->get_bool();
    }

    sdk::Result<std::uint32_t> number(std::string_view name, std::uint32_t otherwise,
                                      std::uint32_t highest) const {
        const json::value* value = object_.if_contains(name);
        if (value == nullptr) {
            return otherwise;
        }
        if (!value->is_int64() || value->get_int64() < 1 || value->get_int64() > highest) {
            return failure(
                Errc::invalid_config,
                std::string(name) + " must be a whole number from 1 to " + std::to_string(highest));
        }
        return static_cast<std::uint32_t>(value->get_int64());
    }

    sdk::Result<SelectionSettings> selection(std::string_view name) const {
        const json::value* value = object_.if_contains(name);
        return value == nullptr ? sdk::Result<SelectionSettings>(SelectionSettings())
                                : selection_of(name, *value);
    }

    /// A selection with the selection `groups` in it.
    sdk::Result<AccountSelection> account_selection(std::string_view name) const {
        AccountSelection result;
        const json::value* value = object_.if_contains(name);
        if (value == nullptr) {
            return result;
        }
        json::value rest = *value;
        if (rest.is_object()) {
            if (const json::value* groups = rest.get_object().if_contains("groups")) {
                OPENARCHIVER_TRY(SelectionSettings of_groups,
                                 selection_of(std::string(name) + ".groups", *groups));
                result.include_groups = std::move(of_groups.include);
                result.exclude_groups = std::move(of_groups.exclude);
                rest.get_object().erase("groups");
            }
        }
        OPENARCHIVER_TRY(static_cast<SelectionSettings&>(result), selection_of(name, rest));
        return result;
    }

private:
    static sdk::Result<SelectionSettings> selection_of(std::string_view name,
                                                       const json::value& value) {
        SelectionSettings result;
        const auto malformed = [name] {
            return failure(Errc::invalid_config,
                           std::string(name) + " must have include and exclude, lists of texts");
        };
        if (!value.is_object()) {
            return malformed();
        }
        for (const auto& [key, list] : value.get_object()) {
            auto& target = key == "include" ? result.include : result.exclude;
            if ((key != "include" && key != "exclude") || !list.is_array()) {
                return malformed();
            }
            for (const json::value& entry : list.get_array()) {
                if (!entry.is_string()) {
                    return malformed();
                }
                target.emplace_back(entry.get_string());
            }
        }
        return result;
    }

    const json::object& object_;
};

/// Of the three credentials, the secret is no part of the text; the schema has seen that exactly
/// one is there.
sdk::Result<CredentialSettings> parse_credential(const json::object& object,
                                                 const std::filesystem::path& folder) {
    using Kind = CredentialSettings::Kind;
    CredentialSettings credential;
    OPENARCHIVER_TRY(const std::string token_file, Reader(object).text("federated_token_file"));
    const json::value* certificate = object.if_contains("certificate");
    if (certificate != nullptr && !token_file.empty()) {
        return failure(Errc::invalid_config,
                       "certificate and federated_token_file exclude each other: keep one of them");
    }
    if (!token_file.empty()) {
        credential.kind = Kind::federated_token;
        credential.file = folder / token_file;
    }
    if (certificate == nullptr) {
        return credential;
    }
    if (!certificate->is_object()) {
        return failure(Errc::invalid_config, "certificate must be an object with file");
    }
    const Reader reader(certificate->get_object());
    OPENARCHIVER_TRY(const std::string file, reader.text("file"));
    OPENARCHIVER_TRY(const std::string algorithm, reader.text("algorithm"));
    if (file.empty()) {
        return failure(Errc::invalid_config, "certificate must name a file");
    }
    if (!algorithm.empty() && algorithm != "PS256" && algorithm != "RS256") {
        return failure(Errc::invalid_config, "certificate.algorithm must be PS256 or RS256");
    }
    credential.kind = Kind::certificate;
    credential.file = folder / file;
    credential.algorithm = algorithm == "RS256" ? SigningAlgorithm::rs256 : SigningAlgorithm::ps256;
    return credential;
}

sdk::Result<std::optional<ProxyConfiguration>> parse_proxy(const Reader& reader) {
    OPENARCHIVER_TRY(const std::string url, reader.text("proxy"));
    OPENARCHIVER_TRY(const std::string user, reader.text("proxy_user"));
    if (url.empty()) {
        if (!user.empty()) {
            return failure(Errc::invalid_config, "proxy_user needs a proxy: set proxy as well");
        }
        return std::optional<ProxyConfiguration>();
    }
    const auto split = split_url(url);
    if (!split || split->origin.secure || split->target != "/") {
        return failure(Errc::invalid_config,
                       url.find('@') != std::string::npos
                           ? "proxy must be http://host:port alone: user and password belong into "
                             "proxy_user and proxy_password"
                           : "proxy must be http://host:port: the proxy itself is spoken to in "
                             "plain http, and what goes through it is TLS");
    }
    // RFC 7617: the first colon ends the user.
    if (user.find_first_of(":\r\n") != std::string::npos) {
        return failure(Errc::invalid_config, "proxy_user must not contain a colon");
    }
    return std::optional(ProxyConfiguration{split->origin, user});
}

sdk::Result<std::optional<std::chrono::year_month_day>> parse_date(std::string_view text) {
    if (text.empty()) {
        return std::optional<std::chrono::year_month_day>();
    }
    int year = 0;
    unsigned month = 0;
    unsigned day = 0;
    const auto digits = [text](std::size_t from, std::size_t count, auto& value) {
        const char* first = text.data() + from;
        const auto [end, status] = std::from_chars(first, first + count, value);
        return status == std::errc{} && end == first + count;
    };
    if (text.size() == 10 && text[4] == '-' && text[7] == '-' && digits(0, 4, year) &&
        digits(5, 2, month) && digits(8, 2, day)) {
        const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                               std::chrono::day(day)};
        if (date.ok()) {
            return std::optional(date);
        }
    }
    return failure(Errc::invalid_config,
                   "client_secret_expires is not a date: write it as 2027-01-31");
}

}  // namespace

std::string_view config_schema() {
    return kSchema;
}

sdk::Result<Settings> parse_settings(std::string_view text,
                                     const std::filesystem::path& profile_folder) {
    json::error_code error;
    const json::value document = json::parse(text, error);
    if (error || !document.is_object()) {
        return failure(Errc::invalid_config, "the configuration is not a JSON object");
    }
    const Reader reader(document.get_object());
    Settings settings;
    OPENARCHIVER_TRY(settings.tenant_id, reader.text("tenant_id"));
    OPENARCHIVER_TRY(settings.client_id, reader.text("client_id"));
    if (settings.tenant_id.empty() || settings.client_id.empty()) {
        return failure(Errc::invalid_config, "tenant_id and client_id must be given");
    }
    for (const std::string_view shared : {"common", "organizations", "consumers"}) {
        if (settings.tenant_id == shared) {
            return failure(Errc::invalid_config,
                           "tenant_id must be the tenant's own Directory (Tenant) ID: an "
                           "application signs in to one tenant, not to \"" +
                               std::string(shared) + "\"");
        }
    }

    OPENARCHIVER_TRY(const std::string cloud, reader.text("cloud"));
    OPENARCHIVER_TRY(std::string authority, reader.text("authority_url"));
    OPENARCHIVER_TRY(std::string graph, reader.text("graph_url"));
    if (authority.empty() != graph.empty()) {
        return failure(Errc::invalid_config,
                       "authority_url and graph_url belong together: give both or neither");
    }
    if (authority.empty()) {
        const auto* const hosts =
            std::ranges::find(kClouds, cloud.empty() ? "global" : cloud, &CloudHosts::name);
        if (hosts == kClouds.end()) {
            return failure(Errc::invalid_config, "cloud must be global, usgov, dod or china");
        }
        authority = hosts->authority;
        graph = hosts->graph;
    }
    OPENARCHIVER_TRY(settings.authority, parse_origin("authority_url", authority));
    OPENARCHIVER_TRY(settings.graph, parse_origin("graph_url", graph));

    OPENARCHIVER_TRY(const std::string ca_file, reader.text("ca_file"));
    if (!ca_file.empty()) {
        settings.ca_file = profile_folder / ca_file;
    }
    OPENARCHIVER_TRY(settings.accounts, reader.account_selection("accounts"));
    OPENARCHIVER_TRY(settings.folders, reader.selection("folders"));
    OPENARCHIVER_TRY(settings.requests_per_account, reader.number("requests_per_account", 4, 4));
    OPENARCHIVER_TRY(settings.accounts_in_parallel, reader.number("accounts_in_parallel", 32, 128));
    OPENARCHIVER_TRY(const std::uint32_t max_lag, reader.number("max_lag_seconds", 3'600, 86'400));
    settings.max_lag = std::chrono::seconds(max_lag);
    OPENARCHIVER_TRY(settings.change_notifications, reader.flag("change_notifications", true));
    OPENARCHIVER_TRY(settings.credential, parse_credential(document.get_object(), profile_folder));
    OPENARCHIVER_TRY(settings.proxy, parse_proxy(reader));
    OPENARCHIVER_TRY(const std::string expires, reader.text("client_secret_expires"));
    OPENARCHIVER_TRY(settings.credential.secret_expires, parse_date(expires));
    if (!expires.empty() && settings.credential.kind != CredentialSettings::Kind::secret) {
        return failure(Errc::invalid_config,
                       "client_secret_expires is for a client_secret: remove it");
    }
    return settings;
}

}  // namespace openarchiver::microsoft365
