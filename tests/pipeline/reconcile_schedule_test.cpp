#include "pipeline/reconcile_schedule.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace openarchiver::pipeline {

namespace {

using namespace std::chrono_literals;

constexpr sdk::Timestamp kStart{std::chrono::days(20'000)};

}  // namespace

TEST_CASE("every folder has its turn once in each period, however often it is synced", "[unit]") {
    for (const auto interval : {5min, 60min, 24 * 60min}) {
        for (int folder = 0; folder < 20; ++folder) {
            const std::string id = "folder " + std::to_string(folder);
            int turns = 0;
            for (sdk::Timestamp now = kStart; now < kStart + 90 * 24h; now += interval) {
                turns += reconcile_due("account", id, now, now + interval, 30 * 24h) ? 1 : 0;
            }
            CHECK(turns == 3);
        }
    }
}

TEST_CASE("the turns of many folders are spread over the period", "[unit]") {
    std::vector<int> on_day(30);
    for (int folder = 0; folder < 3000; ++folder) {
        for (int day = 0; day < 30; ++day) {
            const sdk::Timestamp now = kStart + day * 24h;
            if (reconcile_due("a", std::to_string(folder), now, now + 24h, 30 * 24h)) {
                ++on_day[static_cast<std::size_t>(day)];
            }
        }
    }
    const auto [least, most] = std::minmax_element(on_day.begin(), on_day.end());
    CHECK(*least > 50);
    CHECK(*most < 170);
}

TEST_CASE("a turn that was missed is made up for, and a folder never synced has none", "[unit]") {
    CHECK(reconcile_due("a", "f", kStart, kStart + 31 * 24h, 30 * 24h));
    CHECK(!reconcile_due("a", "f", {}, kStart, 30 * 24h));
    CHECK(!reconcile_due("a", "f", kStart, kStart, 30 * 24h));
    CHECK(!reconcile_due("a", "f", kStart + 40 * 24h, kStart, 30 * 24h));
}

}  // namespace openarchiver::pipeline
