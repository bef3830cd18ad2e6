#include "notify/ledger.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <string>

namespace openarchiver::notify {
namespace {

using namespace std::chrono_literals;

constexpr sdk::Timestamp kStart{std::chrono::hours(500'000)};

profile::Notifications settings_of(std::vector<profile::NotificationTarget> targets) {
    profile::Notifications settings;
    settings.targets = std::move(targets);
    settings.after = 15min;
    settings.remind_every = 24h;
    return settings;
}

Condition failing(int degree = 1, const std::string& subject = "mail") {
    return {.kind = Kind::attention,
            .subject = subject,
            .name = "Mail",
            .degree = degree,
            .summary = "Mail needs attention"};
}

Observation seen(std::vector<Condition> conditions) {
    return {.conditions = std::move(conditions), .subjects = {"engine", "files", "mail"}};
}

/// A target that is told at once what is due.
struct Target {
    profile::NotificationTarget target{.id = "ops"};
    profile::Notifications settings = settings_of({target});
    Ledger ledger{settings, ""};

    std::string look(const Observation& observation, sdk::Timestamp now) {
        ledger.observe(observation, now);
        const auto notices = ledger.due(target, now);
        if (!notices.empty()) {
            ledger.record_sent(target.id, notices, now);
        }
        std::string told;
        for (const Notice& notice : notices) {
            told += (told.empty() ? "" : " ") + std::string(to_string(notice.change)) + ":" +
                    notice.condition.subject;
        }
        return told;
    }
};

TEST_CASE("a condition is told once it has lasted, then daily, and that it is over", "[unit]") {
    Target ops;
    CHECK(ops.look(seen({failing()}), kStart).empty());
    CHECK(ops.look(seen({failing()}), kStart + 14min).empty());
    CHECK(ops.look(seen({failing()}), kStart + 15min) == "begun:mail");
    CHECK(ops.look(seen({failing()}), kStart + 1h).empty());
    CHECK(ops.look(seen({failing()}), kStart + 15min + 24h) == "reminder:mail");
    CHECK(ops.look(seen({}), kStart + 25h).empty());
    CHECK(ops.look(seen({}), kStart + 25h + 15min) == "over:mail");
    CHECK(ops.look(seen({}), kStart + 26h).empty());
    CHECK(ops.ledger.targets().at("ops").told.empty());
}

TEST_CASE("what passes by itself is not told", "[unit]") {
    Target ops;
    CHECK(ops.look(seen({failing()}), kStart).empty());
    CHECK(ops.look(seen({}), kStart + 5min).empty());
    CHECK(ops.look(seen({}), kStart + 1h).empty());
    // It was over for long enough: the time counts anew.
    CHECK(ops.look(seen({failing()}), kStart + 2h).empty());
    CHECK(ops.look(seen({failing()}), kStart + 2h + 15min) == "begun:mail");
}

TEST_CASE("what comes and goes is one occurrence", "[unit]") {
    Target ops;
    std::string told;
    for (int round = 0; round < 40; ++round) {
        told += ops.look(round % 2 == 0 ? seen({failing()}) : seen({}), kStart + round * 5min);
    }
    CHECK(told == "begun:mail");
}

TEST_CASE("what becomes worse is told at once, what becomes better is not", "[unit]") {
    Target ops;
    (void)ops.look(seen({failing(1)}), kStart);
    CHECK(ops.look(seen({failing(1)}), kStart + 15min) == "begun:mail");
    CHECK(ops.look(seen({failing(3)}), kStart + 16min) == "worse:mail");
    CHECK(ops.look(seen({failing(1)}), kStart + 17min).empty());
    CHECK(ops.look(seen({failing(3)}), kStart + 18min).empty());
}

TEST_CASE("a restart forgets nothing and repeats nothing", "[unit]") {
    Target ops;
    (void)ops.look(seen({failing(), failing(1, "files")}), kStart);
    CHECK(ops.look(seen({failing(), failing(1, "files")}), kStart + 15min) ==
          "begun:files begun:mail");
    Target again{.ledger = Ledger(ops.settings, ops.ledger.to_json())};
    CHECK(again.look(seen({failing()}), kStart + 16min).empty());
    CHECK(again.look(seen({failing()}), kStart + 40min) == "over:files");
    CHECK(again.ledger.targets().at("ops").sent_at == kStart + 40min);
}

TEST_CASE("a file that is damaged counts as none", "[unit]") {
    for (const std::string text :
         {"", "{", "[]", "{\"conditions\":7,\"targets\":{\"ops\":[]}}",
          "{\"conditions\":{\"attention/mail\":{\"since\":\"x\",\"degree\":\"y\"},\"\":{}},"
          "\"targets\":{\"ops\":{\"told\":{\"lag/mail\":{}},\"error\":3}}}"}) {
        Target ops;
        Target damaged{.ledger = Ledger(ops.settings, text)};
        INFO(text);
        (void)damaged.look(seen({failing()}), kStart);
        CHECK(damaged.look(seen({failing()}), kStart + 15min) == "begun:mail");
    }
}

TEST_CASE("a target that was down is told how things stand", "[unit]") {
    Target ops;
    ops.ledger.observe(seen({failing(), failing(1, "files")}), kStart);
    ops.ledger.observe(seen({failing(), failing(1, "files")}), kStart + 15min);
    CHECK(ops.ledger.due(ops.target, kStart + 15min).size() == 2);
    ops.ledger.record_failed("ops", "not there", kStart + 15min);
    ops.ledger.record_failed("ops", "still not there", kStart + 20min);
    CHECK(ops.ledger.targets().at("ops").failing_since == kStart + 15min);
    CHECK(ops.ledger.targets().at("ops").error == "still not there");
    // One of the two is over meanwhile: it was never heard of, so nobody has to know.
    CHECK(ops.look(seen({failing()}), kStart + 1h) == "begun:mail");
    CHECK(ops.look(seen({failing()}), kStart + 2h).empty());
    CHECK(ops.ledger.targets().at("ops").error.empty());
}

TEST_CASE("each target has what it wants", "[unit]") {
    const profile::NotificationTarget all{.id = "all"};
    const profile::NotificationTarget lags{.id = "lags", .conditions = {"lag"}};
    const auto settings = settings_of({all, lags});
    Ledger ledger(settings, "");
    Condition lag = failing();
    lag.kind = Kind::lag;
    ledger.observe(seen({failing(), lag}), kStart);
    CHECK(ledger.due(all, kStart + 15min).size() == 2);
    const auto notices = ledger.due(lags, kStart + 15min);
    REQUIRE(notices.size() == 1);
    CHECK(notices.front().condition.kind == Kind::lag);
}

TEST_CASE("a source that is gone or paused is dropped without a word", "[unit]") {
    Target ops;
    (void)ops.look(seen({failing()}), kStart);
    CHECK(ops.look(seen({failing()}), kStart + 15min) == "begun:mail");
    const Observation without{.subjects = {"files"}};
    CHECK(ops.look(without, kStart + 1h).empty());
    CHECK(ops.look(without, kStart + 2h).empty());
    CHECK(ops.ledger.targets().at("ops").told.empty());
}

TEST_CASE("a look that sees little ends nothing", "[unit]") {
    Target ops;
    (void)ops.look(seen({failing()}), kStart);
    CHECK(ops.look(seen({failing()}), kStart + 15min) == "begun:mail");
    const Observation blind = nothing_to_see({sdk::Errc::unavailable, "no store"});
    CHECK(ops.look(blind, kStart + 1h).empty());
    CHECK(ops.look(blind, kStart + 2h) == "begun:engine");
    CHECK(ops.look(seen({failing()}), kStart + 3h).empty());
    CHECK(ops.look(seen({failing()}), kStart + 4h) == "over:engine");
}

TEST_CASE("a clock that was ahead delays nothing for ever", "[unit]") {
    Target ops;
    (void)ops.look(seen({failing()}), kStart + 24h * 365);
    (void)ops.look(seen({failing()}), kStart);
    CHECK(ops.look(seen({failing()}), kStart + 15min) == "begun:mail");
}

TEST_CASE("a reminder of what has time comes seldom", "[unit]") {
    Target ops;
    Condition patient = failing();
    patient.patience = 7;
    (void)ops.look(seen({patient}), kStart);
    CHECK(ops.look(seen({patient}), kStart + 15min) == "begun:mail");
    CHECK(ops.look(seen({patient}), kStart + 48h).empty());
    CHECK(ops.look(seen({patient}), kStart + 24h * 7 + 15min) == "reminder:mail");
}

TEST_CASE("one notification is not longer than it may be, and the rest comes next", "[unit]") {
    Target ops;
    Observation many;
    for (int i = 0; i < 120; ++i) {
        many.conditions.push_back(failing(1, "source-" + std::to_string(i)));
        many.subjects.insert("source-" + std::to_string(i));
    }
    std::size_t told = 0;
    (void)ops.look(many, kStart);
    for (int round = 0; round < 3; ++round) {
        (void)ops.look(many, kStart + 15min);
        const auto known = ops.ledger.targets().at("ops").told.size();
        CHECK(known - told <= Ledger::kMostNotices);
        told = known;
    }
    CHECK(told == 120);
}

}  // namespace
}  // namespace openarchiver::notify
