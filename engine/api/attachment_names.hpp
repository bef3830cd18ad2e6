#pragma once

#include <string>
#include <string_view>

#include "search/attachments.hpp"

/// What strangers called their attachments, made harmless.
namespace openarchiver::api {

/// A name to save it under: one component of a path, never empty, that no system takes for
/// something else, and that shows its true end. At most 150 bytes of UTF-8.
[[nodiscard]] std::string file_name_of(const search::Attachment& attachment);

/// Its media type if that has the form of one, else application/octet-stream.
[[nodiscard]] std::string media_type_of(const search::Attachment& attachment);

/// The value of the header field (RFC 6266), for a file name as above.
[[nodiscard]] std::string content_disposition(std::string_view file_name);

}  // namespace openarchiver::api
