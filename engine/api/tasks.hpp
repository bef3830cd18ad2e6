#pragma once

#include "api/http_server.hpp"
#include "api/jobs.hpp"
#include "service/service.hpp"

/// What jobs there are.
namespace openarchiver::api {

/// The body is a search, and a "format". Who holds an account exports what it has.
[[nodiscard]] Response start_export(Jobs& jobs, service::Service& service, const Credential& caller,
                                    const Request& request);
/// {"quick":true}, optional.
[[nodiscard]] Response start_verify(Jobs& jobs, service::Service& service, const Credential& caller,
                                    const Request& request);
/// What an export wrote, as a zip file.
[[nodiscard]] Response export_file(Jobs& jobs, const Credential& caller, const std::string& id);

}  // namespace openarchiver::api
