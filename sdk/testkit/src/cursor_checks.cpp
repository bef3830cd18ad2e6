// Listings of items, and going on from cursors.
#include <algorithm>

#include "provider_suite.hpp"

namespace openarchiver::testkit::provider {

namespace {

constexpr std::size_t kMaxStops = 8;

using FolderBody = std::function<void(sdk::ProviderSession&, const FolderPlace&, Findings&)>;

/// A check of every folder.
ConformanceCheck folder_check(const ProviderFixture& fixture, Promise promise, FolderBody body) {
    return check(
        fixture, std::move(promise),
        [body = std::move(body)](sdk::ProviderSession& session, Findings& findings) {
            const auto places = archived_folders(session);
            if (!findings.expect(places && !places->empty(), "the fixture's source has a folder",
                                 outcome_of(places))) {
                return;
            }
            for (const FolderPlace& place : *places) {
                body(session, place, findings);
            }
        });
}

sdk::Status sync(sdk::ProviderSession& session, const FolderPlace& place, ItemCollector& sink,
                 const std::optional<sdk::Cursor>& cursor = std::nullopt) {
    return session.sync_folder(place.account_id, place.folder_id, cursor, sink, {});
}

void same_twice(sdk::ProviderSession& session, const FolderPlace& place, Findings& findings) {
    ItemCollector first;
    const auto status = sync(session, place, first);
    if (!findings.expect(status.has_value(), "sync_folder() succeeds", outcome_of(status))) {
        return;
    }
    findings.expect(first.last_was_checkpoint || first.checkpoints.empty(),
                    "the last call to the sink is checkpoint()");
    ItemCollector second;
    const auto again = sync(session, place, second);
    findings.expect(
        again && second.items == first.items,
        "a second full listing reports the same items with the same content tags",
        std::to_string(second.items.size()) + " items after " + std::to_string(first.items.size()));
}

void resume(sdk::ProviderSession& session, const FolderPlace& place, Findings& findings) {
    ItemCollector whole;
    const auto status = sync(session, place, whole);
    if (!findings.expect(status.has_value(), "sync_folder() succeeds", outcome_of(status))) {
        return;
    }
    const std::size_t count = whole.checkpoints.size();
    const std::size_t step = std::max<std::size_t>(1, count / kMaxStops);
    for (std::size_t stop_at = 1; stop_at <= count; stop_at += step) {
        ItemCollector interrupted;
        interrupted.stop_at_checkpoint = stop_at;
        const auto stopped = sync(session, place, interrupted);
        findings.expect(
            stopped.has_value() ? stop_at == count : failed_with(stopped, sdk::Errc::cancelled),
            "a sync that its sink stops at a checkpoint returns cancelled", outcome_of(stopped));
        if (!findings.expect(!interrupted.checkpoints.empty(),
                             "a second listing has checkpoints as the first")) {
            return;
        }
        ItemCollector resumed;
        resumed.items = interrupted.items;
        const auto finished = sync(session, place, resumed, interrupted.checkpoints.back());
        findings.expect(finished && resumed.items == whole.items,
                        "stopped at checkpoint " + std::to_string(stop_at) + " of " +
                            std::to_string(count) +
                            " and resumed from its cursor, a sync ends with the same items",
                        outcome_of(finished));
    }
}

void no_news(sdk::ProviderSession& session, const FolderPlace& place, Findings& findings) {
    ItemCollector whole;
    const auto status = sync(session, place, whole);
    if (!findings.expect(status.has_value(), "sync_folder() succeeds", outcome_of(status)) ||
        whole.checkpoints.empty()) {
        return;
    }
    ItemCollector delta;
    delta.items = whole.items;
    const auto since = sync(session, place, delta, whole.checkpoints.back());
    findings.expect(since.has_value(), "sync_folder() goes on from its last cursor",
                    outcome_of(since));
    findings.expect(delta.items == whole.items,
                    "from the last cursor nothing new is reported where nothing changed");
    findings.expect(delta.events <= 1 + whole.events / 2,
                    "from the last cursor few items are reported again",
                    std::to_string(delta.events) + " of " + std::to_string(whole.events));
    findings.expect(delta.last_was_checkpoint, "the last call to the sink is checkpoint()");
}

void reopened(const ProviderFixture& fixture, Findings& findings) {
    Replica replica;
    const auto first = fixture.open();
    if (!findings.expect(first.has_value(), "the session opens", outcome_of(first))) {
        return;
    }
    auto status = replica.sync(**first);
    findings.expect(status.has_value(), "a sync of the whole source succeeds", outcome_of(status));
    const auto items = replica.items();
    const auto second = fixture.open();
    if (!findings.expect(second.has_value(), "a second session opens", outcome_of(second))) {
        return;
    }
    status = replica.sync(**second);
    findings.expect(status && replica.items() == items,
                    "a new session goes on from the cursors of an earlier one", outcome_of(status));
}

}  // namespace

void add_cursor_checks(const ProviderFixture& fixture, std::vector<ConformanceCheck>& checks) {
    checks.push_back(folder_check(
        fixture,
        {"a full listing is the same twice", "model.hpp, Item::id and Item::content_tag",
         "derive id and content tag from what the service keeps of the item, never from the time "
         "or the order of the listing"},
        same_twice));
    checks.push_back(folder_check(
        fixture,
        {"a sync resumes from every checkpoint",
         "provider.hpp, \"A cursor counts only with its contents\" and ItemSink::checkpoint()",
         "give a cursor after the last item that it covers, not before; begin from a cursor with "
         "the item after it"},
        resume));
    checks.push_back(folder_check(fixture,
                                  {"from the last cursor nothing new comes where nothing changed",
                                   "provider.hpp, ProviderSession::sync_folder()",
                                   "let the last cursor of a listing say that all of it was "
                                   "reported, and ask the service for what came after"},
                                  no_news));
    checks.push_back(
        {.promise =
             {"cursors hold across sessions", "model.hpp, Cursor",
              "put into the cursor all that going on takes; keep nothing of it in the session"},
         .body = [fixture](Findings& findings) { reopened(fixture, findings); }});
}

}  // namespace openarchiver::testkit::provider
