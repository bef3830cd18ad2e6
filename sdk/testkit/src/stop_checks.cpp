// Flow::stop and stop tokens.
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <future>
#include <mutex>
#include <thread>

#include "provider_suite.hpp"

namespace openarchiver::testkit::provider {

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kPatience = 2s;
constexpr std::size_t kInFlight = 64;

void expect_cancelled(Findings& findings, const auto& result, Clock::duration taken,
                      const std::string& what) {
    findings.expect(failed_with(result, sdk::Errc::cancelled), what + ": cancelled",
                    outcome_of(result));
    findings.expect(
        taken < kPatience, what + ": within 2 s",
        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(taken).count()) +
            " ms");
}

void flow_stop(sdk::ProviderSession& session, Findings& findings) {
    const std::optional<ItemPlace> place = any_item(session, findings);
    if (!place) {
        return;
    }
    const std::string& account = place->folder.account_id;
    auto start = Clock::now();
    AccountCollector accounts;
    accounts.answer = sdk::Flow::stop;
    const auto discovered = session.discover(std::nullopt, accounts, {});
    expect_cancelled(findings, discovered, Clock::now() - start, "discover() told to stop");
    findings.expect(accounts.accounts.size() == 1, "after stop, no further account is reported");

    start = Clock::now();
    FolderCollector folders;
    folders.answer = sdk::Flow::stop;
    const auto listed = session.list_folders(account, std::nullopt, folders, {});
    expect_cancelled(findings, listed, Clock::now() - start, "list_folders() told to stop");
    findings.expect(folders.folders.size() == 1, "after stop, no further folder is reported");

    start = Clock::now();
    ItemCollector items;
    items.stop_at_event = 1;
    const auto synced =
        session.sync_folder(account, place->folder.folder_id, std::nullopt, items, {});
    expect_cancelled(findings, synced, Clock::now() - start, "sync_folder() told to stop");
    findings.expect(items.after_stop == 0, "after stop, the sink is not called again",
                    std::to_string(items.after_stop) + " calls");
}

void stopped_before(sdk::ProviderSession& session, Findings& findings) {
    const std::optional<ItemPlace> place = any_item(session, findings);
    if (!place) {
        return;
    }
    const std::string& account = place->folder.account_id;
    std::stop_source stop;
    stop.request_stop();
    const auto expect = [&](const std::string& call, auto body) {
        const auto start = Clock::now();
        const auto result = body();
        expect_cancelled(findings, result, Clock::now() - start, call + " with a triggered token");
    };
    AccountCollector accounts;
    FolderCollector folders;
    ItemCollector items;
    expect("check()", [&] { return session.check(stop.get_token()); });
    expect("discover()",
           [&] { return session.discover(std::nullopt, accounts, stop.get_token()); });
    expect("list_folders()",
           [&] { return session.list_folders(account, std::nullopt, folders, stop.get_token()); });
    expect("sync_folder()", [&] {
        return session.sync_folder(account, place->folder.folder_id, std::nullopt, items,
                                   stop.get_token());
    });
    expect("open_content()",
           [&] { return session.open_content(account, place->item_id, stop.get_token()); });
    expect("probe()", [&] { return session.probe(account, stop.get_token()); });
    findings.expect(accounts.accounts.empty() && folders.folders.empty() && items.events == 0 &&
                        items.checkpoints.empty(),
                    "a call with a triggered token reports nothing");
}

/// Blocks in its first call until the token is triggered, as a sink does whose engine is behind.
class BlockingSink final : public sdk::ItemSink {
public:
    explicit BlockingSink(std::stop_token stop) : stop_(std::move(stop)) {}

    sdk::Flow item(const sdk::Item&) override { return block(); }

    sdk::Flow item_left(std::string_view) override { return block(); }

    sdk::Flow item_failed(std::string_view, const sdk::Error&) override { return block(); }

    sdk::Flow checkpoint(const sdk::Cursor&) override { return block(); }

    bool wait_until_entered() {
        std::unique_lock lock(mutex_);
        return entered_.wait_for(lock, 30s, [&] { return calls_ > 0; });
    }

    void call_returned() {
        const std::lock_guard lock(mutex_);
        returned_ = true;
    }

    [[nodiscard]] std::size_t calls() {
        const std::lock_guard lock(mutex_);
        return calls_;
    }

    [[nodiscard]] std::size_t late_calls() {
        const std::lock_guard lock(mutex_);
        return late_calls_;
    }

private:
    sdk::Flow block() {
        std::unique_lock lock(mutex_);
        ++calls_;
        late_calls_ += returned_ ? 1U : 0U;
        entered_.notify_all();
        entered_.wait(lock, stop_, [] { return false; });
        return sdk::Flow::proceed;  // the token alone has to end the call
    }

