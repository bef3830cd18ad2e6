#include "service/sync_request.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "profile/nearest.hpp"

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;

namespace {

sdk::Result<std::vector<std::string>> texts(const json::object& object, std::string_view name) {
    std::vector<std::string> values;
    const json::value* const list = object.if_contains(name);
    if (list == nullptr) {
        return values;
    }
    if (!list->is_array()) {
        return Error{.code = Errc::invalid_argument,
                     .message = "\"" + std::string(name) + "\" is no list"};
    }
    for (const json::value& value : list->get_array()) {
        if (!value.is_string()) {
            return Error{.code = Errc::invalid_argument,
                         .message = "\"" + std::string(name) + "\" has an entry that is no text"};
        }
        values.emplace_back(std::string_view(value.get_string()));
    }
    return values;
}

bool truth(const json::object& object, std::string_view name) {
    const json::value* const value = object.if_contains(name);
    return value != nullptr && value->is_bool() && value->get_bool();
}

json::array array_of(const std::vector<std::string>& values) {
    return json::array(values.begin(), values.end());
}

}  // namespace

std::string to_json(const SyncRequest& request) {
    return json::serialize(json::object{{"sources", array_of(request.sources)},
                                        {"accounts", array_of(request.accounts)},
                                        {"reconcile", request.reconcile},
                                        {"retry_failures", request.retry_failures}});
}

sdk::Result<SyncRequest> parse_sync_request(std::string_view json_text) {
    boost::system::error_code failure;
    const json::value document = json::parse({json_text.data(), json_text.size()}, failure);
    if (failure || !document.is_object()) {
        return Error{.code = Errc::invalid_argument, .message = "the options are no JSON object"};
    }
    const json::object& object = document.get_object();
    SyncRequest request;
    OPENARCHIVER_TRY(request.sources, texts(object, "sources"));
    OPENARCHIVER_TRY(request.accounts, texts(object, "accounts"));
    request.reconcile = truth(object, "reconcile");
    request.retry_failures = truth(object, "retry_failures");
    return request;
}

Error unknown_source(const profile::Profile& profile, std::string_view id) {
    std::vector<std::string> ids;
    std::string all;
    for (const profile::Source& source : profile.sources) {
        ids.push_back(source.id);
        all += (all.empty() ? "" : ", ") + source.id;
    }
    const std::string_view near = profile::nearest(id, ids);
    std::string hint = "the profile has no sources";
    if (!near.empty()) {
        hint = "did you mean \"" + std::string(near) + "\"?";
    } else if (!all.empty()) {
        hint = "there are " + all;
    }
    return {.code = Errc::invalid_argument,
            .message = "the profile has no source \"" + std::string(id) + "\"; " + hint};
}

sdk::Result<std::vector<const profile::Source*>> select_sources(
    const profile::Profile& profile, const std::vector<std::string>& ids) {
    for (const std::string& id : ids) {
        if (std::ranges::none_of(profile.sources,
                                 [&](const profile::Source& source) { return source.id == id; })) {
            return unknown_source(profile, id);
        }
    }
    std::vector<const profile::Source*> selected;
    for (const profile::Source& source : profile.sources) {
        const bool named = std::ranges::find(ids, source.id) != ids.end();
        if (named && source.paused_by) {
            return Error{.code = Errc::invalid_argument,
                         .message = "the source \"" + source.id + "\" was paused by " +
                                    *source.paused_by + ": resume it first"};
        }
        if (named || (ids.empty() && !source.paused_by)) {
            selected.push_back(&source);
        }
    }
    return selected;
}

sdk::Status check_accounts(catalog::CatalogReader& catalog,
                           const std::vector<const profile::Source*>& sources,
                           const std::vector<std::string>& accounts) {
    std::vector<std::string> missing = accounts;
    for (const profile::Source* const source : sources) {
        if (missing.empty()) {
            break;
        }
        OPENARCHIVER_TRY(const auto known, catalog.accounts(source->id));
        std::erase_if(missing, [&](const std::string& wanted) {
            return std::ranges::any_of(known, [&](const catalog::AccountRecord& account) {
                return account.id == wanted || account.address == wanted;
            });
        });
    }
    if (!missing.empty()) {
        return Error{.code = Errc::invalid_argument,
                     .message = "no account has the id or address \"" + missing.front() +
                                "\"; `openarchiver accounts` lists them"};
    }
    return {};
}

SyncResult make_sync_result(const std::vector<pipeline::SyncReport>& reports,
                            std::optional<Error> archive_failure) {
    const auto is_stop = [](const std::optional<Error>& error) {
        return error && error->code == Errc::cancelled;
    };
    json::array sources;
    bool interrupted = is_stop(archive_failure);
    for (const pipeline::SyncReport& report : reports) {
        sources.push_back(json::parse(pipeline::to_json(report)));
        interrupted = interrupted || is_stop(report.error);
    }
    json::object document{{"sources", std::move(sources)}};
    SyncResult result;
    result.exit_code = exit_code(reports);
    if (archive_failure && !is_stop(archive_failure)) {
        result.exit_code = exit_code(Origin::archive, archive_failure->code);
        document["error"] = json::object{{"code", sdk::to_string(archive_failure->code)},
                                         {"message", archive_failure->message}};
        result.error = std::move(archive_failure);
    } else if (interrupted) {
        result.exit_code = ExitCode::interrupted;
        result.error = Error{.code = Errc::cancelled,
                             .message =
                                 "interrupted; everything archived so far is safe, and the "
                                 "next sync goes on from there"};
    }
    document["interrupted"] = interrupted;
    result.document = json::serialize(document);
    return result;
}

}  // namespace openarchiver::service
