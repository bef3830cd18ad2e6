#pragma once

#include "access/access.hpp"
#include "api/access_control.hpp"
#include "api/http_server.hpp"

/// Reading mail through the API. An account holder finds what the accounts of the credential have,
/// and nothing else: as if there were nothing else.
namespace openarchiver::api {

/// An account holder may ask for fewer than the own accounts, and for no others.
void keep_to_own(std::vector<std::string>& accounts, const Credential& caller);

/// {"items":[...],"next":...}: versions in the order in which they were archived, by page.
[[nodiscard]] Response list_items(const access::Context& context, const Credential& caller,
                                  const Request& request);
[[nodiscard]] Response show_item(const access::Context& context, const Credential& caller,
                                 const std::string& ref);
/// {"hits":[...],"summary":...}
[[nodiscard]] Response search_items(const access::Context& context, const Credential& caller,
                                    const Request& request);
/// A proof of a version (docs/evidence.md).
[[nodiscard]] Response prove_item(const access::Context& context, const Credential& caller,
                                  const std::string& ref, const Request& request,
                                  std::stop_token stop);
/// What a version has attached: {"attachments":[...],"complete":true}.
[[nodiscard]] Response list_attachments(const access::Context& context, const Credential& caller,
                                        const std::string& ref, const Request& request,
                                        std::stop_token stop);
/// One of them, decoded.
[[nodiscard]] Response attachment(const access::Context& context, const Credential& caller,
                                  const std::string& ref, const std::string& number,
                                  const Request& request, std::stop_token stop);
/// The exact bytes of a version.
[[nodiscard]] Response raw_item(const access::Context& context, const Credential& caller,
                                const std::string& ref, const Request& request,
                                std::stop_token stop);

}  // namespace openarchiver::api
