#pragma once

#include <openarchiver/sdk/result.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The XML that S3 answers with.
namespace openarchiver::s3 {

struct ErrorDocument {
    std::string code;
    std::string message;
    std::string region;
    std::string request_id;
};

/// Of a text that is no such document, nothing.
[[nodiscard]] ErrorDocument parse_error(std::string_view text);

struct Listing {
    std::vector<sdk::ObjectInfo> objects;
    /// Empty on the last page.
    std::string continuation;
};

/// "2009-10-12T17:50:30.000Z"
[[nodiscard]] std::optional<sdk::Timestamp> parse_time(const std::string& text);
/// ... rounded up to a full second.
[[nodiscard]] std::string time_text(sdk::Timestamp time);

/// A page of ListObjectsV2 with encoding-type=url. unavailable: it is something else.
sdk::Result<Listing> parse_listing(std::string_view text);

/// One of the versions that a bucket keeps of an object.
struct Version {
    std::string key;
    std::string id;
    /// Says that the object was removed there; holds no bytes.
    bool delete_marker = false;
};

struct VersionListing {
    /// By key; of an object, the newest first.
    std::vector<Version> versions;
    /// Where the next page begins; empty on the last page.
    std::string next_key;
    std::string next_id;
};

/// A page of ListObjectVersions with encoding-type=url. unavailable: it is something else.
sdk::Result<VersionListing> parse_versions(std::string_view text);

/// Whether a bucket keeps versions, or did: an answer of GetBucketVersioning.
[[nodiscard]] bool has_versions(std::string_view text);

/// An answer of GetObjectLockConfiguration.
struct LockConfiguration {
    bool enabled = false;
    /// Everything that is put into the bucket is locked.
    bool default_retention = false;
};

[[nodiscard]] LockConfiguration parse_lock_configuration(std::string_view text);

[[nodiscard]] std::string retention_document(std::string_view mode, sdk::Timestamp until);
[[nodiscard]] std::string hold_document(bool held);

}  // namespace openarchiver::s3
