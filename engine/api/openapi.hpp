#pragma once

#include <string_view>

namespace openarchiver::api {

/// The description of the API (OpenAPI 3.1), JSON text.
[[nodiscard]] std::string_view openapi_document() noexcept;

}  // namespace openarchiver::api
