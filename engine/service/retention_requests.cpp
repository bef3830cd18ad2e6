#include "service/retention_requests.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "service/documents.hpp"

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

/// As it is approved.
json::object policy_value(const profile::RetentionPolicy& policy) {
    auto value = json::parse(disposal::definition_of({policy})).as_array().at(0).as_object();
    value["second_person"] = policy.second_person;
    return value;
}

Result<json::object> approval_value(catalog::CatalogReader& catalog,
                                    const disposal::Policies& policies) {
    const std::string definition = disposal::definition_of(policies);
    OPENARCHIVER_TRY(const auto approval, catalog.approval());
    json::object value{{"code", disposal::approval_code(definition)},
                       {"approved", approval && approval->definition == definition},
                       {"approved_by", nullptr},
                       {"approved_at", nullptr}};
    if (value.at("approved").as_bool()) {
        value["approved_by"] = approval->by;
        value["approved_at"] = time_value(approval->at);
    }
    return value;
}

}  // namespace

namespace {

/// How the store's locks were when they were last brought in step; null: it has none.
Result<json::value> locks_value(catalog::CatalogReader& catalog, const sdk::Clock& clock) {
    OPENARCHIVER_TRY(const auto locks, catalog.locks());
    boost::system::error_code failure;
    json::value value = json::parse(locks.report, failure);
    if (failure || !value.is_object()) {
        return json::value();
    }
    OPENARCHIVER_TRY(const auto packs, catalog.protected_packs(sdk::timestamp_of(clock)));
    std::uint64_t count = 0;
    std::uint64_t bytes = 0;
    sdk::Timestamp until{};
    for (const auto& pack : packs) {
        if (pack.replaced_at != sdk::Timestamp{}) {
            ++count;
            bytes += pack.size;
            until = std::max(until, pack.locked_until);
        }
    }
    value.as_object()["at"] = time_value(locks.at);
    value.as_object()["not_needed"] = {
        {"packs", count}, {"bytes", bytes}, {"until", time_value(until)}};
    return value;
}

}  // namespace

std::string to_json(const disposal::ApplyRequest& request) {
    return json::serialize(json::object{{"approve", request.approve}});
}

Result<disposal::ApplyRequest> parse_apply_request(std::string_view json_text) {
    boost::system::error_code failure;
    const json::value value = json::parse({json_text.data(), json_text.size()}, failure);
    const auto* object = failure ? nullptr : value.if_object();
    const auto text = [&](std::string_view name) {
        const auto* member = object->if_contains(name);
        return member != nullptr && member->is_string() ? std::string(member->get_string())
                                                        : std::string();
    };
    if (object == nullptr) {
        return Error{Errc::invalid_argument, "the request's options are no JSON object"};
    }
    return disposal::ApplyRequest{.approve = text("approve"), .by = {}};
}

Result<std::string> retention_document(catalog::CatalogReader& catalog,
                                       const disposal::Policies& policies,
                                       const sdk::Clock& clock) {
    json::array shown;
    for (const auto& policy : policies) {
        shown.push_back(policy_value(policy));
    }
    json::array disposals;
    OPENARCHIVER_TRY(const auto records, catalog.disposals());
    for (const auto& record : records) {
        const bool by_policy = record.cause == catalog::DisposalCause::retention;
        disposals.push_back({{"id", record.id},
                             {"at", time_value(record.at)},
                             {"cause", by_policy ? "retention" : "forget"},
                             {"policy", by_policy ? json::value(record.policy) : json::value()},
                             {"reason", record.reason},
                             {"by", record.by},
                             {"items", record.items},
                             {"versions", record.versions},
                             {"bytes", record.bytes}});
    }
    OPENARCHIVER_TRY(auto approval, approval_value(catalog, policies));
    OPENARCHIVER_TRY(auto locks, locks_value(catalog, clock));
    return json::serialize(json::object{{"policies", std::move(shown)},
                                        {"approval", std::move(approval)},
                                        {"locks", std::move(locks)},
                                        {"disposals", std::move(disposals)}});
}

Result<std::string> simulation_document(catalog::CatalogReader& catalog,
                                        const disposal::Policies& policies, const sdk::Clock& clock,
                                        std::stop_token stop) {
    const auto now = sdk::timestamp_of(clock);
    OPENARCHIVER_TRY(const auto effect,
                     disposal::find_due(
                         catalog, policies, now,
                         [](std::size_t, const disposal::DisposableItem&) { return sdk::Status(); },
                         std::move(stop)));
    return effect_document(catalog, policies, effect, false);
}

Result<std::string> effect_document(catalog::CatalogReader& catalog,
                                    const disposal::Policies& policies,
                                    const disposal::RetentionEffect& effect, bool disposed) {
    json::array shown;
    for (std::size_t i = 0; i < policies.size(); ++i) {
        const auto& of_policy = effect.policies[i];
        json::object policy = policy_value(policies[i]);
        policy["items"] = of_policy.items;
        policy["due"] = {{"items", of_policy.due_items},
                         {"versions", of_policy.due_versions},
                         {"bytes", of_policy.due_bytes},
                         {"oldest", time_value(of_policy.oldest)},
                         {"newest", time_value(of_policy.newest)}};
        policy["held_items"] = of_policy.held_items;
        policy["locked_items"] = of_policy.locked_items;
        shown.push_back(std::move(policy));
    }
    OPENARCHIVER_TRY(auto approval, approval_value(catalog, policies));
    return json::serialize(json::object{{"disposed", disposed},
                                        {"policies", std::move(shown)},
                                        {"uncovered_items", effect.uncovered_items},
                                        {"approval", std::move(approval)}});
}

}  // namespace openarchiver::service
