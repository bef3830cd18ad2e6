#include "settings.hpp"

#include <boost/json.hpp>
#include <charconv>

#include "failure.hpp"

namespace openarchiver::imap {

namespace {

namespace json = boost::json;

constexpr std::string_view kSchema = R"json({
  "type": "object",
  "title": "IMAP",
  "description": "Mailboxes on any IMAP server, read without changing anything (EXAMINE, BODY.PEEK).",
  "additionalProperties": false,
  "required": ["host", "user"],
  "oneOf": [
    { "required": ["password"] },
    { "required": ["access_token"] },
    { "required": ["oauth"] }
  ],
  "properties": {
    "host": {
      "type": "string",
      "pattern": "^[^/ ]+$",
      "title": "Server",
      "description": "The host name that is in the server's certificate.",
      "x-order": 1
    },
    "port": {
      "type": "integer",
      "minimum": 1,
      "maximum": 65535,
      "title": "Port",
      "description": "993, with starttls or none 143, when left out.",
      "x-order": 2
    },
    "security": {
      "type": "string",
      "enum": ["tls", "starttls", "none"],
      "default": "tls",
      "title": "Security",
      "description": "tls from the first byte, starttls, or none: only for a server on this machine.",
      "x-order": 3
    },
    "user": {
      "type": "string",
      "pattern": ".",
      "title": "User",
      "description": "Who signs in.",
      "x-order": 4
    },
    "password": {
      "type": "string",
      "title": "Password",
      "description": "The user's password, or an application password.",
      "writeOnly": true,
      "x-order": 5
    },
    "access_token": {
      "type": "string",
      "title": "Access Token",
      "description": "An OAuth access token in place of a password (XOAUTH2). It is read anew for each connection, so that another program may renew its file.",
      "writeOnly": true,
      "x-order": 6
    },
    "oauth": {
      "type": "object",
      "title": "OAuth",
      "description": "Where to get access tokens, with a refresh token or, without one, with the client's own secret.",
      "additionalProperties": false,
      "required": ["token_url", "client_id"],
      "properties": {
        "token_url": {
          "type": "string",
          "pattern": "^https?://.",
          "title": "Token URL",
          "description": "https://oauth2.googleapis.com/token, https://login.microsoftonline.com/TENANT/oauth2/v2.0/token, ...",
          "x-order": 1
        },
        "client_id": { "type": "string", "title": "Client ID", "x-order": 2 },
        "client_secret": { "type": "string", "title": "Client Secret", "writeOnly": true, "x-order": 3 },
        "refresh_token": {
          "type": "string",
          "title": "Refresh Token",
          "description": "A new one that the service hands out is kept.",
          "writeOnly": true,
          "x-order": 4
        },
        "scope": {
          "type": "string",
          "title": "Scope",
          "description": "https://mail.google.com/, https://outlook.office365.com/.default, ...",
          "x-order": 5
        }
      },
      "x-order": 7
    },
    "accounts": {
      "type": "array",
      "items": { "type": "string", "pattern": "." },
      "title": "Accounts",
      "description": "Mailboxes that the user may read for their owners (a master user). When left out: the user's own.",
      "x-order": 8
    },
    "master_separator": {
      "type": "string",
      "title": "Master Separator",
      "description": "For servers where a master user signs in as OWNER*MASTER: the character between them. When left out, the owner is named by SASL PLAIN's authorization identity.",
      "x-order": 9
    },
    "folders": {
      "type": "object",
      "title": "Folders",
      "description": "Which folders to archive, each with everything below it. When left out: all of the user's own but Drafts.",
      "additionalProperties": false,
      "properties": {
        "include": {
          "type": "array",
          "items": { "type": "string" },
          "title": "Include",
          "description": "Roles (inbox, drafts, sentitems, deleteditems, junkemail, archive, all) or paths joined by '/', with * for any characters. When given, only these are archived; * alone stands for what is archived by default.",
          "x-order": 1
        },
        "exclude": {
          "type": "array",
          "items": { "type": "string" },
          "title": "Exclude",
          "description": "Roles or paths as above. It wins over what is included.",
          "x-order": 2
        }
      },
      "x-order": 10
    },
    "watch": {
      "type": "object",
      "title": "Watch",
      "description": "The service waits for news in these folders, on connections of their own (IDLE), and does not wait for the schedule then.",
      "additionalProperties": false,
      "properties": {
        "folders": {
          "type": "array",
          "items": { "type": "string" },
          "default": ["inbox"],
          "title": "Folders",
          "description": "Roles or paths as above, each with everything below it; an empty list: none.",
          "x-order": 1
        },
        "connections": {
          "type": "integer",
          "minimum": 0,
          "maximum": 256,
          "default": 16,
          "title": "Connections",
          "description": "At most so many for all accounts of the source; the other folders wait for the schedule.",
          "x-order": 2
        },
        "renew_seconds": {
          "type": "integer",
          "minimum": 10,
          "maximum": 1740,
          "default": 540,
          "title": "Renew after",
          "description": "Less than the time after which the server, or something on the way, gives up quiet connections.",
          "x-order": 3
        }
      },
      "x-order": 15
    },
    "ca_file": {
      "type": "string",
      "title": "Certificate Authorities",
      "description": "A PEM file of the certificate authorities to trust instead of the system's.",
      "x-order": 11
    },
    "connections_per_account": {
      "type": "integer",
      "minimum": 2,
      "maximum": 10,
      "default": 4,
      "title": "Connections per Account",
      "description": "How many connections to one mailbox at a time; servers limit them (Gmail to 15, Dovecot to 10).",
      "x-order": 12
    },
    "accounts_in_parallel": {
      "type": "integer",
      "minimum": 1,
      "maximum": 64,
      "default": 4,
      "title": "Accounts in Parallel",
      "description": "How many mailboxes are read at the same time.",
      "x-order": 13
    },
    "item_ids": {
      "type": "string",
      "enum": ["stable", "uid"],
      "default": "stable",
      "title": "Item Ids",
      "description": "stable: by what the server keeps over moves, where it has that (EMAILID, Gmail's and Dovecot's ids). uid: by folder and UID always.",
      "x-order": 14
    }
  }
})json";

