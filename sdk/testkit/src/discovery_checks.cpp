// Accounts, folders, preflight.
#include <algorithm>
#include <chrono>

#include "provider_suite.hpp"

namespace openarchiver::testkit::provider {

namespace {

constexpr std::size_t kMaxIdLength = 2048;
constexpr std::size_t kMaxCursorLength = 65536;
constexpr std::uint32_t kUnknownFormat = UINT32_MAX;

bool is_id(const std::string& id) {
    return !id.empty() && id.size() <= kMaxIdLength;
}

std::set<std::string> account_ids(const std::vector<sdk::Account>& accounts) {
    std::set<std::string> ids;
    for (const sdk::Account& account : accounts) {
        ids.insert(account.id);
    }
    return ids;
}

void accounts(sdk::ProviderSession& session, Findings& findings) {
    AccountCollector first;
    const auto listing = session.discover(std::nullopt, first, {});
    if (!findings.expect(listing.has_value(), "discover() succeeds", outcome_of(listing))) {
        return;
    }
    findings.expect(listing->complete, "discover() without a cursor is complete");
    findings.expect(!first.accounts.empty(), "the fixture's source has an account");
    for (const sdk::Account& account : first.accounts) {
        findings.expect(is_id(account.id), "an account's id has 1 to 2,048 bytes", account.id);
        findings.expect(account.state == sdk::AccountState::available || !account.reason.empty(),
                        "an account that is not available says why");
    }
    const std::set<std::string> ids = account_ids(first.accounts);
    findings.expect(ids.size() == first.accounts.size(), "each account is reported once");
    AccountCollector second;
    const auto again = session.discover(std::nullopt, second, {});
    findings.expect(again && account_ids(second.accounts) == ids,
                    "a second discovery reports the same ids", outcome_of(again));
    for (const sdk::Account& account : first.accounts) {
        const auto found = session.find_account(account.id, {});
        findings.expect(found ? found->id == account.id && found->state == account.state
                              : found.error().code == sdk::Errc::not_found,
                        "find_account() tells what discover() does, or nothing", outcome_of(found));
    }
    findings.expect(failed_with(session.find_account("no such account", {}), sdk::Errc::not_found),
                    "find_account() of an account that does not exist is not_found");
    if (listing->cursor) {
        AccountCollector changes;
        const auto since = session.discover(listing->cursor, changes, {});
        findings.expect(since.has_value(), "discover() goes on from its own cursor",
                        outcome_of(since));
        findings.expect(std::ranges::includes(ids, account_ids(changes.accounts)),
                        "nothing new is reported where nothing changed");
    }
}

/// Whether every chain of parents ends at the root.
bool is_forest(const std::map<std::string, std::string>& parents) {
    for (const auto& [id, parent] : parents) {
        std::string at = id;
        std::size_t steps = 0;
        while (!at.empty()) {
            const auto found = parents.find(at);
            if (found == parents.end() || ++steps > parents.size()) {
                return false;
            }
            at = found->second;
        }
    }
    return true;
}

void folders(sdk::ProviderSession& session, Findings& findings) {
    const auto accounts = available_accounts(session);
    if (!findings.expect(accounts.has_value(), "discover() succeeds", outcome_of(accounts))) {
        return;
    }
    for (const sdk::Account& account : *accounts) {
        FolderCollector sink;
        const auto listing = session.list_folders(account.id, std::nullopt, sink, {});
        if (!findings.expect(listing.has_value(), "list_folders() succeeds", outcome_of(listing))) {
            continue;
        }
        std::map<std::string, std::string> parents;
        for (const sdk::Folder& folder : sink.folders) {
            findings.expect(is_id(folder.id), "a folder's id has 1 to 2,048 bytes", folder.id);
            findings.expect(!folder.display_name.empty(), "a folder has a display name");
            findings.expect(parents.emplace(folder.id, folder.parent_id).second,
                            "each folder of an account is reported once", folder.id);
        }
        findings.expect(sink.removed.empty(), "a full listing reports no removed folder");
        if (listing->complete) {
            findings.expect(is_forest(parents),
                            "every folder's parent is reported, and no folder is its own ancestor");
        }
        FolderCollector again;
        const auto second = session.list_folders(account.id, listing->cursor, again, {});
        findings.expect(second.has_value(), "list_folders() goes on from its own cursor",
                        outcome_of(second));
        for (const sdk::Folder& folder : again.folders) {
            findings.expect(parents.contains(folder.id),
                            "a second listing reports no other folder ids", folder.id);
        }
        findings.expect(listing->cursor || again.folders.size() == sink.folders.size(),
                        "a second full listing reports the same folders");
    }
}

void preflight(sdk::ProviderSession& session, Findings& findings) {
    const sdk::SessionLimits limits = session.limits();
    findings.expect(limits.accounts_in_parallel >= 1 && limits.readers_per_account >= 1,
                    "a session allows at least one account and one reader at a time");
    const auto start = std::chrono::steady_clock::now();
    const auto checks = session.check({});
    findings.expect(std::chrono::steady_clock::now() - start < std::chrono::seconds(30),
                    "check() returns within 30 s");
    if (findings.expect(checks.has_value(), "check() can be made", outcome_of(checks))) {
        std::set<std::string> names;
        for (const sdk::Check& one : *checks) {
            findings.expect(!one.name.empty() && names.insert(one.name).second,
                            "each check has a name of its own", one.name);
            findings.expect(one.outcome != sdk::CheckOutcome::fail,
                            "no check fails on a source that works", one.name + ": " + one.detail);
        }
        findings.expect(!checks->empty(), "check() checks something");
    }
    const auto accounts = available_accounts(session);
    if (findings.expect(accounts.has_value(), "discover() succeeds", outcome_of(accounts))) {
        for (const sdk::Account& account : *accounts) {
            const auto probed = session.probe(account.id, {});
            findings.expect(probed.has_value(), "probe() of an available account succeeds",
                            outcome_of(probed));
        }
    }
}

void estimate(sdk::ProviderSession& session, Findings& findings) {
    const auto start = std::chrono::steady_clock::now();
    const auto seen = session.estimate({});
    findings.expect(std::chrono::steady_clock::now() - start < std::chrono::seconds(60),
                    "estimate() returns within 60 s");
    if (failed_with(seen, sdk::Errc::unsupported)) {
        return;
    }
    const auto accounts = available_accounts(session);
    if (!findings.expect(seen.has_value(), "estimate() succeeds or is unsupported",
                         outcome_of(seen)) ||
        !findings.expect(accounts.has_value(), "discover() succeeds", outcome_of(accounts))) {
        return;
    }
    findings.expect(!seen->accounts_complete || seen->accounts == accounts->size(),
                    "an estimate has the accounts that discovery shows as available",
                    std::to_string(seen->accounts));
    findings.expect(seen->sampled_accounts.size() <= seen->accounts,
                    "no more accounts are looked at than there are");
    const auto items = some_items(session, 1);
    if (items && !items->empty() && seen->sampled_accounts.size() == seen->accounts) {
        std::uint64_t counted = 0;
        for (const std::uint64_t count : seen->sampled_accounts) {
            counted += count;
        }
        findings.expect(counted > 0, "items are counted where there are some");
        findings.expect(seen->sampled_items > 0 && seen->sampled_bytes > 0,
                        "sizes are known of some items");
    }
    std::stop_source stopped;
    stopped.request_stop();
    findings.expect(failed_with(session.estimate(stopped.get_token()), sdk::Errc::cancelled),
                    "estimate() that is stopped is cancelled");
}

void unknown_formats(sdk::ProviderSession& session, Findings& findings) {
    const sdk::Cursor cursor{.format = kUnknownFormat, .value = "from another version"};
    const auto expect_expired = [&](const auto& result, std::string_view call) {
        findings.expect(failed_with(result, sdk::Errc::cursor_expired),
                        std::string(call) + " with a cursor of an unknown format: cursor_expired",
                        outcome_of(result));
    };
    AccountCollector accounts;
    expect_expired(session.discover(cursor, accounts, {}), "discover()");
    const auto places = archived_folders(session);
    if (!findings.expect(places && !places->empty(), "the fixture's source has a folder",
                         outcome_of(places))) {
        return;
    }
    const FolderPlace& place = places->front();
    FolderCollector folders;
    expect_expired(session.list_folders(place.account_id, cursor, folders, {}), "list_folders()");
    ItemCollector items;
    expect_expired(session.sync_folder(place.account_id, place.folder_id, cursor, items, {}),
                   "sync_folder()");
    findings.expect(items.events == 0 && items.checkpoints.empty(),
                    "nothing is reported from a cursor of an unknown format");
}

void cursor_size(sdk::ProviderSession& session, Findings& findings) {
    const auto places = archived_folders(session);
    if (!findings.expect(places.has_value(), "the source can be listed", outcome_of(places))) {
        return;
    }
    for (const FolderPlace& place : *places) {
        ItemCollector sink;
        const auto status =
            session.sync_folder(place.account_id, place.folder_id, std::nullopt, sink, {});
        findings.expect(status.has_value(), "sync_folder() succeeds", outcome_of(status));
        for (const auto& [id, tag] : sink.items) {
            findings.expect(is_id(id), "an item's id has 1 to 2,048 bytes");
        }
        for (const sdk::Cursor& cursor : sink.checkpoints) {
            findings.expect(cursor.value.size() <= kMaxCursorLength, "a cursor has at most 64 KiB",
                            std::to_string(cursor.value.size()));
        }
    }
}

}  // namespace

void add_discovery_checks(const ProviderFixture& fixture, std::vector<ConformanceCheck>& checks) {
    checks.push_back(
        check(fixture,
              {"account ids are unique and stay the same",
               "model.hpp, Account::id; provider.hpp, ProviderSession::discover()",
               "take the id that the service itself never changes, not the address or the name"},
              accounts));
    checks.push_back(check(fixture,
                           {"folder ids are unique, stay the same and form a tree",
                            "model.hpp, Folder::id and Folder::parent_id",
                            "take the service's own folder ids; where it knows folders by path "
                            "only, the path below the root; report every parent"},
                           folders));
    checks.push_back(check(fixture,
                           {"the preflight passes on a source that works",
                            "provider.hpp, ProviderSession::check(), limits() and probe()",
                            "report what was tried as checks with names of their own; fail only "
                            "what keeps the source from being archived"},
                           preflight));
    checks.push_back(check(
        fixture,
        {"an estimate is made of what is there", "provider.hpp, ProviderSession::estimate()",
         "count accounts as discover() does, look at a few only, or leave estimate() as it is"},
        estimate));
    checks.push_back(check(
        fixture,
        {"a cursor of an unknown format has expired", "model.hpp, Cursor::format",
         "compare Cursor::format before you read Cursor::value and answer Errc::cursor_expired"},
        unknown_formats));
    checks.push_back(
        check(fixture,
              {"item ids and cursors keep to their sizes", "model.hpp, on ids and Cursor",
               "keep ids within 2 KiB and cursors within 64 KiB: a cursor says where to go on, not "
               "what was seen"},
              cursor_size));
}

}  // namespace openarchiver::testkit::provider
