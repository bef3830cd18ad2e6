#include "throttle/request_ceiling.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "graph/graph_failure.hpp"
#include "support/test_host.hpp"
#include "throttle/request_limiter.hpp"
#include "throttle/retry_budget.hpp"

namespace openarchiver::microsoft365 {
namespace {

using namespace std::chrono_literals;
using sdk::Errc;

struct Ceiling {
    explicit Ceiling(std::uint32_t most) : ceiling(most, clock, logger) { clock.freeze(); }

    void fill(std::uint32_t count) {
        for (std::uint32_t i = 0; i < count; ++i) {
            REQUIRE(ceiling.enter(Patience::refuse, {}));
        }
    }

    test::TestClock clock;
    test::TestLogger logger;
    RequestCeiling ceiling;
    int mailboxes[8] = {};
};

TEST_CASE("the ceiling halves what was too much, pauses everybody and grows back", "[unit]") {
    Ceiling all(128);
    all.fill(32);
    all.ceiling.throttled(&all.mailboxes[0], ThrottledScope::application, 5s);
    CHECK(all.ceiling.limit() == 16);  // half of what was in flight, not of what was allowed
    const auto refused = all.ceiling.enter(Patience::refuse, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::rate_limited);
    CHECK(refused.error().retry_after == 5s);

    // Answers to what was sent before say nothing new.
    all.ceiling.throttled(&all.mailboxes[1], ThrottledScope::application, 5s);
    CHECK(all.ceiling.limit() == 16);
    all.clock.advance(3s);
    all.ceiling.throttled(&all.mailboxes[1], ThrottledScope::application, 0s);
    CHECK(all.ceiling.limit() == 8);  // still
    all.clock.advance(3s);
    for (int i = 0; i < 32; ++i) {
        all.ceiling.leave();
    }
    all.fill(8);

    for (int i = 0; i < 100; ++i) {
        all.ceiling.answered();
    }
    CHECK(all.ceiling.limit() == 9);  // once in so many seconds
    all.clock.advance(3s);
    all.ceiling.answered();
    CHECK(all.ceiling.limit() == 10);
    all.clock.advance(3s);
    all.ceiling.answered();
    CHECK(all.ceiling.limit() == 10);  // only 8 are in flight
    while (all.ceiling.limit() < 128) {
        all.fill(all.ceiling.limit() - 8);
        all.clock.advance(3s);
        all.ceiling.answered();
        for (std::uint32_t i = 9; i < all.ceiling.limit(); ++i) {
            all.ceiling.leave();
        }
    }
    all.clock.advance(10s);
    for (int i = 0; i < 20; ++i) {
        all.ceiling.throttled(&all.mailboxes[0], ThrottledScope::application, 0s);
        all.clock.advance(10s);
    }
    CHECK(all.ceiling.limit() == 4);  // never less
}

TEST_CASE("a mailbox's own throttling does not lower the ceiling for others", "[unit]") {
    Ceiling all(64);
    all.fill(40);
    for (int& mailbox : all.mailboxes) {
        all.ceiling.throttled(&mailbox, ThrottledScope::mailbox, 10s);
    }
    for (int i = 0; i < 10; ++i) {
        all.ceiling.throttled(&all.mailboxes[i % 2], ThrottledScope::unknown, 10s);
    }
    CHECK(all.ceiling.limit() == 64);
    all.clock.advance(11s);
    all.ceiling.throttled(&all.mailboxes[2], ThrottledScope::unknown, 10s);
    CHECK(all.ceiling.limit() == 64);  // the others are long ago

    // Three at the same time are not a coincidence; but only the throttled ones pause.
    all.ceiling.throttled(&all.mailboxes[3], ThrottledScope::unknown, 10s);
    all.ceiling.throttled(&all.mailboxes[4], ThrottledScope::unknown, 10s);
    CHECK(all.ceiling.limit() == 20);
    for (int i = 0; i < 40; ++i) {
        all.ceiling.leave();
    }
    CHECK(all.ceiling.enter(Patience::refuse, {}));
}

TEST_CASE("mailboxes together keep to the ceiling", "[unit]") {
    test::TestClock clock;
    test::TestLogger logger;
    RequestCeiling ceiling(5, clock, logger);
    std::vector<std::unique_ptr<RequestLimiter>> mailboxes;
    for (int i = 0; i < 4; ++i) {
        mailboxes.push_back(
            std::make_unique<RequestLimiter>(LimiterSettings{.concurrent = 4}, clock, &ceiling));
    }
    std::atomic<int> in_flight = 0;
    std::atomic<int> most = 0;
    std::atomic<int> done = 0;
    {
        std::vector<std::jthread> threads;
        for (std::size_t i = 0; i < 12; ++i) {
            threads.emplace_back([&, i] {
                for (int round = 0; round < 50; ++round) {
                    const auto permit = mailboxes[i % 4]->acquire(Patience::wait, {});
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
    CHECK(most <= 5);
}

TEST_CASE("a stop ends waiting for the ceiling, and gives the mailbox's place back", "[unit]") {
    Ceiling all(4);
    RequestLimiter mailbox({.concurrent = 1}, all.clock, &all.ceiling);
    all.fill(4);
    std::stop_source stop;
    stop.request_stop();
    const auto stopped = mailbox.acquire(Patience::wait, stop.get_token());
    REQUIRE_FALSE(stopped);
    CHECK(stopped.error().code == Errc::cancelled);
    all.ceiling.leave();
    CHECK(mailbox.acquire(Patience::refuse, {}));
}

TEST_CASE("a wait of more than half an hour is not sat through", "[unit]") {
    test::TestClock clock;
    clock.freeze();
    RequestLimiter mailbox({.concurrent = 1}, clock);
    (void)mailbox.throttled(24h);
    const auto refused = mailbox.acquire(Patience::wait, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::rate_limited);
    CHECK(refused.error().retry_after >= 24h);
}

TEST_CASE("an answer of throttling tells whose limit it is", "[unit]") {
    const auto concurrency =
        parse_graph_failure(429,
                            R"({"error":{"code":"ApplicationThrottled","message":)"
                            R"("Application is over its MailboxConcurrency limit."}})",
                            "");
    CHECK(throttled_scope(concurrency, "") == ThrottledScope::mailbox);
    const auto plain = parse_graph_failure(429, "", "");
    CHECK(throttled_scope(plain, "") == ThrottledScope::unknown);
    CHECK(throttled_scope(plain, "Tenant_Application/Read/app/tenant") ==
          ThrottledScope::application);
}

TEST_CASE("retries end while nothing succeeds", "[unit]") {
    RetryBudget budget;
    int retries = 0;
    while (budget.take()) {
        ++retries;
    }
    CHECK(retries == 50);
    budget.succeeded();
    CHECK_FALSE(budget.take());
    budget.succeeded();
    CHECK(budget.take());
    CHECK_FALSE(budget.take());
}

}  // namespace
}  // namespace openarchiver::microsoft365
