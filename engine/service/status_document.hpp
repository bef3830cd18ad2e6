#pragma once

#include <boost/json/value.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string_view>

#include "access/access.hpp"
#include "service/documents.hpp"

namespace openarchiver::service {

/// What the running service says of itself (docs/cli.md, Control socket), by source. Empty where
/// `live_document` is.
[[nodiscard]] LiveSources live_sources(std::string_view live_document);

/// The document of `status --json`. `catalog` null: nothing was archived yet; `live_document`
/// empty: no service runs.
[[nodiscard]] sdk::Result<boost::json::value> status_document(const access::Context& context,
                                                              catalog::CatalogReader* catalog,
                                                              std::string_view live_document,
                                                              const std::stop_token& stop);

}  // namespace openarchiver::service
