#include "pipeline/forecast.hpp"

#include <catch2/catch.hpp>

using namespace openarchiver;
using namespace openarchiver::pipeline;
using namespace std::chrono_literals;

namespace {

/// Those of a mailbox in Microsoft 365, as the issue states them.
sdk::SessionLimits mailbox_limits(std::uint32_t accounts) {
    sdk::SessionLimits limits;
    limits.accounts_in_parallel = accounts;
    limits.readers_per_account = 4;
    limits.contents_per_window = 10'000;
    limits.window = 10min;
    return limits;
}

}  // namespace

TEST_CASE("A mailbox takes n times the latency by four, or its windows") {
    const auto limits = mailbox_limits(1);
    CHECK(time_needed(0, 100ms, limits) == 0s);
    CHECK(time_needed(400, 100ms, limits) == 10s);
    // 20 ms: fast enough for the window to decide from the 10,001st on.
    CHECK(time_needed(10'000, 20ms, limits) == 50s);
    CHECK(time_needed(10'001, 20ms, limits) == 600s);
    CHECK(time_needed(100'000, 20ms, limits) == 9 * 600s);
    // 300 ms: the latency decides.
    CHECK(time_needed(100'000, 300ms, limits) == 7500s);
}

TEST_CASE("What a window has seen already counts") {
    const auto limits = mailbox_limits(1);
    CHECK(time_needed(1'000, 20ms, limits, 9'500, 100s) == 500s);
    CHECK(time_needed(500, 20ms, limits, 9'500, 100s) == 2.5s);
}

TEST_CASE("Without a window only the readers count") {
    sdk::SessionLimits limits;
    limits.readers_per_account = 2;
    CHECK(time_needed(1'000'000, 1ms, limits) == 500s);
}

TEST_CASE("The longest account decides, or all of them together") {
    CHECK(time_needed(100s, 150s, 8, mailbox_limits(4)) == 100s);
    CHECK(time_needed(100s, 800s, 8, mailbox_limits(4)) == 200s);
    CHECK(time_needed(100s, 100s, 1, mailbox_limits(4)) == 100s);
}

TEST_CASE("A forecast knows nothing before the first content, then follows what is done") {
    Forecast forecast;
    forecast.begin(mailbox_limits(2), 2, 0);
    forecast.account_begun("a", true);
    forecast.announced("a", 800);
    CHECK_FALSE(forecast.view().left);
    CHECK(forecast.view().accounts.at(0).expected == 800);
    forecast.took(100ms);
    // The second account is taken to be like the first, and is read beside it.
    CHECK(forecast.view().left == 20s);
    forecast.account_begun("b", true);
    forecast.announced("b", 80);
    CHECK(forecast.view().left == 20s);
    for (int i = 0; i < 400; ++i) {
        forecast.wanted("a");
        forecast.settled("a");
    }
    CHECK(forecast.view().left == 10s);
    CHECK(forecast.view().accounts.at(0).done == 400);
    CHECK(forecast.view().accounts.at(0).left == 10s);
    CHECK(forecast.view().accounts.at(1).left == 2s);
    // What was announced and is no mail, or archived already, is not waited for.
    forecast.listed("a");
    CHECK(forecast.view().left == 2s);
    forecast.account_ended("a");
    CHECK(forecast.view().accounts.size() == 1);
    forecast.account_ended("b");
    CHECK(forecast.view().left == 0s);
}

TEST_CASE("Accounts that are followed only do not make an import look longer") {
    Forecast forecast;
    forecast.begin(mailbox_limits(1), 1, 100);
    forecast.account_begun("new", true);
    forecast.announced("new", 400);
    forecast.took(100ms);
    CHECK(forecast.view().left == 10s);
}

TEST_CASE("What is archived already is not announced any more") {
    Forecast forecast;
    forecast.begin(mailbox_limits(1), 0, 1);
    forecast.account_begun("a", false);
    forecast.announced("a", 100);
    forecast.took(100ms);
    for (int i = 0; i < 60; ++i) {
        forecast.known("a");
    }
    CHECK(forecast.view().accounts.at(0).expected == 40);
    CHECK(forecast.view().left == 1s);
}
