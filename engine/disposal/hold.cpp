#include "disposal/hold.hpp"

#include <algorithm>
#include <unordered_set>

#include "archive/digest.hpp"
#include "archive/random.hpp"

namespace openarchiver::disposal {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

bool in_force(const catalog::HoldRecord& record) {
    return record.released_at == sdk::Timestamp{};
}

/// Neither another address of the account, nor another name or place of the folder, nor another
/// folder of the item ends a hold.
catalog::ItemFilter filter_of(const catalog::HoldPlaced& hold) {
    auto filter = hold.scope;
    filter.accounts.insert(filter.accounts.end(), hold.account_ids.begin(), hold.account_ids.end());
    filter.folder_ids = hold.folder_ids;
    filter.past_folders = true;
    return filter;
}

/// The index knows addresses and folders as they are now: the matcher looks at those.
search::Request search_of(const catalog::HoldPlaced& hold) {
    auto filter = hold.scope;
    if (!hold.account_ids.empty()) {
        filter.accounts = hold.account_ids;
    }
    filter.folders.clear();
    return {.query = hold.query, .filter = std::move(filter)};
}

}  // namespace

Status put_event(catalog::EventBody body, pipeline::Committer& committer, sdk::Timestamp at,
                 std::stop_token stop) {
    std::vector<pipeline::Entry> entries(1);
    entries.front().event = {at, std::move(body)};
    return committer.put_together(std::move(entries), std::move(stop));
}

Status check_given(std::string_view value, const char* option, const char* what) {
    if (value.find_first_not_of(" \t\r\n") == std::string_view::npos) {
        return Error{Errc::invalid_argument, std::string(option) + " is empty: give " + what};
    }
    return {};
}

Result<std::string> place_hold(catalog::HoldPlaced request, const access::ArchiveWriter& archive,
                               pipeline::Committer& committer, sdk::Clock& clock,
                               std::stop_token stop) {
    OPENARCHIVER_CHECK(check_given(request.matter, "--matter", "the case that the hold is for"));
    OPENARCHIVER_CHECK(check_given(request.reason, "--reason", "why these items must be kept"));
    const auto& scope = request.scope;
    if (scope.since && scope.until && *scope.since >= *scope.until) {
        return Error{Errc::invalid_argument, "--since is not before --until"};
    }
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive.catalog_folder()));
    // A hold on what is misspelt would hold nothing.
    OPENARCHIVER_TRY(const auto sources, catalog->sources());
    for (const std::string& id : scope.sources) {
        if (std::ranges::find(sources, id, &catalog::SourceRecord::id) == sources.end()) {
            return Error{Errc::invalid_argument, "no source \"" + id + "\" was ever synced"};
        }
    }
    std::vector<catalog::AccountRecord> accounts;
    for (const auto& source : sources) {
        OPENARCHIVER_TRY(auto of_source, catalog->accounts(source.id));
        std::ranges::move(of_source, std::back_inserter(accounts));
    }
    OPENARCHIVER_CHECK(catalog::check_names(*catalog, scope));
    OPENARCHIVER_TRY(const auto held, catalog->folders_at(scope.folders, {}));
    const std::unordered_set<std::int64_t> held_folders(held.begin(), held.end());
    for (const auto& account : accounts) {
        const bool named = std::ranges::any_of(scope.accounts, [&](const std::string& name) {
            return catalog::is_named(account.id, account.address, name);
        });
        if (named) {
            request.account_ids.push_back(account.id);
        }
        if (held_folders.empty() || (!named && !scope.accounts.empty())) {
            continue;
        }
        OPENARCHIVER_TRY(const auto folders, catalog->folders(account.key));
        for (const auto& folder : folders) {
            if (held_folders.contains(folder.key)) {
                request.folder_ids.push_back(folder.folder.id);
            }
        }
    }
    if (!request.query.empty()) {
        OPENARCHIVER_TRY(const auto readable, search::Search::open(archive.catalog_folder(),
                                                                   *catalog, search_of(request)));
    }
    request.id = archive::to_hex(archive::random_bytes<4>());
    OPENARCHIVER_CHECK(put_event(request, committer, sdk::timestamp_of(clock), stop));
    return request.id;
}

Result<catalog::HoldRecord> find_in_force(catalog::CatalogReader& catalog, const std::string& id) {
    OPENARCHIVER_TRY(auto holds, catalog.holds());
    const auto found = std::ranges::find_if(
        holds, [&](const catalog::HoldRecord& record) { return record.hold.id == id; });
    if (found == holds.end()) {
        return Error{Errc::invalid_argument,
                     "there is no hold \"" + id + "\"; `openarchiver hold list` lists them"};
    }
    if (!in_force(*found)) {
        return Error{Errc::invalid_argument, "the hold " + id + " is released already"};
    }
    return std::move(*found);
}

