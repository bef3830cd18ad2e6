#include "disposal/forget_item.hpp"

#include <algorithm>

#include "disposal/hold.hpp"
#include "disposal/item_disposal.hpp"
#include "search/index_writer.hpp"

namespace openarchiver::disposal {

using sdk::Errc;
using sdk::Error;
using sdk::Result;

bool is_ref(std::string_view text) {
    constexpr std::size_t kDigits = 24;
    return text.size() == kDigits && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

Result<ForgetItemPlan> plan_forget_item(catalog::CatalogReader& catalog, const std::string& ref,
                                        std::stop_token stop) {
    ForgetItemPlan plan;
    auto versions = catalog.versions(ref);
    if (!versions && versions.error().code == Errc::not_found) {
        return Error{Errc::invalid_argument, versions.error().message};
    }
    OPENARCHIVER_TRY(plan.versions, std::move(versions));
    OPENARCHIVER_TRY(const auto holds, HoldsInForce::read(catalog, std::move(stop)));
    OPENARCHIVER_TRY(plan.holds, holds.over(plan.versions));
    return plan;
}

Result<ForgetItemPlan> forget_item(const ForgetItemRequest& request,
                                   const access::ArchiveWriter& archive,
                                   pipeline::Committer& committer, sdk::Clock& clock,
                                   std::stop_token stop) {
    OPENARCHIVER_CHECK(check_given(request.reason, "--reason", "why the item is forgotten"));
    OPENARCHIVER_CHECK(check_history(archive));
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive.catalog_folder()));
    OPENARCHIVER_TRY(auto plan, plan_forget_item(*catalog, request.ref, stop));
    OPENARCHIVER_CHECK(refuse_held(plan.holds, "the item"));
    ItemDisposal disposal(
        committer, clock,
        {.cause = catalog::DisposalCause::forget, .reason = request.reason, .by = request.by});
    OPENARCHIVER_CHECK(disposal.add(disposable(plan.versions), stop));
    OPENARCHIVER_CHECK(disposal.finish(stop));
    OPENARCHIVER_CHECK(committer.tidy(stop));
    OPENARCHIVER_CHECK(committer.write_head(stop));
    OPENARCHIVER_CHECK(search::purge(archive.catalog_folder(), stop));
    return plan;
}

}  // namespace openarchiver::disposal
