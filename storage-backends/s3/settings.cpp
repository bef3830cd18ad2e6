#include "settings.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <openarchiver/sdk/object_key.hpp>

namespace openarchiver::s3 {

namespace {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;

constexpr std::string_view kSchema = R"json({
  "type": "object",
  "title": "S3",
  "description": "Keeps the archive in a bucket of Amazon S3, or of another store that speaks its protocol.",
  "additionalProperties": false,
  "required": ["bucket"],
  "properties": {
    "bucket": {
      "type": "string",
      "title": "Bucket",
      "description": "It has to exist already.",
      "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{1,62}$",
      "x-order": 1
    },
    "prefix": {
      "type": "string",
      "title": "Prefix",
      "description": "The archive keeps to the keys below it, such as mail/archive. Left out: the whole bucket is the archive's.",
      "pattern": "^[a-z0-9._/-]*$",
      "x-order": 2
    },
    "region": {
      "type": "string",
      "default": "us-east-1",
      "title": "Region",
      "description": "The bucket's region. Many stores other than Amazon's do not care.",
      "pattern": "^[a-z0-9-]+$",
      "x-order": 3
    },
    "endpoint": {
      "type": "string",
      "title": "Endpoint",
      "description": "URL of a store other than Amazon's: scheme, host and port only. Plain http for a loopback address only.",
      "x-order": 4
    },
    "path_style": {
      "type": "boolean",
      "title": "Bucket in the Path",
      "description": "Whether the bucket is named in the path of a request, not in its host name. The default: true with an endpoint, false without.",
      "x-order": 5
    },
    "access_key_id": {
      "type": "string",
      "title": "Access Key ID",
      "description": "Belongs to the secret access key.",
      "writeOnly": true,
      "x-order": 6
    },
    "secret_access_key": {
      "type": "string",
      "title": "Secret Access Key",
      "description": "Shown only once, when the access key is made.",
      "writeOnly": true,
      "x-order": 7
    },
    "session_token": {
      "type": "string",
      "title": "Session Token",
      "description": "Of temporary credentials.",
      "writeOnly": true,
      "x-order": 8
    },
    "credentials_file": {
      "type": "string",
      "title": "Credentials File",
      "description": "In place of the keys: a file in the format of AWS's shared credentials file. Read anew for each request, so that renewed credentials count at once. A relative path is relative to the profile's folder.",
      "x-order": 9
    },
    "profile": {
      "type": "string",
      "default": "default",
      "title": "Profile in the Credentials File",
      "description": "The section of the file to use.",
      "x-order": 10
    },
    "ca_file": {
      "type": "string",
      "title": "Certificate Authorities",
      "description": "A PEM file with the authorities to trust in place of the system's. A relative path is relative to the profile's folder.",
      "x-order": 11
    },
    "timeout_seconds": {
      "type": "integer",
      "minimum": 1,
      "maximum": 3600,
      "default": 60,
      "title": "Timeout",
      "description": "How many seconds the store may be silent before a request counts as failed. It is tried again some times.",
      "x-order": 12
    },
    "object_lock": {
      "enum": ["governance", "compliance"],
      "title": "Object Lock",
      "description": "Locks what is archived, as long as the retention policies say, in a bucket that was made with Object Lock. In governance mode users with a special right may still remove it; in compliance mode nobody may, not even the store's operator. Left out: nothing is locked.",
      "x-order": 13
    },
    "single_writer": {
      "type": "boolean",
      "default": false,
      "title": "Single Writer",
      "description": "For stores that ignore If-None-Match in buckets with versions, as Ceph does. Whoever sets it vouches that one engine alone ever writes to this archive.",
      "x-order": 14
    }
  }
})json";

Error refuse(std::string message) {
    return Error{Errc::invalid_config,
                 "the configuration of the s3 storage backend: " + std::move(message)};
}

/// The members of a configuration that the schema was checked against, or was not.
class Members {
public:
    explicit Members(const json::object& object) : object_(object) {}

    [[nodiscard]] bool has(std::string_view name) const { return object_.contains(name); }

    sdk::Result<std::string> text(std::string_view name, std::string_view otherwise = "") const {
        const json::value* const value = object_.if_contains(name);
        if (value == nullptr) {
            return std::string(otherwise);
        }
        if (!value->is_string() || value->get_string().find('\0') != json::string::npos) {
            return refuse(std::string(name) + " has to be a text");
        }
        return std::string(value->get_string());
    }

    sdk::Result<std::filesystem::path> path(std::string_view name,
                                            const std::filesystem::path& folder) const {
        OPENARCHIVER_TRY(const std::string value, text(name));
        return value.empty() ? std::filesystem::path() : (folder / value).lexically_normal();
    }

