// What changes upstream arrives by the cursors that were there before.
#include <algorithm>

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
        case Effect::nothing:
            findings.expect(come == 0 && gone == 0 && changed == 0 && !elsewhere,
                            "no item comes, leaves, moves or gets another content tag", seen);
            break;
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

    const auto fresh_session = fixture.open();
    if (!findings.expect(fresh_session.has_value(), "a second session opens",
                         outcome_of(fresh_session))) {
        return;
    }
    Replica fresh;
    status = fresh.sync(**fresh_session);
    findings.expect(status && fresh.items() == replica.items(),
                    "a sync from the earlier cursors ends with what a full listing reports",
                    outcome_of(status));
}

}  // namespace

void add_upstream_checks(const ProviderFixture& fixture, std::vector<ConformanceCheck>& checks) {
    for (const UpstreamChange& change : fixture.changes) {
        checks.push_back(
            {.name = "a delta sync finds that " + change.name,
             .body = [fixture, change](Findings& findings) { follow(fixture, change, findings); }});
    }
}

}  // namespace openarchiver::testkit::provider
