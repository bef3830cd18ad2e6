#pragma once

#include <openarchiver/sdk/result.hpp>
#include <openarchiver/sdk/storage.hpp>
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

/// A page of ListObjectsV2 with encoding-type=url. unavailable: it is something else.
sdk::Result<Listing> parse_listing(std::string_view text);

}  // namespace openarchiver::s3
