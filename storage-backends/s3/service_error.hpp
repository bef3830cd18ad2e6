#pragma once

#include <chrono>
#include <openarchiver/sdk/error.hpp>
#include <string>
#include <string_view>

#include "http/response_head.hpp"

namespace openarchiver::s3 {

/// Where a request went, for messages.
struct Target {
    /// "read the object a/b of", "list".
    std::string action;
    /// "the bucket archive at https://s3.example.org"
    std::string bucket;
    /// Where the credentials come from.
    std::string credentials;
    std::string region;
};

/// What an answer that is no success means. `body` is what there is of its body.
[[nodiscard]] sdk::Error service_error(const http::ResponseHead& head, std::string_view body,
                                       const Target& target,
                                       std::chrono::system_clock::time_point now);

}  // namespace openarchiver::s3
