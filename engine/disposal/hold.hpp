#pragma once

#include <openarchiver/sdk/host.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "access/access.hpp"
#include "catalog/catalog_reader.hpp"
#include "pipeline/committer.hpp"

/// Legal holds: what they cover is neither disposed of nor forgotten.
namespace openarchiver::disposal {

/// Both are durable on return. invalid_argument: something is missing, unknown or released already.
/// The id of the new hold, which is made here; `by` names a user of the system, or of the API.
sdk::Result<std::string> place_hold(catalog::HoldPlaced request,
                                    const access::ArchiveWriter& archive,
                                    pipeline::Committer& committer, sdk::Clock& clock,
                                    std::stop_token stop);
sdk::Status release_hold(const catalog::HoldReleased& request, const access::ArchiveWriter& archive,
                         pipeline::Committer& committer, sdk::Clock& clock, std::stop_token stop);

/// The holds in force that cover the account or may cover what still comes of it: whatever else
/// their scope says, it does not exclude this account.
sdk::Result<std::vector<catalog::HoldRecord>> holds_over(catalog::CatalogReader& catalog,
                                                         const catalog::AccountRecord& account);

/// How many items a hold covers now.
sdk::Result<std::uint64_t> held_items(catalog::CatalogReader& catalog,
                                      const catalog::ItemFilter& scope);

/// An event of the archive itself, durable on return.
sdk::Status put_event(catalog::EventBody body, pipeline::Committer& committer,
                      const sdk::Clock& clock, std::stop_token stop);
/// invalid_argument where `value` says nothing; `what` is what it should say.
sdk::Status check_given(std::string_view value, const char* option, const char* what);
/// By its id, or by its address without regard to case.
[[nodiscard]] bool is_named(const catalog::AccountRecord& account, std::string_view name);

}  // namespace openarchiver::disposal