sdk::Error bad(std::string message) {
    return failure(sdk::Errc::invalid_config, std::move(message));
}

/// The schema was checked by whoever calls; this does not rely on it.
class Reader {
public:
    explicit Reader(const json::object& object) : object_(object) {}

    sdk::Result<std::string> text(std::string_view name) const {
        const json::value* const value = object_.if_contains(name);
        if (value == nullptr) {
            return std::string();
        }
        const json::string* const text = value->if_string();
        if (text == nullptr ||
            text->find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) {
            return bad(std::string(name) + " must be a text of one line");
        }
        return std::string(*text);
    }

    sdk::Result<std::uint32_t> number(std::string_view name, std::uint32_t lowest,
                                      std::uint32_t highest, std::uint32_t otherwise) const {
        const json::value* const value = object_.if_contains(name);
        if (value == nullptr) {
            return otherwise;
        }
        const std::int64_t* const number = value->if_int64();
        if (number == nullptr || *number < lowest || *number > highest) {
            return bad(std::string(name) + " must be a whole number from " +
                       std::to_string(lowest) + " to " + std::to_string(highest));
        }
        return static_cast<std::uint32_t>(*number);
    }

    sdk::Result<std::vector<std::string>> texts(std::string_view name) const {
        std::vector<std::string> texts;
        const json::value* const value = object_.if_contains(name);
        if (value == nullptr) {
            return texts;
        }
        const json::array* const list = value->if_array();
        for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
            const json::string* const text = (*list)[i].if_string();
            if (text == nullptr || text->empty() ||
                text->find_first_of(std::string_view("\0\r\n", 3)) != std::string::npos) {
                return bad(std::string(name) + " must be a list of texts");
            }
            texts.emplace_back(*text);
        }
        return list == nullptr ? sdk::Result<std::vector<std::string>>(
                                     bad(std::string(name) + " must be a list of texts"))
                               : texts;
    }

private:
    const json::object& object_;
};

