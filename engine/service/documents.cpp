#include "service/documents.hpp"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <cstdio>
#include <unordered_map>

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

json::value last_error_value(const catalog::LastError& error) {
    if (!has_error(error)) {
        return nullptr;
    }
    return json::object{{"code", error.code},
                        {"message", error.message},
                        {"request_id", error.request_id},
                        {"attempts", error.attempts},
                        {"at", iso_time(error.at)}};
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
                       json::array& failures, FolderPaths& paths) {
    const bool counts = account.state == sdk::AccountState::available;
    if (counts && has_error(account.error)) {
        json::object failure =
            failure_object("account", account.source, account.id, account.address);
        set_error(failure, account.error);
        failures.push_back(std::move(failure));
    }
    OPENARCHIVER_TRY(auto folders, catalog.folders(account.key));
    for (catalog::FolderRecord& folder : folders) {
        if (counts && has_error(folder.error) && folder.removed_at == sdk::Timestamp{}) {
            json::object failure =
                failure_object("folder", account.source, account.id, account.address);
            failure["folder"] = path_value(folder.path);
            set_error(failure, folder.error);
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
json::object polling_value(std::vector<sdk::Timestamp> visits, sdk::Timestamp now) {
    std::ranges::sort(visits);
    const auto first = std::ranges::upper_bound(visits, sdk::Timestamp{});
    const auto visited = static_cast<std::size_t>(visits.end() - first);
    const auto lag = [&](std::size_t index) -> json::value {
        if (visited == 0) {
            return nullptr;
        }
        const auto behind =
            std::max(now - first[static_cast<std::ptrdiff_t>(index)], std::chrono::milliseconds(0));
        return std::chrono::duration_cast<std::chrono::seconds>(behind).count();
    };
    return {{"folders", visits.size()},
            {"never_visited", visits.size() - visited},
            {"p50_lag_seconds", lag(visited / 2)},
            {"max_lag_seconds", lag(0)}};
}

sdk::Result<json::object> source_document(catalog::CatalogReader* catalog,
                                          const profile::Source& source, const LiveSource* live,
                                          sdk::Timestamp now) {
    pipeline::SourceHealth health;
    catalog::SourceRecord record;
    std::vector<catalog::AccountRecord> accounts;
    catalog::ItemCounts items;
    std::vector<sdk::Timestamp> visits;
    if (catalog != nullptr) {
        OPENARCHIVER_TRY(health, pipeline::source_health(*catalog, source.id));
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
            }
        }
    }
    if (live != nullptr && live->error) {
        health.status = pipeline::SourceStatus::error;
        health.reason = live->error->message;
    }
    json::object document{
        {"id", source.id},
        {"name", source.name},
        {"provider", source.provider},
        {"every_seconds", source.every.count()},
        {"status", pipeline::to_string(health.status)},
        {"reason", health.reason},
        {"running", live != nullptr && live->running},
        {"next_run_at", nullptr},
        {"run_started_at", time_value(record.run_started_at)},
        {"run_ended_at", time_value(record.run_ended_at)},
        {"good_run_at", time_value(record.good_run_at)},
        {"lag_seconds", nullptr},
        {"polling", polling_value(std::move(visits), now)},
        {"accounts", account_counts(accounts)},
        {"items", items.items},
        {"items_in_mailbox", items.in_mailbox},
        {"failures", health.outstanding_failures},
        {"progress", nullptr},
        {"last_run", last_run_value(record)},
    };
    if (record.good_run_at != sdk::Timestamp{}) {
        const auto lag = std::max(now - record.good_run_at, std::chrono::milliseconds(0));
        document["lag_seconds"] = std::chrono::duration_cast<std::chrono::seconds>(lag).count();
    }
    if (live != nullptr && !live->next_run_at.empty()) {
        document["next_run_at"] = live->next_run_at;
    }
    if (live != nullptr && !live->progress.empty()) {
        document["progress"] = json::parse(live->progress);
    }
    return document;
}

}  // namespace

std::string iso_time(sdk::Timestamp time) {
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss<std::chrono::milliseconds> clock(time - day);
    std::array<char, 64> buffer{};
    const int length = std::snprintf(
        buffer.data(), buffer.size(), "%04d-%02u-%02uT%02d:%02d:%02d.%03dZ",
        static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
        static_cast<unsigned>(date.day()), static_cast<int>(clock.hours().count()),
        static_cast<int>(clock.minutes().count()), static_cast<int>(clock.seconds().count()),
        static_cast<int>(clock.subseconds().count()));
    return {buffer.data(), static_cast<std::size_t>(std::max(length, 0))};
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
    const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(clock.now());
    json::array sources;
    for (const profile::Source& source : profile.sources) {
        const LiveSource* state = nullptr;
        if (live != nullptr) {
            const auto found = live->find(source.id);
            state = found == live->end() ? nullptr : &found->second;
        }
        OPENARCHIVER_TRY(json::object document, source_document(catalog, source, state, now));
        sources.push_back(std::move(document));
    }
    return json::object{{"sources", std::move(sources)}};
}

sdk::Result<json::value> accounts_document(catalog::CatalogReader& catalog,
                                           const std::vector<std::string>& sources) {
    json::array accounts;
    OPENARCHIVER_TRY(const auto all, catalog.sources());
    for (const catalog::SourceRecord& source : all) {
        if (!wanted(sources, source.id)) {
            continue;
        }
        OPENARCHIVER_TRY(const auto of_source, catalog.accounts(source.id));
        for (const catalog::AccountRecord& account : of_source) {
            OPENARCHIVER_TRY(const catalog::ItemCounts counts, catalog.account_counts(account.key));
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
                                {"error", last_error_value(account.error)}});
        }
    }
    return json::object{{"accounts", std::move(accounts)}};
}

sdk::Result<json::value> folders_document(catalog::CatalogReader& catalog,
                                          const FolderFilter& filter) {
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
            for (const catalog::FolderRecord& folder : of_account) {
                OPENARCHIVER_TRY(const std::uint64_t items, catalog.folder_count(folder.key));
                json::value upstream = nullptr;
                if (folder.folder.item_count) {
                    upstream = *folder.folder.item_count;
                }
                folders.push_back({{"source", account.source},
                                   {"account", account.id},
                                   {"address", account.address},
                                   {"id", folder.folder.id},
                                   {"path", path_value(folder.path)},
                                   {"well_known_name", folder.folder.well_known_name},
                                   {"hidden", folder.folder.hidden},
                                   {"archived", folder.folder.archived},
                                   {"items", items},
                                   {"items_upstream", std::move(upstream)},
                                   {"synced_at", time_value(folder.synced_at)},
                                   {"removed_at", time_value(folder.removed_at)},
                                   {"error", last_error_value(folder.error)}});
            }
        }
    }
    return json::object{{"folders", std::move(folders)}};
}

sdk::Result<json::value> failures_document(catalog::CatalogReader& catalog) {
    json::array failures;
    std::uint64_t accepted = 0;
    OPENARCHIVER_TRY(const auto sources, catalog.sources());
    for (const catalog::SourceRecord& source : sources) {
        if (!source.error_code.empty()) {
            json::object failure = failure_object("source", source.id, "", "");
            failure["code"] = source.error_code;
            failure["message"] = source.error_message;
            failure["last_at"] = time_value(source.run_ended_at);
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
            OPENARCHIVER_CHECK(add_places(catalog, account, failures, paths));
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