    sdk::Result<bool> flag(std::string_view name, bool otherwise) const {
        const json::value* const value = object_.if_contains(name);
        if (value == nullptr) {
            return otherwise;
        }
        if (!value->is_bool()) {
            return refuse(std::string(name) + " has to be true or false");
        }
        return value->get_bool();
    }

    sdk::Result<std::int64_t> number(std::string_view name, std::int64_t otherwise) const {
        const json::value* const value = object_.if_contains(name);
        if (value == nullptr) {
            return otherwise;
        }
        if (!value->is_int64()) {
            return refuse(std::string(name) + " has to be a whole number");
        }
        return value->get_int64();
    }

private:
    const json::object& object_;
};

bool is_name(std::string_view text, std::string_view more) {
    return !text.empty() && std::ranges::all_of(text, [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
               more.find(c) != std::string_view::npos;
    });
}

sdk::Result<http::Origin> endpoint_origin(const std::string& endpoint) {
    auto split = http::split_url(endpoint);
    if (!split || split->target != "/") {
        return refuse("endpoint is " +
                      (split ? std::string("more than an origin") : split.error().message) +
                      "; give scheme, host and port only, such as https://s3.example.org");
    }
    if (!split->origin.secure && !split->origin.is_loopback()) {
        return refuse(
            "endpoint uses plain http, which is allowed for a loopback address only: use https");
    }
    return split->origin;
}

http::Origin amazon_origin(const std::string& region) {
    return {.secure = true,
            .host = "s3." + region + ".amazonaws.com" + (region.starts_with("cn-") ? ".cn" : ""),
            .port = 443};
}

}  // namespace

std::string_view config_schema() {
    return kSchema;
}

std::string Settings::place() const {
    return "the bucket " + bucket + " at " + origin.url();
}

sdk::Result<Settings> parse_settings(std::string_view config_json,
                                     const std::filesystem::path& profile_folder) {
    boost::system::error_code failure;
    const json::value config = json::parse(config_json, failure);
    if (failure || !config.is_object()) {
        return refuse("it is no JSON object");
    }
    const Members members(config.get_object());
    Settings settings;
    OPENARCHIVER_TRY(settings.bucket, members.text("bucket"));
    constexpr std::string_view kUpperCase = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    if (settings.bucket.size() < 2 || settings.bucket.size() > 63 ||
        !is_name(settings.bucket, std::string(kUpperCase) + "._-") ||
        settings.bucket.find("..") != std::string::npos) {
        return refuse("bucket has to be the name of a bucket");
    }
    OPENARCHIVER_TRY(settings.prefix, members.text("prefix"));
    if (settings.prefix.ends_with('/')) {
        settings.prefix.pop_back();
    }
    if (!settings.prefix.empty()) {
        if (!sdk::is_key(settings.prefix)) {
            return refuse(
                "prefix has at most 512 characters, segments of [a-z0-9._-] joined by single "
                "\"/\"");
        }
        settings.prefix += '/';
    }
    OPENARCHIVER_TRY(settings.region, members.text("region", "us-east-1"));
    if (!is_name(settings.region, "-")) {
        return refuse("region has to be the name of a region, such as eu-central-1");
    }
    OPENARCHIVER_TRY(const std::string endpoint, members.text("endpoint"));
    if (endpoint.empty()) {
        settings.origin = amazon_origin(settings.region);
    } else {
        OPENARCHIVER_TRY(settings.origin, endpoint_origin(endpoint));
    }
    // A bucket with a dot in its name is not covered by the certificate *.s3.amazonaws.com.
    const bool dotted = settings.bucket.find('.') != std::string::npos;
    OPENARCHIVER_TRY(settings.path_style, members.flag("path_style", !endpoint.empty() || dotted));
    if (!settings.path_style) {
        settings.origin.host = settings.bucket + "." + settings.origin.host;
    }
    OPENARCHIVER_TRY(settings.ca_file, members.path("ca_file", profile_folder));
    OPENARCHIVER_TRY(settings.credentials_file, members.path("credentials_file", profile_folder));
    OPENARCHIVER_TRY(settings.profile, members.text("profile", "default"));
    OPENARCHIVER_TRY(const std::int64_t timeout, members.number("timeout_seconds", 60));
    if (timeout < 1 || timeout > 3600) {
        return refuse("timeout_seconds has to be between 1 and 3600");
    }
    settings.timeout = std::chrono::seconds(timeout);
    OPENARCHIVER_TRY(const std::string lock, members.text("object_lock"));
    if (lock == "governance") {
        settings.object_lock = ObjectLock::governance;
    } else if (lock == "compliance") {
        settings.object_lock = ObjectLock::compliance;
    } else if (!lock.empty()) {
        return refuse("object_lock has to be \"governance\" or \"compliance\"");
    }
    OPENARCHIVER_TRY(settings.single_writer, members.flag("single_writer", false));
    return settings;
}

}  // namespace openarchiver::s3
