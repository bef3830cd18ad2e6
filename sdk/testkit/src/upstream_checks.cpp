// What changes upstream arrives by the cursors that were there before.
#include <algorithm>
#include <chrono>
#include <future>
#include <openarchiver/testkit/byte_streams.hpp>

#include "provider_suite.hpp"

namespace openarchiver::testkit::provider {

namespace {

using AllItems = std::map<std::pair<std::string, std::string>, std::string>;

std::size_t missing_from(const AllItems& items, const AllItems& others) {
    return static_cast<std::size_t>(std::ranges::count_if(
        items, [&](const auto& item) { return !others.contains(item.first); }));
}

std::size_t differing_tags(const AllItems& before, const AllItems& after) {
    return static_cast<std::size_t>(std::ranges::count_if(before, [&](const auto& item) {
        const auto found = after.find(item.first);
        return found != after.end() && found->second != item.second;
    }));
}

void expect_effect(Effect effect, const Replica& before, const Replica& after, Findings& findings) {
    const AllItems old_items = before.items_anywhere();
    const AllItems new_items = after.items_anywhere();
    const std::size_t gone = missing_from(old_items, new_items);
    const std::size_t come = missing_from(new_items, old_items);
    const std::size_t changed = differing_tags(old_items, new_items);
    const std::string seen = std::to_string(come) + " came, " + std::to_string(gone) + " left, " +
                             std::to_string(changed) + " changed";
    const bool elsewhere = before.items() != after.items();
    switch (effect) {
        case Effect::item_added:
            findings.expect(come == 1 && gone == 0 && changed == 0, "one item comes", seen);
            break;
        case Effect::item_removed:
            findings.expect(come == 0 && gone == 1 && changed == 0, "one item leaves", seen);
            break;
        case Effect::item_moved:
            findings.expect(come == 0 && gone == 0 && changed == 0,
                            "a moved item keeps its id and its content tag", seen);
            findings.expect(elsewhere, "a moved item is in another folder");
            break;
        case Effect::item_changed:
            findings.expect(come == 0 && gone == 0 && changed == 1,
                            "a changed item keeps its id and gets another content tag", seen);
            break;
        case Effect::item_placed:
            findings.expect(come == 0 && gone == 0 && changed == 0 && elsewhere,
                            "the items are the same, one is in a further folder", seen);
            break;
        case Effect::nothing:
        case Effect::cursors_expired:
            findings.expect(come == 0 && gone == 0 && changed == 0 && !elsewhere,
                            "no item comes, leaves, moves or gets another content tag", seen);
            findings.expect(effect != Effect::cursors_expired || after.expired() > 0,
                            "a cursor that the service no longer knows: cursor_expired");
            break;
        case Effect::item_broken:
        case Effect::outage:
        case Effect::silence:
            break;  // not followed
    }
}

void follow(const ProviderFixture& fixture, const UpstreamChange& change, Findings& findings) {
    const auto session = fixture.open();
    if (!findings.expect(session.has_value(), "the session opens", outcome_of(session))) {
        return;
    }
    Replica replica;
    auto status = replica.sync(**session);
    if (!findings.expect(status.has_value(), "a sync of the whole source succeeds",
                         outcome_of(status))) {
        return;
    }
    const Replica before = replica;
    change.apply();
    status = replica.sync(**session);
    findings.expect(status.has_value(), "a sync after the change succeeds", outcome_of(status));
    expect_effect(change.effect, before, replica, findings);

    // A restart lies between, and the cursors are all that is left; or they are not even needed.
    Replica restarted = before;
    Replica fresh;
    for (Replica* const one : {&restarted, &fresh}) {
        const auto new_session = fixture.open();
        if (!findings.expect(new_session.has_value(), "another session opens",
                             outcome_of(new_session))) {
            return;
        }
        status = one->sync(**new_session);
        findings.expect(status && one->items() == replica.items(),
                        one == &fresh
                            ? "a sync from the earlier cursors ends with what a full listing "
                              "reports"
                            : "a new session finds the change from the cursors of an earlier one",
                        outcome_of(status));
    }
}

/// What the provider answers while its service does not: it must not look like an empty source.
void outage(const ProviderFixture& fixture, const UpstreamChange& change, Findings& findings) {
    const auto session = fixture.open();
    if (!findings.expect(session.has_value(), "the session opens", outcome_of(session))) {
        return;
    }
    const std::optional<ItemPlace> place = any_item(**session, findings);
    if (!place) {
        return;
    }
    change.apply();
    const auto& [account, folder] = place->folder;
    const auto expect_retryable = [&](const auto& result, std::string_view call) {
        findings.expect(!result && sdk::is_retryable(result.error().code),
                        std::string(call) + " fails with unavailable, timed_out or rate_limited",
                        outcome_of(result));
    };
    AccountCollector accounts;
    expect_retryable((*session)->discover(std::nullopt, accounts, {}), "discover()");
    FolderCollector folders;
    expect_retryable((*session)->list_folders(account, std::nullopt, folders, {}),
                     "list_folders()");
    ItemCollector items;
    expect_retryable((*session)->sync_folder(account, folder, std::nullopt, items, {}),
                     "sync_folder()");
    findings.expect(items.checkpoints.empty(), "no checkpoint is given without an answer");
    const auto reader = (*session)->open_content(account, place->item_id, {});
    if (reader) {
        expect_retryable(read_all(**reader), "read()");
    } else {
        expect_retryable(reader, "open_content()");
    }
    expect_retryable((*session)->probe(account, {}), "probe()");
}

/// A service that takes requests and never answers.
void silence(const ProviderFixture& fixture, const UpstreamChange& change, Findings& findings) {
    const auto session = fixture.open();
    if (!findings.expect(session.has_value(), "the session opens", outcome_of(session))) {
        return;
    }
    const std::optional<ItemPlace> place = any_item(**session, findings);
    if (!place) {
        return;
    }
    change.apply();
    std::stop_source stop;
    ItemCollector items;
    auto call = std::async(std::launch::async, [&] {
        return (*session)->sync_folder(place->folder.account_id, place->folder.folder_id,
                                       std::nullopt, items, stop.get_token());
    });
    // The service stays silent: however long one waits, the call has to end by its token.
    call.wait_for(std::chrono::milliseconds(500));
    const auto start = std::chrono::steady_clock::now();
    stop.request_stop();
    const sdk::Status status = call.get();
    findings.expect(std::chrono::steady_clock::now() - start < std::chrono::seconds(2),
                    "sync_folder() ends within 2 s although the service does not answer");
    findings.expect(!status.has_value(), "sync_folder() fails", outcome_of(status));
}

/// One item that the service can't deliver.
void broken_item(const ProviderFixture& fixture, const UpstreamChange& change, Findings& findings) {
    change.apply();
    const auto session = fixture.open();
    if (!findings.expect(session.has_value(), "the session opens", outcome_of(session))) {
        return;
    }
    Replica replica;
    const auto status = replica.sync(**session);
    if (!findings.expect(status.has_value(), "a sync of the whole source succeeds",
                         outcome_of(status))) {
        return;
    }
    std::size_t broken = 0;
    std::size_t whole = 0;
    for (const auto& [place, tag] : replica.items_anywhere()) {
        const auto reader = (*session)->open_content(place.first, place.second, {});
        const auto bytes = reader ? read_all(**reader) : sdk::Result<Bytes>(reader.error());
        if (bytes && tag != "failed") {
            ++whole;
            continue;
        }
        ++broken;
        findings.expect(tag == "failed" || !sdk::is_retryable(bytes.error().code),
                        "an item that is broken for good fails with corrupt, unsupported, "
                        "not_found or internal",
                        outcome_of(bytes));
    }
    findings.expect(broken == 1 && whole > 0, "one item fails and the others are read",
                    std::to_string(broken) + " failed, " + std::to_string(whole) + " were read");
}

ConformanceCheck check_of(const ProviderFixture& fixture, const UpstreamChange& change) {
    switch (change.effect) {
        case Effect::outage:
            return {.promise = {"an outage is no empty source: " + change.name,
                                "provider.hpp, discover() and sync_folder(); error.hpp, Errc",
                                "answer Errc::unavailable or timed_out where the service gives no "
                                "usable answer; not_found only where it says so"},
                    .body = [=](Findings& findings) { outage(fixture, change, findings); }};
        case Effect::silence:
            return {.promise = {"a call ends by its stop token while the service is silent: " +
                                    change.name,
                                "provider.hpp, \"Every call returns soon after its stop token is "
                                "triggered\"",
                                "wait for the service with a timeout of at most a second and ask "
                                "the stop token in between"},
                    .body = [=](Findings& findings) { silence(fixture, change, findings); }};
        case Effect::item_broken:
            return {.promise = {"one bad item does not stop the others: " + change.name,
                                "provider.hpp, \"One bad item never stops a folder\"",
                                "call ItemSink::item_failed() and go on; let open_content() fail "
                                "for this item only"},
                    .body = [=](Findings& findings) { broken_item(fixture, change, findings); }};
        default:
            return {.promise = {"a delta sync finds that " + change.name,
                                "provider.hpp, sync_folder(); model.hpp, Item",
                                "report from a cursor what came, changed and left since; keep ids "
                                "over moves, and change content tags with the content only"},
                    .body = [=](Findings& findings) { follow(fixture, change, findings); }};
    }
}

}  // namespace

void add_upstream_checks(const ProviderFixture& fixture, std::vector<ConformanceCheck>& checks) {
    for (const UpstreamChange& change : fixture.changes) {
        checks.push_back(check_of(fixture, change));
    }
}

}  // namespace openarchiver::testkit::provider