Status release_hold(const catalog::HoldReleased& request, const access::ArchiveWriter& archive,
                    pipeline::Committer& committer, sdk::Clock& clock, std::stop_token stop) {
    OPENARCHIVER_CHECK(check_given(request.reason, "--reason", "why the hold ends"));
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(archive.catalog_folder()));
    OPENARCHIVER_TRY(const auto found, find_in_force(*catalog, request.id));
    return put_event(catalog::HoldReleased{found.hold.id, request.reason, request.by}, committer,
                     sdk::timestamp_of(clock), stop);
}

Result<std::vector<catalog::HoldRecord>> holds_over(catalog::CatalogReader& catalog,
                                                    const catalog::AccountRecord& account) {
    OPENARCHIVER_TRY(auto holds, catalog.holds());
    std::erase_if(holds, [&](const catalog::HoldRecord& record) {
        const auto scope = filter_of(record.hold);
        const bool source = scope.sources.empty() ||
                            std::ranges::find(scope.sources, account.source) != scope.sources.end();
        const bool named = scope.accounts.empty() ||
                           std::ranges::any_of(scope.accounts, [&](const std::string& name) {
                               return catalog::is_named(account.id, account.address, name);
                           });
        return !in_force(record) || !source || !named;
    });
    return holds;
}

Status check_history(const access::ArchiveWriter& archive) {
    if (archive.history_is_whole()) {
        return {};
    }
    return Error{Errc::corrupt,
                 "nothing is disposed of or forgotten while the archive's log is damaged, since a "
                 "legal hold may be in what is missing: `openarchiver verify` names the objects; "
                 "bring them back from a copy of the archive, then run `openarchiver rebuild`"};
}

Status refuse_held(const std::vector<catalog::HoldRecord>& holds, std::string_view what) {
    if (holds.empty()) {
        return {};
    }
    std::string names;
    for (const auto& record : holds) {
        names += (names.empty() ? "" : ", ") + record.hold.id + " (" + record.hold.matter + ")";
    }
    return Error{Errc::permission_denied, "nothing was forgotten: " + std::string(what) +
                                              " is under legal hold " + names +
                                              "; `openarchiver hold list` shows who placed it and "
                                              "why"};
}

Result<HoldScope> HoldScope::make(catalog::CatalogReader& catalog, const catalog::HoldPlaced& hold,
                                  std::stop_token stop) {
    OPENARCHIVER_TRY(auto matcher, catalog::ItemMatcher::make(catalog, filter_of(hold)));
    HoldScope scope(std::move(matcher));
    if (hold.query.empty()) {
        return scope;
    }
    scope.found_.emplace();
    const auto search = search::Search::open(catalog.folder(), catalog, search_of(hold));
    if (!search && search.error().code == Errc::invalid_argument) {
        return scope;  // what it names is gone by now: nothing can be told apart any more
    }
    OPENARCHIVER_CHECK(search);
    OPENARCHIVER_TRY(scope.found_->versions, (*search)->versions(stop));
    OPENARCHIVER_TRY(scope.found_->searched, (*search)->searched(stop));
    std::ranges::sort(scope.found_->versions);
    std::ranges::sort(scope.found_->searched);
    return scope;
}

Result<bool> HoldScope::covers(const catalog::VersionRecord& version) const {
    OPENARCHIVER_TRY(const bool in_scope, matcher_.matches(version));
    if (!in_scope || !found_) {
        return in_scope;
    }
    const search::VersionKey key{.item_key = version.item_key, .version = version.version};
    return std::ranges::binary_search(found_->versions, key) ||
           !std::ranges::binary_search(found_->searched, key);
}

Result<HoldsInForce> HoldsInForce::read(catalog::CatalogReader& catalog, std::stop_token stop) {
    OPENARCHIVER_TRY(auto holds, catalog.holds());
    HoldsInForce read;
    for (auto& hold : holds) {
        if (in_force(hold)) {
            OPENARCHIVER_TRY(auto scope, HoldScope::make(catalog, hold.hold, stop));
            read.holds_.emplace_back(std::move(hold), std::move(scope));
        }
    }
    return read;
}

Result<std::vector<catalog::HoldRecord>> HoldsInForce::over(
    const std::vector<catalog::VersionRecord>& item) const {
    std::vector<catalog::HoldRecord> over;
    for (const auto& [hold, scope] : holds_) {
        for (const auto& version : item) {
            OPENARCHIVER_TRY(const bool covered, scope.covers(version));
            if (covered) {
                over.push_back(hold);
                break;
            }
        }
    }
    return over;
}

Result<std::uint64_t> held_items(catalog::CatalogReader& catalog, const catalog::HoldPlaced& hold,
                                 std::stop_token stop) {
    OPENARCHIVER_TRY(const auto scope, HoldScope::make(catalog, hold, stop));
    std::unordered_set<std::int64_t> items;
    OPENARCHIVER_CHECK(catalog.visit_versions(
        filter_of(hold), [&](const catalog::VersionRecord& version) -> Status {
            OPENARCHIVER_TRY(const bool covered, scope.covers(version));
            if (covered) {
                items.insert(version.item_key);
            }
            return {};
        }));
    return items.size();
}

}  // namespace openarchiver::disposal
