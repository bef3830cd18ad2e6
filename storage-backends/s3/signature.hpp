#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "credentials.hpp"

namespace openarchiver::s3 {

/// What is signed of a request, by Signature Version 4 of AWS
/// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
struct RequestToSign {
    std::string method;
    /// Not yet percent-encoded, begins with '/'.
    std::string path;
    /// Not yet percent-encoded.
    std::vector<std::pair<std::string, std::string>> query;
    /// All that count, "host" included; any case, any order.
    std::vector<std::pair<std::string, std::string>> fields;
    /// SHA-256 of the body, in hexadecimal.
    std::string payload_sha256;
};

/// Path or query text as the signature wants it: everything encoded but unreserved characters, and
/// '/' in a path.
[[nodiscard]] std::string encode_path(std::string_view path);
/// Sorted and encoded: for the signature and for the request alike.
[[nodiscard]] std::string encode_query(std::vector<std::pair<std::string, std::string>> query);

/// "20130524T000000Z"
[[nodiscard]] std::string amz_date(std::chrono::sys_seconds time);

/// The value of the Authorization field. `request.fields` has the x-amz-date of `time`.
[[nodiscard]] std::string authorization(const RequestToSign& request,
                                        const Credentials& credentials, std::string_view region,
                                        std::chrono::sys_seconds time);

}  // namespace openarchiver::s3