sdk::Result<OAuthSettings> parse_oauth(const json::value& value) {
    const json::object* const object = value.if_object();
    if (object == nullptr) {
        return bad("oauth must be an object");
    }
    const Reader reader(*object);
    OAuthSettings oauth;
    OPENARCHIVER_TRY(const std::string url, reader.text("token_url"));
    OPENARCHIVER_TRY(oauth.client_id, reader.text("client_id"));
    OPENARCHIVER_TRY(oauth.scope, reader.text("scope"));
    oauth.secure = url.starts_with("https://");
    const std::size_t start = url.find("://");
    if (start == std::string::npos || (!oauth.secure && !url.starts_with("http://"))) {
        return bad("oauth.token_url must begin with https://");
    }
    const std::size_t slash = url.find('/', start + 3);
    std::string host =
        url.substr(start + 3, slash == std::string::npos ? slash : slash - start - 3);
    oauth.path = slash == std::string::npos ? "/" : url.substr(slash);
    oauth.endpoint.port = oauth.secure ? 443 : 80;
    if (const std::size_t colon = host.rfind(':'); colon != std::string::npos) {
        const char* const end = host.data() + host.size();
        const auto [at, error] = std::from_chars(host.data() + colon + 1, end, oauth.endpoint.port);
        if (error != std::errc() || at != end) {
            return bad("oauth.token_url has a port that is no number");
        }
        host.resize(colon);
    }
    if (host.empty() || url.find(' ') != std::string::npos) {
        return bad("oauth.token_url is no address");
    }
    oauth.endpoint.host = std::move(host);
    if (!oauth.secure && !is_loopback(oauth.endpoint.host)) {
        return bad("oauth.token_url without TLS is for this machine only: use https://");
    }
    return oauth;
}

}  // namespace

bool is_loopback(std::string_view host) {
    return host == "localhost" || host == "127.0.0.1" || host == "::1";
}

std::string_view config_schema() {
    return kSchema;
}

sdk::Result<Settings> parse_settings(std::string_view text,
                                     const std::filesystem::path& profile_folder) {
    boost::system::error_code error;
    const json::value document = json::parse({text.data(), text.size()}, error);
    const json::object* const object = error ? nullptr : document.if_object();
    if (object == nullptr) {
        return bad("the configuration of the imap provider is no JSON object");
    }
    const Reader reader(*object);
    Settings settings;
    OPENARCHIVER_TRY(settings.server.host, reader.text("host"));
    OPENARCHIVER_TRY(settings.user, reader.text("user"));
    if (settings.server.host.empty() || settings.user.empty()) {
        return bad("host and user must be given");
    }
    OPENARCHIVER_TRY(const std::string security, reader.text("security"));
    if (security == "starttls") {
        settings.security = Security::starttls;
    } else if (security == "none") {
        settings.security = Security::none;
    } else if (!security.empty() && security != "tls") {
        return bad("security must be tls, starttls or none");
    }
    if (settings.security == Security::none && !is_loopback(settings.server.host)) {
        return bad(
            "security none is for a server on this machine only: passwords and mail would cross "
            "the network in the clear; use tls or starttls");
    }
    OPENARCHIVER_TRY(
        const std::uint32_t port,
        reader.number("port", 1, 65535, settings.security == Security::tls ? 993 : 143));
    settings.server.port = static_cast<std::uint16_t>(port);
    OPENARCHIVER_TRY(const std::string ca_file, reader.text("ca_file"));
    if (!ca_file.empty()) {
        settings.ca_file = profile_folder / ca_file;
    }
    if (const json::value* const oauth = object->if_contains("oauth")) {
        OPENARCHIVER_TRY(settings.oauth, parse_oauth(*oauth));
    }
    OPENARCHIVER_TRY(settings.accounts, reader.texts("accounts"));
    OPENARCHIVER_TRY(settings.master_separator, reader.text("master_separator"));
    if (const json::value* const folders = object->if_contains("folders")) {
        if (!folders->is_object()) {
            return bad("folders must have include and exclude, lists of texts");
        }
        const Reader selection(folders->get_object());
        OPENARCHIVER_TRY(settings.folders.include, selection.texts("include"));
        OPENARCHIVER_TRY(settings.folders.exclude, selection.texts("exclude"));
    }
    if (const json::value* const watch = object->if_contains("watch")) {
        if (!watch->is_object()) {
            return bad("watch must be an object");
        }
        const Reader watching(watch->get_object());
        if (watch->get_object().contains("folders")) {
            OPENARCHIVER_TRY(settings.folders.watch, watching.texts("folders"));
        }
        OPENARCHIVER_TRY(settings.watch_connections, watching.number("connections", 0, 256, 16));
        OPENARCHIVER_TRY(const std::uint32_t renew,
                         watching.number("renew_seconds", 10, 1740, 540));
        settings.watch_renew = std::chrono::seconds(renew);
    }
    OPENARCHIVER_TRY(settings.connections_per_account,
                     reader.number("connections_per_account", 2, 10, 4));
    OPENARCHIVER_TRY(settings.accounts_in_parallel,
                     reader.number("accounts_in_parallel", 1, 64, 4));
    OPENARCHIVER_TRY(const std::string ids, reader.text("item_ids"));
    settings.stable_ids = ids != "uid";
    return settings;
}

}  // namespace openarchiver::imap
