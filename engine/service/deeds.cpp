#include "service/deeds.hpp"

#include <boost/json.hpp>
#include <utility>

#include "disposal/store_locks.hpp"
#include "service/retention_requests.hpp"

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

template <typename... Handlers>
struct Overloaded : Handlers... {
    using Handlers::operator()...;
};

}  // namespace

std::string verb_of(const Deed& deed) {
    constexpr const char* kVerbs[] = {"hold", "retention", "forget", "forget_item"};
    return kVerbs[deed.index()];
}

std::string options_of(const Deed& deed) {
    return std::visit(Overloaded{[](const catalog::HoldReleased& release) {
                                     return to_json(HoldRequest(release));
                                 },
                                 [](const auto& request) { return to_json(request); }},
                      deed);
}

Result<Deed> parse_deed(std::string_view verb, std::string_view options) {
    const auto deed = [](auto parsed) -> Result<Deed> {
        return parsed ? Result<Deed>(Deed(std::move(*parsed))) : Result<Deed>(parsed.error());
    };
    if (verb == "hold") {
        OPENARCHIVER_TRY(auto request, parse_hold_request(options));
        if (auto* const release = std::get_if<catalog::HoldReleased>(&request)) {
            return Deed(std::move(*release));
        }
    }
    if (verb == "retention") {
        return deed(parse_apply_request(options));
    }
    if (verb == "forget") {
        return deed(parse_forget_request(options));
    }
    if (verb == "forget_item") {
        return deed(parse_forget_item_request(options));
    }
    return Error{Errc::invalid_argument, "\"" + std::string(verb) + "\" is no deed"};
}

void sign(Deed& deed, std::string_view by) {
    std::visit([&](auto& request) { request.by = by; }, deed);
}

Result<std::string> carry_out(const Deed& deed, const access::Context& context,
                              access::ArchiveWriter& archive, pipeline::Committer& committer,
                              std::stop_token stop) {
    using Document = Result<std::string>;
    const auto released = [&](const catalog::HoldReleased& request) -> Document {
        OPENARCHIVER_CHECK(
            disposal::release_hold(request, archive, committer, context.clock, stop));
        return json::serialize(json::object{{"id", request.id}});
    };
    const auto applied = [&](const disposal::ApplyRequest& request) -> Document {
        const auto& policies = context.profile.archive.retention;
        OPENARCHIVER_TRY(
            const auto effect,
            disposal::apply_retention(policies, request, archive, committer, context.clock, stop));
        OPENARCHIVER_CHECK(disposal::keep_locks({.policies = policies,
                                                 .archive = archive,
                                                 .committer = committer,
                                                 .clock = context.clock,
                                                 .log = context.log},
                                                stop));
        OPENARCHIVER_TRY(const auto catalog,
                         catalog::CatalogReader::open(archive.catalog_folder()));
        return effect_document(*catalog, policies, effect, true);
    };
    const auto forgotten = [&](const disposal::ForgetItemRequest& request) -> Document {
        OPENARCHIVER_TRY(const auto plan,
                         disposal::forget_item(request, archive, committer, context.clock, stop));
        return document_of(plan, true);
    };
    const auto account = [](const disposal::ForgetRequest&) -> Document {
        return Error{Errc::internal, "an account is not forgotten with the archive open"};
    };
    return std::visit(Overloaded{released, applied, forgotten, account}, deed);
}

}  // namespace openarchiver::service
