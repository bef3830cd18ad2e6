#include "service/documents.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <unordered_map>

#include "catalog/iso_time.hpp"
#include "service/coverage.hpp"

namespace openarchiver::service {

namespace json = boost::json;

namespace {

std::string_view state_name(sdk::AccountState state) {
    switch (state) {
        case sdk::AccountState::available:
            return "available";
        case sdk::AccountState::without_mailbox:
            return "without_mailbox";
        case sdk::AccountState::excluded:
            return "excluded";
        case sdk::AccountState::closed_by_policy:
            return "closed_by_policy";
        case sdk::AccountState::deleted_upstream:
            return "deleted_upstream";
    }
    return "available";
}

bool has_error(const catalog::LastError& error) {
    return error.at != sdk::Timestamp{};
}

const LiveSource* live_source(const LiveSources* live, std::string_view source) {
    if (live == nullptr) {
        return nullptr;
    }
    const auto found = live->find(source);
    return found == live->end() ? nullptr : &found->second;
}

/// When a source's accounts and folders are tried again: known while a service runs it.
json::value next_run_value(const LiveSource* live) {
    return live == nullptr || live->next_run_at.empty() ? json::value()
                                                        : json::value(live->next_run_at);
}

json::value last_error_value(const catalog::LastError& error, const LiveSource* live) {
    if (!has_error(error)) {
        return nullptr;
    }
    return json::object{{"code", error.code},
                        {"message", error.message},
                        {"request_id", error.request_id},
                        {"attempts", error.attempts},
                        {"at", iso_time(error.at)},
                        {"next_try_at", next_run_value(live)}};
}

/// Seconds since then; null for never.
json::value lag_value(sdk::Timestamp since, const sdk::Clock& clock) {
    if (since == sdk::Timestamp{}) {
        return nullptr;
    }
    const auto lag = std::chrono::floor<std::chrono::seconds>(clock.now() - since);
    return std::max<std::int64_t>(lag.count(), 0);
}

/// The member of the account that is under way in the running service; null where it is not.
json::value under_way(const LiveSource* live, std::string_view account) {
    if (live == nullptr || live->progress.empty()) {
        return nullptr;
    }
    boost::system::error_code failure;
    const json::value progress = json::parse(live->progress, failure);
    if (failure || !progress.is_object()) {
        return nullptr;
    }
    const json::value* const sources = progress.get_object().if_contains("sources");
    if (sources == nullptr || !sources->is_array() || sources->get_array().empty() ||
        !sources->get_array().front().is_object()) {
        return nullptr;
    }
    const json::value* const accounts =
        sources->get_array().front().get_object().if_contains("accounts_under_way");
    if (accounts == nullptr || !accounts->is_array()) {
        return nullptr;
    }
    for (const json::value& one : accounts->get_array()) {
        if (one.is_object() && one.get_object().contains("account") &&
            one.get_object().at("account") == json::value(account)) {
            json::object progress_of = one.get_object();
            progress_of.erase("account");
            return progress_of;
        }
    }
    return nullptr;
}

json::array path_value(const std::vector<std::string>& path) {
    return json::array(path.begin(), path.end());
}

bool wanted(const std::vector<std::string>& filter, std::string_view value) {
    return filter.empty() || std::ranges::find(filter, value) != filter.end();
}

/// The last run's counts as its report has them; null where there was none.
json::value last_run_value(const catalog::SourceRecord& record) {
    boost::system::error_code failure;
    json::value report = json::parse(record.run_report, failure);
    return failure ? json::value() : report;
}

json::object account_counts(const std::vector<catalog::AccountRecord>& accounts) {
    json::object counts{{"discovered", accounts.size()}};
    for (const char* const name : {"up_to_date", "importing", "without_mailbox", "excluded",
                                   "closed_by_policy", "deleted_upstream", "failed"}) {
        counts[name] = std::ranges::count_if(accounts, [&](const catalog::AccountRecord& account) {
            return account_status(account) == name;
        });
    }
    return counts;
}

/// What a failure has, whatever it is a failure of.
json::object failure_object(std::string_view kind, std::string_view source,
                            std::string_view account, std::string_view address) {
    return {{"kind", kind},        {"ref", nullptr},     {"source", source},
            {"account", account},  {"address", address}, {"item", nullptr},
            {"folder", nullptr},   {"code", ""},         {"message", ""},
            {"service_code", ""},  {"request_id", ""},   {"attempts", 0},
            {"first_at", nullptr}, {"last_at", nullptr}, {"next_try_at", nullptr},
            {"accepted", false},   {"archived", nullptr}};
}

void set_error(json::object& failure, const catalog::LastError& error) {
    failure["code"] = error.code;
    failure["message"] = error.message;
    failure["request_id"] = error.request_id;
    failure["attempts"] = error.attempts;
    failure["last_at"] = time_value(error.at);
}

using FolderPaths = std::unordered_map<std::int64_t, std::vector<std::string>>;

/// Accounts and folders that could not be read; collects the folders' paths on the way.
sdk::Status add_places(catalog::CatalogReader& catalog, const catalog::AccountRecord& account,
                       const LiveSource* live, json::array& failures, FolderPaths& paths) {
    const bool counts = account.state == sdk::AccountState::available;
    if (counts && has_error(account.error)) {
        json::object failure =
            failure_object("account", account.source, account.id, account.address);
        set_error(failure, account.error);
        failure["next_try_at"] = next_run_value(live);
        failures.push_back(std::move(failure));
    }
    OPENARCHIVER_TRY(auto folders, catalog.folders(account.key));
    for (catalog::FolderRecord& folder : folders) {
        if (counts && has_error(folder.error) && folder.removed_at == sdk::Timestamp{}) {
            json::object failure =
                failure_object("folder", account.source, account.id, account.address);
            failure["folder"] = path_value(folder.path);
            set_error(failure, folder.error);
            failure["next_try_at"] = next_run_value(live);
            failures.push_back(std::move(failure));
        }
        paths.emplace(folder.key, std::move(folder.path));
    }
    return {};
}

json::object item_failure(const catalog::FailureRecord& record, const FolderPaths& paths) {
    json::object failure = failure_object("item", record.source, record.account, record.address);
    failure["ref"] = record.ref;
    failure["item"] = record.item.id;
    if (const auto path = paths.find(record.folder_key); path != paths.end()) {
        failure["folder"] = path_value(path->second);
    }
    failure["code"] = record.code;
    failure["message"] = record.message;
    failure["service_code"] = record.service_code;
    failure["request_id"] = record.request_id;
    failure["attempts"] = record.attempts;
    failure["first_at"] = time_value(record.first_at);
    failure["last_at"] = time_value(record.last_at);
    failure["next_try_at"] = record.accepted ? json::value() : time_value(record.next_try_at);
    failure["accepted"] = record.accepted;
    if (record.archived) {
        failure["archived"] =
            *record.archived == catalog::Fidelity::exact ? "exact" : "reconstructed";
    }
    return failure;
}

/// How far back the last good visits of the folders are: the interval really achieved.
json::object polling_value(std::vector<sdk::Timestamp> visits, const sdk::Clock& clock) {
    std::ranges::sort(visits);
    const auto first = std::ranges::upper_bound(visits, sdk::Timestamp{});
    const auto visited = static_cast<std::size_t>(visits.end() - first);
    const auto lag = [&](std::size_t index) -> json::value {
        return visited == 0 ? nullptr : lag_value(first[static_cast<std::ptrdiff_t>(index)], clock);
    };
    return {{"folders", visits.size()},
            {"never_visited", visits.size() - visited},
            {"p50_lag_seconds", lag(visited / 2)},
            {"max_lag_seconds", lag(0)}};
}

sdk::Result<json::object> source_document(catalog::CatalogReader* catalog,
                                          const profile::Source& source, const LiveSource* live,
                                          const sdk::Clock& clock) {
    pipeline::SourceHealth health;
    catalog::SourceRecord record;
    std::vector<catalog::AccountRecord> accounts;
    catalog::ItemCounts items;
    std::vector<sdk::Timestamp> visits;
    Coverage coverage;
    if (catalog != nullptr) {
        OPENARCHIVER_TRY(health,
                         pipeline::source_health(*catalog, source.id, sdk::timestamp_of(clock)));
        auto found = catalog->source(source.id);
        if (found) {
            record = std::move(*found);
            OPENARCHIVER_TRY(accounts, catalog->accounts(source.id));
        } else if (found.error().code != sdk::Errc::not_found) {
            return found.error();
        }
        for (const catalog::AccountRecord& account : accounts) {
            OPENARCHIVER_TRY(const catalog::ItemCounts counts,
                             catalog->account_counts(account.key));
            items.items += counts.items;
            items.in_mailbox += counts.in_mailbox;
            if (account.state == sdk::AccountState::available) {
                OPENARCHIVER_TRY(const auto folders, catalog->folders(account.key));
                for (const catalog::FolderRecord& folder : folders) {
                    if (folder.folder.archived && folder.removed_at == sdk::Timestamp{}) {
                        visits.push_back(folder.synced_at);
                    }
                }
                OPENARCHIVER_TRY(const Coverage of_account, account_coverage(*catalog, account));
                coverage.add(of_account);
            }
        }
    }
    // Of error, attention and paused the first one that applies is shown.
    if (source.paused_by && health.status != pipeline::SourceStatus::error &&
        health.status != pipeline::SourceStatus::attention) {
        health.status = pipeline::SourceStatus::paused;
        health.reason = "paused by " + *source.paused_by;
    }
    if (live != nullptr && live->error) {
        health.status = pipeline::SourceStatus::error;
        health.reason = live->error->message;
    }
    if (live != nullptr && !live->silent.empty()) {
        health.status = pipeline::SourceStatus::attention;
        health.reason = live->silent;
    }
    json::object document{
        {"id", source.id},
        {"name", source.name},
        {"provider", source.provider},
        {"every_seconds", source.every.count()},
        {"origin", source.from_api ? "api" : "profile"},
        {"paused_by", nullptr},
        {"status", pipeline::to_string(health.status)},
        {"reason", health.reason},
        {"running", live != nullptr && live->running},
        {"next_run_at", next_run_value(live)},
        {"run_started_at", time_value(record.run_started_at)},
        {"run_ended_at", time_value(record.run_ended_at)},
        {"good_run_at", time_value(record.good_run_at)},
        {"lag_seconds", lag_value(record.good_run_at, clock)},
        {"credentials_expire_at", nullptr},
        {"polling", polling_value(std::move(visits), clock)},
        {"accounts", account_counts(accounts)},
        {"items", items.items},
        {"items_in_mailbox", items.in_mailbox},
        {"failures", health.outstanding_failures},
        {"coverage", coverage_value(coverage)},
        {"metrics", nullptr},
        {"progress", nullptr},
        {"last_run", last_run_value(record)},
    };
    if (source.paused_by) {
        document["paused_by"] = *source.paused_by;
    }
    if (health.credentials_expire) {
        document["credentials_expire_at"] = iso_time(*health.credentials_expire);
    }
    if (live != nullptr && !live->metrics.empty()) {
        document["metrics"] = json::parse(live->metrics);
    }
    if (live != nullptr && !live->progress.empty()) {
        document["progress"] = json::parse(live->progress);
    }
    return document;
}

/// All that is left of it.
json::object forgotten_account(const catalog::ForgottenRecord& record) {
    return {{"source", record.source},
            {"id", record.account},
            {"address", ""},
            {"display_name", ""},
            {"status", "forgotten"},
            {"reason", "forgotten by " + record.by + " at " + catalog::iso_time(record.at) + ": " +
                           record.reason},
            {"items", 0},
            {"items_in_mailbox", 0},
            {"failures", 0},
            {"first_pass_at", nullptr},
            {"last_pass_at", nullptr},
            {"lag_seconds", nullptr},
            {"coverage", nullptr},
            {"archive_mailbox", "unknown"},
            {"progress", nullptr},
            {"error", nullptr}};
}

}  // namespace

std::string iso_time(sdk::Timestamp time) {
    return catalog::iso_time(time);
}

json::value time_value(sdk::Timestamp time) {
    return time == sdk::Timestamp{} ? json::value() : json::value(iso_time(time));
}

json::value error_value(const sdk::Error& error) {
    return {{"code", sdk::to_string(error.code)}, {"message", error.message}};
}

std::string_view account_status(const catalog::AccountRecord& account) {
    if (account.state != sdk::AccountState::available) {
        return state_name(account.state);
    }
    if (has_error(account.error)) {
        return "failed";
    }
    return account.first_pass_at == sdk::Timestamp{} ? "importing" : "up_to_date";
}

sdk::Result<json::value> sources_document(catalog::CatalogReader* catalog,
                                          const profile::Profile& profile, const LiveSources* live,
                                          const sdk::Clock& clock) {
    json::array sources;
    for (const profile::Source& source : profile.sources) {
        OPENARCHIVER_TRY(json::object document,
                         source_document(catalog, source, live_source(live, source.id), clock));
        sources.push_back(std::move(document));
    }
    return json::object{{"sources", std::move(sources)}};
}

sdk::Result<json::value> accounts_document(catalog::CatalogReader& catalog,
                                           const std::vector<std::string>& sources,
                                           const LiveSources* live, const sdk::Clock& clock) {
    json::array accounts;
    OPENARCHIVER_TRY(const auto all, catalog.sources());
    OPENARCHIVER_TRY(const auto forgotten, catalog.forgotten());
    for (const catalog::SourceRecord& source : all) {
        if (!wanted(sources, source.id)) {
            continue;
        }
        for (const catalog::ForgottenRecord& record : forgotten) {
            if (record.source == source.id) {
                accounts.push_back(forgotten_account(record));
            }
        }
        OPENARCHIVER_TRY(const auto of_source, catalog.accounts(source.id));
        for (const catalog::AccountRecord& account : of_source) {
            OPENARCHIVER_TRY(const catalog::ItemCounts counts, catalog.account_counts(account.key));
            json::value coverage = nullptr;
            if (account.state == sdk::AccountState::available) {
                OPENARCHIVER_TRY(const Coverage of_account, account_coverage(catalog, account));
                coverage = coverage_value(of_account);
            }
            const LiveSource* const state = live_source(live, source.id);
            accounts.push_back({{"source", account.source},
                                {"id", account.id},
                                {"address", account.address},
                                {"display_name", account.display_name},
                                {"status", account_status(account)},
                                {"reason", account.reason},
                                {"items", counts.items},
                                {"items_in_mailbox", counts.in_mailbox},
                                {"failures", counts.failures},
                                {"first_pass_at", time_value(account.first_pass_at)},
                                {"last_pass_at", time_value(account.last_pass_at)},
                                {"lag_seconds", lag_value(account.last_pass_at, clock)},
                                {"coverage", std::move(coverage)},
                                {"archive_mailbox", "unknown"},
                                {"progress", under_way(state, account.id)},
                                {"error", last_error_value(account.error, state)}});
        }
    }
    return json::object{{"accounts", std::move(accounts)}};
}

sdk::Result<json::value> folders_document(catalog::CatalogReader& catalog,
                                          const FolderFilter& filter, const LiveSources* live,
                                          const sdk::Clock& clock) {
    json::array folders;
    OPENARCHIVER_TRY(const auto sources, catalog.sources());
    for (const catalog::SourceRecord& source : sources) {
        if (!wanted(filter.sources, source.id)) {
            continue;
        }
        OPENARCHIVER_TRY(const auto accounts, catalog.accounts(source.id));
        for (const catalog::AccountRecord& account : accounts) {
            if (!wanted(filter.accounts, account.id) && !wanted(filter.accounts, account.address)) {
                continue;
            }
            OPENARCHIVER_TRY(const auto of_account, catalog.folders(account.key));
            OPENARCHIVER_TRY(const auto all_counts, catalog.folder_counts(account.key));
            for (const catalog::FolderRecord& folder : of_account) {
                const auto found = all_counts.find(folder.key);
                const catalog::FolderCounts counts =
                    found == all_counts.end() ? catalog::FolderCounts() : found->second;
                json::value upstream = nullptr;
                if (folder.folder.item_count) {
                    upstream = *folder.folder.item_count;
                }
                folders.push_back(
                    {{"source", account.source},
                     {"account", account.id},
                     {"address", account.address},
                     {"id", folder.folder.id},
                     {"path", path_value(folder.path)},
                     {"well_known_name", folder.folder.well_known_name},
                     {"hidden", folder.folder.hidden},
                     {"archived", folder.folder.archived},
                     {"status", folder_state(folder, is_importing(account))},
                     {"items", counts.items},
                     {"failures", counts.outstanding},
                     {"items_upstream", std::move(upstream)},
                     {"synced_at", time_value(folder.synced_at)},
                     {"lag_seconds", lag_value(folder.synced_at, clock)},
                     {"removed_at", time_value(folder.removed_at)},
                     {"coverage",
                      coverage_value(coverage_of(folder, counts, is_importing(account)))},
                     {"error", last_error_value(folder.error, live_source(live, source.id))}});
            }
        }
    }
    return json::object{{"folders", std::move(folders)}};
}

sdk::Result<json::value> failures_document(catalog::CatalogReader& catalog,
                                           const LiveSources* live) {
    json::array failures;
    std::uint64_t accepted = 0;
    OPENARCHIVER_TRY(const auto sources, catalog.sources());
    for (const catalog::SourceRecord& source : sources) {
        if (!source.error_code.empty()) {
            json::object failure = failure_object("source", source.id, "", "");
            failure["code"] = source.error_code;
            failure["message"] = source.error_message;
            failure["last_at"] = time_value(source.run_ended_at);
            failure["next_try_at"] = next_run_value(live_source(live, source.id));
            failures.push_back(std::move(failure));
        }
        for (const sdk::Error& problem : pipeline::problems_of(source.run_report)) {
            json::object failure = failure_object("source", source.id, "", "");
            failure["code"] = sdk::to_string(problem.code);
            failure["message"] = problem.message;
            failure["service_code"] = problem.service_code;
            failure["request_id"] = problem.request_id;
            failure["last_at"] = time_value(source.run_ended_at);
            failures.push_back(std::move(failure));
        }
        FolderPaths paths;
        OPENARCHIVER_TRY(const auto accounts, catalog.accounts(source.id));
        for (const catalog::AccountRecord& account : accounts) {
            OPENARCHIVER_CHECK(
                add_places(catalog, account, live_source(live, source.id), failures, paths));
        }
        OPENARCHIVER_TRY(const auto items, catalog.failures(source.id));
        for (const catalog::FailureRecord& record : items) {
            accepted += record.accepted ? 1 : 0;
            failures.push_back(item_failure(record, paths));
        }
    }
    const std::uint64_t outstanding = failures.size() - accepted;
    return json::object{
        {"failures", std::move(failures)}, {"outstanding", outstanding}, {"accepted", accepted}};
}

}  // namespace openarchiver::service
