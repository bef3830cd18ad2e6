#pragma once

#include "api/access_control.hpp"
#include "api/http_server.hpp"
#include "service/service.hpp"

/// Sources through the API: what can be made, made, changed, checked, paused and removed.
namespace openarchiver::api {

/// {"providers":[...]}: the loaded ones, with the schemas of their configurations.
[[nodiscard]] Response list_providers(const plugin::PluginHost& plugins);
/// How a source is configured, without its secrets.
[[nodiscard]] Response show_definition(service::Service& service, const std::string& id);
/// `id` empty: a new source; otherwise the one to change. The body is a source as in a profile,
/// with secrets as they are, or {"keep":true} for those that stay; it may have no id.
[[nodiscard]] Response define_source(service::Service& service, const Credential& caller,
                                     const std::string& id, const Request& request);
/// Checks a source that need not be there: the body as above.
[[nodiscard]] Response check_source(service::Service& service, const Request& request,
                                    std::stop_token stop);
[[nodiscard]] Response check_known_source(service::Service& service, const std::string& id,
                                          std::stop_token stop);
[[nodiscard]] Response pause_source(service::Service& service, const Credential& caller,
                                    const std::string& id, bool paused);
[[nodiscard]] Response remove_source(service::Service& service, const Credential& caller,
                                     const std::string& id, const Request& request);

}  // namespace openarchiver::api
