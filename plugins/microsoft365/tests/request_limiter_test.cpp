#include "throttle/request_limiter.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "support/test_host.hpp"

namespace openarchiver::microsoft365 {
namespace {

using namespace std::chrono_literals;
using sdk::Errc;
using Permit = RequestLimiter::Permit;

TEST_CASE("no more requests are in flight than allowed, and all get their turn", "[unit]") {
    test::TestClock clock;
    RequestLimiter limiter({.concurrent = 4}, clock);
    std::atomic<int> in_flight = 0;
    std::atomic<int> most = 0;
    std::atomic<int> done = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 12; ++i) {
            threads.emplace_back([&] {
                for (int round = 0; round < 50; ++round) {
                    const auto permit = limiter.acquire(Patience::wait, {});
                    if (!permit) {
                        return;
                    }
                    const int now = ++in_flight;
                    int before = most;
                    while (before < now && !most.compare_exchange_weak(before, now)) {
                    }
                    std::this_thread::yield();
                    --in_flight;
                    ++done;
                }
            });
        }
    }
    CHECK(done == 12 * 50);
    CHECK(most <= 4);
}

TEST_CASE("the window lets a burst through and then nothing until it slides", "[unit]") {
    test::TestClock clock;
    clock.freeze();
    RequestLimiter limiter({.concurrent = 4, .window_requests = 100, .window = 600s}, clock);
    for (int i = 0; i < 60; ++i) {
        REQUIRE(limiter.acquire(Patience::refuse, {}));
    }
    clock.advance(300s);
    for (int i = 0; i < 40; ++i) {
        REQUIRE(limiter.acquire(Patience::refuse, {}));
    }
    const auto refused = limiter.acquire(Patience::refuse, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::rate_limited);
    CHECK(refused.error().retry_after == 300s);

    clock.advance(300s);
    for (int i = 0; i < 60; ++i) {
        REQUIRE(limiter.acquire(Patience::refuse, {}));
    }
    CHECK_FALSE(limiter.acquire(Patience::refuse, {}));
}

TEST_CASE("a throttled answer pauses the whole mailbox for as long as it says", "[unit]") {
    test::TestClock clock;
    clock.freeze();
    RequestLimiter limiter({}, clock);
    const auto pause = limiter.throttled(10s);
    CHECK(pause >= 10s);
    CHECK(pause <= 12s);
    const auto refused = limiter.acquire(Patience::refuse, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().retry_after == pause);

    std::atomic<bool> through = false;
    std::jthread waiter([&] { through = limiter.acquire(Patience::wait, {}).has_value(); });
    std::this_thread::sleep_for(50ms);
    CHECK_FALSE(through);
    clock.advance(pause);
    waiter.join();
    CHECK(through);
}

TEST_CASE("without a time to wait the pauses grow until an answer comes", "[unit]") {
    test::TestClock clock;
    clock.freeze();
    RequestLimiter limiter({}, clock);
    std::chrono::milliseconds before{0};
    for (int i = 0; i < 6; ++i) {
        const auto pause = limiter.throttled(std::nullopt);
        CHECK(pause > before);
        before = pause;
        clock.advance(pause);
    }
    limiter.answered();
    CHECK(limiter.throttled(0s) <= 2400ms);
}

TEST_CASE("who waits for room ends with the stop", "[unit]") {
    test::TestClock clock;
    RequestLimiter limiter({.concurrent = 1}, clock);
    const auto held = limiter.acquire(Patience::wait, {});
    std::stop_source stop;
    std::jthread stopper([&stop] {
        std::this_thread::sleep_for(50ms);
        stop.request_stop();
    });
    const auto begin = std::chrono::steady_clock::now();
    const auto refused = limiter.acquire(Patience::wait, stop.get_token());
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::cancelled);
    CHECK(std::chrono::steady_clock::now() - begin < 1s);
}

}  // namespace
}  // namespace openarchiver::microsoft365
