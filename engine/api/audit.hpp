#pragma once

#include "api/http_server.hpp"
#include "service/service.hpp"

namespace openarchiver::api {

/// The audit trail, by page, the newest first.
[[nodiscard]] Response audit_entries(service::Service& service, const Request& request);

}  // namespace openarchiver::api
