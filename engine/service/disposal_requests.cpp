#include "service/disposal_requests.hpp"

#include <boost/json.hpp>
#include <utility>

#include "service/documents.hpp"
#include "service/members.hpp"

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

json::value texts(const std::vector<std::string>& values) {
    return json::array(values.begin(), values.end());
}

json::value optional_time(const std::optional<sdk::Timestamp>& time) {
    return time ? json::value(time->time_since_epoch().count()) : json::value();
}

Result<json::object> parse_object(std::string_view json_text) {
    boost::system::error_code failure;
    json::value value = json::parse({json_text.data(), json_text.size()}, failure);
    if (failure || !value.is_object()) {
        return Error{Errc::invalid_argument, "the request's options are no JSON object"};
    }
    return std::move(value.get_object());
}

json::array hold_values(const std::vector<catalog::HoldRecord>& records) {
    json::array holds;
    for (const auto& record : records) {
        holds.push_back(hold_value(record));
    }
    return holds;
}

json::object plan_value(const disposal::ForgetPlan& plan) {
    return {{"source", plan.account.source},   {"account", plan.account.id},
            {"address", plan.account.address}, {"items", plan.items},
            {"versions", plan.versions},       {"bytes", plan.bytes},
            {"holds", hold_values(plan.holds)}};
}

}  // namespace

json::object hold_value(const catalog::HoldRecord& record) {
    const auto& [hold, placed_at, released_at, released_by, release_reason] = record;
    const auto time = [](const std::optional<sdk::Timestamp>& at) {
        return at ? time_value(*at) : json::value();
    };
    return {{"id", hold.id},
            {"matter", hold.matter},
            {"reason", hold.reason},
            {"placed_by", hold.by},
            {"placed_at", time_value(placed_at)},
            {"released_by", released_by},
            {"released_at", time_value(released_at)},
            {"release_reason", release_reason},
            {"scope",
             {{"sources", texts(hold.scope.sources)},
              {"accounts", texts(hold.scope.accounts)},
              {"folders", texts(hold.scope.folders)},
              {"sender", hold.scope.sender},
              {"query", hold.query},
              {"since", time(hold.scope.since)},
              {"until", time(hold.scope.until)}}}};
}

std::string to_json(const HoldRequest& request) {
    if (const auto* release = std::get_if<catalog::HoldReleased>(&request)) {
        return json::serialize(
            json::object{{"release", {{"id", release->id}, {"reason", release->reason}}}});
    }
    const auto& place = std::get<catalog::HoldPlaced>(request);
    return json::serialize(json::object{{"place",
                                         {{"matter", place.matter},
                                          {"reason", place.reason},
                                          {"sources", texts(place.scope.sources)},
                                          {"accounts", texts(place.scope.accounts)},
                                          {"folders", texts(place.scope.folders)},
                                          {"sender", place.scope.sender},
                                          {"query", place.query},
                                          {"since", optional_time(place.scope.since)},
                                          {"until", optional_time(place.scope.until)}}}});
}

Result<HoldRequest> parse_hold_request(std::string_view json_text) {
    OPENARCHIVER_TRY(const json::object options, parse_object(json_text));
    if (const auto* release = options.if_contains("release"); release && release->is_object()) {
        const Members in(release->get_object());
        return HoldRequest(catalog::HoldReleased{in.text("id"), in.text("reason"), {}});
    }
    const auto* place = options.if_contains("place");
    if (place == nullptr || !place->is_object()) {
        return Error{Errc::invalid_argument, "neither \"place\" nor \"release\" is asked for"};
    }
    const Members in(place->get_object());
    return HoldRequest(catalog::HoldPlaced{.id = {},
                                           .matter = in.text("matter"),
                                           .reason = in.text("reason"),
                                           .scope = {.sources = in.texts("sources"),
                                                     .accounts = in.texts("accounts"),
                                                     .folders = in.texts("folders"),
                                                     .sender = in.text("sender"),
                                                     .since = in.time("since"),
                                                     .until = in.time("until")},
                                           .query = in.text("query"),
                                           .by = {}});
}

std::string to_json(const disposal::ForgetRequest& request) {
    return json::serialize(
        json::object{{"account", request.account},
                     {"source", request.source ? json::value(*request.source) : json::value()},
                     {"reason", request.reason}});
}

Result<disposal::ForgetRequest> parse_forget_request(std::string_view json_text) {
    OPENARCHIVER_TRY(const json::object options, parse_object(json_text));
    const Members in(options);
    disposal::ForgetRequest request;
    request.account = in.text("account");
    if (const std::string source = in.text("source"); !source.empty()) {
        request.source = source;
    }
    request.reason = in.text("reason");
    return request;
}

std::string to_json(const disposal::ForgetItemRequest& request) {
    return json::serialize(json::object{{"ref", request.ref}, {"reason", request.reason}});
}

Result<disposal::ForgetItemRequest> parse_forget_item_request(std::string_view json_text) {
    OPENARCHIVER_TRY(const json::object options, parse_object(json_text));
    const Members in(options);
    return disposal::ForgetItemRequest{
        .ref = in.text("ref"), .reason = in.text("reason"), .by = {}};
}

Result<std::string> holds_document(catalog::CatalogReader& catalog, bool released_too,
                                   std::stop_token stop) {
    OPENARCHIVER_TRY(const auto holds, catalog.holds());
    json::array shown;
    for (const auto& record : holds) {
        if (!released_too && record.released_at != sdk::Timestamp{}) {
            continue;
        }
        json::object hold = hold_value(record);
        OPENARCHIVER_TRY(hold["items"], disposal::held_items(catalog, record.hold, stop));
        shown.push_back(std::move(hold));
    }
    return json::serialize(json::object{{"holds", std::move(shown)}});
}

std::string document_of(const disposal::ForgetPlan& plan) {
    json::object document = plan_value(plan);
    document["forgotten"] = false;
    return json::serialize(document);
}

std::string document_of(const disposal::Forgotten& forgotten) {
    json::object document = plan_value(forgotten.plan);
    document["forgotten"] = true;
    document["old_key"] = nullptr;
    if (forgotten.rotation) {
        document["old_key"] = forgotten.rotation->old_file.string();
    }
    document["old_key_remains"] = forgotten.old_key_remains;
    return json::serialize(document);
}

std::string document_of(const disposal::ForgetItemPlan& plan, bool forgotten) {
    const auto& newest = plan.versions.back();
    std::uint64_t bytes = 0;
    for (const auto& version : plan.versions) {
        bytes += version.size;
    }
    return json::serialize(json::object{{"ref", newest.ref},
                                        {"source", newest.source},
                                        {"account", newest.account},
                                        {"address", newest.address},
                                        {"items", 1},
                                        {"versions", plan.versions.size()},
                                        {"bytes", bytes},
                                        {"holds", hold_values(plan.holds)},
                                        {"forgotten", forgotten}});
}

}  // namespace openarchiver::service
