#pragma once

#include "access/access.hpp"
#include "api/access_control.hpp"
#include "api/http_server.hpp"

/// Reading mail through the API. An account holder finds what the accounts of the credential have,
/// and nothing else: as if there were nothing else.
namespace openarchiver::api {

/// {"items":[...],"next":...}: versions in the order in which they were archived, by page.
[[nodiscard]] Response list_items(const access::Context& context, const Credential& caller,
                                  const Request& request);
[[nodiscard]] Response show_item(const access::Context& context, const Credential& caller,
                                 const std::string& ref);
/// {"hits":[...],"summary":...}
[[nodiscard]] Response search_items(const access::Context& context, const Credential& caller,
                                    const Request& request);
/// The exact bytes of a version.
[[nodiscard]] Response raw_item(const access::Context& context, const Credential& caller,
                                const std::string& ref, const Request& request,
                                std::stop_token stop);

}  // namespace openarchiver::api