    const std::stop_token stop_;
    std::mutex mutex_;  // guards the three below
    std::condition_variable_any entered_;
    std::size_t calls_ = 0;
    bool returned_ = false;
    std::size_t late_calls_ = 0;
};

void stopped_while_blocked(const ProviderFixture& fixture, Findings& findings) {
    std::stop_source stop;
    BlockingSink sink(stop.get_token());  // outlives the session: late calls would show
    {
        const auto session = fixture.open();
        if (!findings.expect(session.has_value(), "the session opens", outcome_of(session))) {
            return;
        }
        const std::optional<ItemPlace> place = any_item(**session, findings);
        if (!place) {
            return;
        }
        auto call = std::async(std::launch::async, [&] {
            return (*session)->sync_folder(place->folder.account_id, place->folder.folder_id,
                                           std::nullopt, sink, stop.get_token());
        });
        findings.expect(sink.wait_until_entered(), "sync_folder() reports its first item");
        std::this_thread::sleep_for(100ms);  // time in which others would come
        findings.expect(sink.calls() <= kInFlight, "at most 64 calls are in a sink that blocks",
                        std::to_string(sink.calls()));
        const auto start = Clock::now();
        stop.request_stop();
        const sdk::Status status = call.get();
        expect_cancelled(findings, status, Clock::now() - start,
                         "sync_folder() stopped while its sink blocks");
        sink.call_returned();
    }
    findings.expect(sink.late_calls() == 0, "the sink is not called after sync_folder() returned",
                    std::to_string(sink.late_calls()) + " calls");
}

/// Counts what comes after the call that it was given to.
class LateSink final : public sdk::ItemSink {
public:
    sdk::Flow item(const sdk::Item&) override { return count(); }

    sdk::Flow item_left(std::string_view) override { return count(); }

    sdk::Flow item_failed(std::string_view, const sdk::Error&) override { return count(); }

    sdk::Flow checkpoint(const sdk::Cursor&) override { return count(); }

    std::atomic<bool> returned = false;
    std::atomic<std::size_t> late = 0;

private:
    sdk::Flow count() {
        late += returned ? 1U : 0U;
        return sdk::Flow::proceed;
    }
};

void nothing_after_return(const ProviderFixture& fixture, Findings& findings) {
    LateSink sink;  // outlives the session and its threads
    {
        const auto session = fixture.open();
        if (!findings.expect(session.has_value(), "the session opens", outcome_of(session))) {
            return;
        }
        const auto places = archived_folders(**session);
        if (!findings.expect(places && !places->empty(), "the fixture's source has a folder",
                             outcome_of(places))) {
            return;
        }
        const sdk::Status status = (*session)->sync_folder(
            places->front().account_id, places->front().folder_id, std::nullopt, sink, {});
        sink.returned = true;
        findings.expect(status.has_value(), "sync_folder() succeeds", outcome_of(status));
        std::this_thread::sleep_for(500ms);  // time in which something could come
    }
    findings.expect(sink.late == 0, "the sink is not called after sync_folder() returned",
                    std::to_string(sink.late) + " calls");
}

}  // namespace

void add_stop_checks(const ProviderFixture& fixture, std::vector<ConformanceCheck>& checks) {
    checks.push_back(check(
        fixture,
        {"a call whose sink answers stop ends at once", "provider.hpp, \"A sink call may block\"",
         "look at the answer of every call to a sink; on Flow::stop return Errc::cancelled and do "
         "not call it again"},
        flow_stop));
    checks.push_back(
        check(fixture,
              {"a token that is triggered before a call cancels it",
               "provider.hpp, \"Every call returns soon after its stop token is triggered\"",
               "ask the stop token first, before the first request"},
              stopped_before));
    checks.push_back(
        {.promise = {"nothing is reported after a call has returned",
                     "provider.hpp, ItemSink and \"no thread of a plugin outlives its session\"",
                     "wait for your own threads before the call returns"},
         .body = [fixture](Findings& findings) { nothing_after_return(fixture, findings); }});
    checks.push_back(
        {.promise = {"a sync that is blocked in its sink notices its stop token",
                     "provider.hpp, \"Every call returns soon after its stop token is triggered\", "
                     "\"no thread of a plugin outlives its session\"",
                     "ask the stop token after each call to the sink; join your own threads before "
                     "the call returns; bound what is on its way to the sink"},
         .body = [fixture](Findings& findings) { stopped_while_blocked(fixture, findings); }});
}

}  // namespace openarchiver::testkit::provider
