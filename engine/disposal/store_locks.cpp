#include "disposal/store_locks.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <iterator>
#include <limits>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "archive/pack.hpp"
#include "disposal/hold.hpp"
#include "disposal/retention.hpp"
#include "pipeline/pack_sorting.hpp"
#include "storage/locking_store.hpp"

namespace openarchiver::disposal {

namespace json = boost::json;
using namespace std::chrono_literals;
using catalog::ProtectedPack;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;
using storage::kFirstLock;
using storage::kRollingLock;

namespace {

constexpr auto kEvery = 24h;
/// What is done once a day has to be done so long before a lock ends.
constexpr std::chrono::days kDue{2};
/// A lock without an end is renewed when less than this is left of it.
constexpr std::chrono::days kRenewWithin{60};
constexpr std::chrono::days kLogEvery{30};
/// A smaller pack waits to be joined with others.
constexpr std::uint64_t kSmallPack = 4U << 20;
/// What is sorted at a time: on disk meanwhile, and commits wait for it.
constexpr std::uint64_t kSortedBytes = 32U << 20;

/// Until when something is kept: the first day of the month after the one in which its time ends.
/// So all of a month goes together, and whole packs with it.
using Day = std::int32_t;
constexpr Day kForEver = std::numeric_limits<Day>::max();
constexpr Day kNotKept = std::numeric_limits<Day>::min();

Day day_after(sdk::Timestamp end) {
    using namespace std::chrono;
    const year_month_day date{floor<days>(end)};
    const auto next = date.year() / date.month() + months(1);
    return static_cast<Day>(sys_days(next / 1).time_since_epoch().count());
}

Day day_of(sdk::Timestamp time) {
    return static_cast<Day>(std::chrono::floor<std::chrono::days>(time).time_since_epoch().count());
}

sdk::Timestamp time_of(Day day) {
    return sdk::Timestamp(std::chrono::days(day));
}

/// Of rows of a table, by key, which is dense: four bytes and a bit for each.
class KeptUntil {
public:
    void raise(std::int64_t key, Day day, bool held) {
        const auto place = static_cast<std::size_t>(key);
        if (place >= days_.size()) {
            days_.resize(place + place / 8 + 1, kNotKept);
            held_.resize(days_.size());
        }
        days_[place] = std::max(days_[place], day);
        held_[place] = held_[place] || held;
    }

    [[nodiscard]] Day day(std::int64_t key) const {
        const auto place = static_cast<std::size_t>(key);
        return place < days_.size() ? days_[place] : kNotKept;
    }

    [[nodiscard]] bool held(std::int64_t key) const {
        const auto place = static_cast<std::size_t>(key);
        return place < held_.size() && held_[place];
    }

private:
    std::vector<Day> days_;
    std::vector<bool> held_;
};

/// What a pack holds, taken together.
struct PackTime {
    Day first = kForEver;
    Day last = kNotKept;
    bool held = false;
};

/// What policies and holds ask for.
struct Wanted {
    KeptUntil contents;
    KeptUntil parts;
    std::vector<PackTime> packs;  // by key

    [[nodiscard]] PackTime of(std::int64_t pack) const {
        const auto place = static_cast<std::size_t>(pack);
        return place < packs.size() ? packs[place] : PackTime{};
    }

    void add(std::int64_t pack, Day day, bool held) {
        const auto place = static_cast<std::size_t>(pack);
        if (place >= packs.size()) {
            packs.resize(place + 1);
        }
        auto& time = packs[place];
        time.first = std::min(time.first, day);
        time.last = std::max(time.last, day);
        time.held = time.held || held;
    }
};

Result<Wanted> wanted_of(catalog::CatalogReader& catalog, const Policies& policies,
                         std::stop_token stop) {
    Wanted wanted;
    OPENARCHIVER_TRY(const auto holds, HoldsInForce::read(catalog, stop));
    OPENARCHIVER_CHECK(visit_items(
        catalog, policies,
        [&](const ItemVersions& item, const ItemTime& time) -> Status {
            OPENARCHIVER_TRY(const auto over, holds.over(item));
            const Day day = time.end ? day_after(*time.end) : kForEver;
            for (const auto& version : item) {
                wanted.contents.raise(version.content_key, day, !over.empty());
            }
            return {};
        },
        std::move(stop)));
    OPENARCHIVER_CHECK(catalog.visit_content_parts([&](std::int64_t content, std::int64_t part) {
        wanted.parts.raise(part, wanted.contents.day(content), wanted.contents.held(content));
    }));
    OPENARCHIVER_CHECK(catalog.visit_places(
        [&](std::int64_t pack, std::int64_t content) {
            wanted.add(pack, wanted.contents.day(content), wanted.contents.held(content));
        },
        [&](std::int64_t pack, std::int64_t part) {
            wanted.add(pack, wanted.parts.day(part), wanted.parts.held(part));
        }));
    return wanted;
}

/// What was found, for people.
struct Report {
    std::uint64_t packs = 0;
    std::uint64_t in_step = 0;
    std::uint64_t waiting = 0;
    std::uint64_t held = 0;
    std::uint64_t extended = 0;
    std::uint64_t sorted = 0;
    std::uint64_t failed = 0;
    std::uint64_t log_objects = 0;
    std::string error;  // the first one

    [[nodiscard]] std::string text() const {
        return json::serialize(
            json::object{{"packs", packs},
                         {"in_step", in_step},
                         {"waiting", waiting},
                         {"held", held},
                         {"failed", failed},
                         {"error", error.empty() ? json::value() : json::value(error)}});
    }
};

/// Calls `one` for each number below `count`, on some threads.
void side_by_side(std::size_t count, unsigned threads, const std::stop_token& stop,
                  const std::function<void(std::size_t)>& one) {
    std::atomic<std::size_t> next = 0;
    std::vector<std::jthread> running;
    for (unsigned thread = 0; thread < std::min<std::size_t>(threads, count); ++thread) {
        running.emplace_back([&] {
            for (std::size_t i = next++; i < count && !stop.stop_requested(); i = next++) {
                one(i);
            }
        });
    }
}

class Keys final : public sdk::ObjectListSink {
public:
    explicit Keys(sdk::Timestamp before) : before_(before) {}

    bool object(const sdk::ObjectInfo& info) override {
        if (info.modified_at < before_) {
            keys.push_back(info.key);
        }
        last = info.key;
        return ++seen < kPage;
    }

    static constexpr std::size_t kPage = 10'000;

    std::vector<std::string> keys;
    std::string last;
    std::size_t seen = 0;

private:
    sdk::Timestamp before_;
};

class Keeper {
public:
    Keeper(const LockContext& context, std::stop_token stop)
        : context_(context),
          store_(context.archive.archive().store()),
          capabilities_(store_.capabilities()),
          stop_(std::move(stop)),
          now_(sdk::timestamp_of(context.clock)) {}

    Status run() {
        OPENARCHIVER_TRY(const auto catalog,
                         catalog::CatalogReader::open(context_.archive.catalog_folder()));
        // A policy that nobody approved locks nothing for its time: it may be a slip.
        OPENARCHIVER_TRY(const auto approval, catalog->approval());
        const bool approved = approval && approval->definition == definition_of(context_.policies);
        OPENARCHIVER_TRY(wanted_,
                         wanted_of(*catalog, approved ? context_.policies : Policies(), stop_));
        OPENARCHIVER_TRY(const auto packs, catalog->protected_packs(now_));
        side_by_side(packs.size(), capabilities_.parallelism, stop_,
                     [&](std::size_t i) { keep(packs[i]); });
        OPENARCHIVER_CHECK(sort());
        OPENARCHIVER_TRY(const auto locks, catalog->locks());
        const bool log_due = locks.log_at == sdk::Timestamp{} || locks.log_at > now_ ||
                             now_ - locks.log_at >= kLogEvery;
        const auto failed = report_.failed;
        if (log_due) {
            OPENARCHIVER_CHECK(keep_log(locks.log_at == sdk::Timestamp{} ? now_ : locks.log_at));
        }
        if (stop_.stop_requested()) {
            return Error{Errc::cancelled, "stopped"};
        }
        tell();
        OPENARCHIVER_CHECK(context_.committer.note(
            {now_, catalog::LocksKept{.report = report_.text(),
                                      .log = log_due && report_.failed == failed}},
            stop_));
        return context_.committer.flush(stop_);
    }

private:
    void tell() const {
        if (report_.failed > 0) {
            context_.log->error(
                "OA-4004 the store's locks are not in step with the retention policies: {} objects "
                "could "
                "not be locked or held: {}",
                report_.failed, report_.error);
        }
        if (report_.extended + report_.sorted + report_.log_objects > 0) {
            context_.log->info(
                "OA-4005 the store's locks: extended={} sorted={} of_the_log={} in_step={} "
                "waiting={}",
                report_.extended, report_.sorted, report_.log_objects, report_.in_step,
                report_.waiting);
        }
    }

    void fail(const Error& error) {
        if (error.code == Errc::cancelled || error.code == Errc::not_found) {
            return;  // a pack that was removed meanwhile needs no lock
        }
        const std::lock_guard lock(mutex_);
        ++report_.failed;
        if (report_.error.empty()) {
            report_.error = error.message;
        }
    }

    void keep(const ProtectedPack& pack) {
        const std::string key = archive::pack_key(pack.id);
        sdk::Protection kept{.locked_until = pack.locked_until, .held = pack.held};
        const bool unknown = pack.locked_until == sdk::Timestamp{};
        if (unknown) {
            auto told = store_.protection(key, stop_);
            if (!told) {
                fail(told.error());
                return;
            }
            kept = *told;
        }
        const auto before = kept;
        const PackTime wanted =
            pack.replaced_at == sdk::Timestamp{} ? wanted_.of(pack.key) : PackTime{};
        count(&Report::packs);
        Status status = hold(key, wanted.held, kept);
        if (kept.held) {
            count(&Report::held);
        }
        if (status && pack.replaced_at == sdk::Timestamp{}) {
            status = lock(pack, key, wanted, kept);
        }
        if (status &&
            (unknown || kept.locked_until != before.locked_until || kept.held != before.held)) {
            status = context_.committer.note({now_, catalog::PackProtected{pack.id, kept}}, stop_);
        }
        if (!status) {
            fail(status.error());
        }
    }

    Status hold(const std::string& key, bool held, sdk::Protection& kept) {
        if (!capabilities_.hold || kept.held == held) {
            return {};
        }
        OPENARCHIVER_CHECK(store_.hold(key, held, stop_));
        kept.held = held;
        return {};
    }

    Status lock(const ProtectedPack& pack, const std::string& key, const PackTime& wanted,
                sdk::Protection& kept) {
        // A store without holds keeps what is held as if it were kept for ever.
        const bool held = wanted.held && !capabilities_.hold;
        const Day last = held ? kForEver : wanted.last;
        const sdk::Timestamp end = kept.locked_until.value_or(sdk::Timestamp{});
        const sdk::Timestamp needed = last == kForEver   ? now_ + kRenewWithin
                                      : last == kNotKept ? sdk::Timestamp{}
                                                         : time_of(last);
        if (needed <= std::max(now_, end)) {
            count(&Report::in_step);
            return {};
        }
        const bool due = end < now_ + kDue;
        const bool mixed = wanted.first != wanted.last;
        const bool small = pack.size < kSmallPack;
        // Its policy may be approved in its first days.
        const bool young = last == kForEver && end <= now_ + kFirstLock;
        if (!due && (mixed || small || young || pack.to_rewrite)) {
            count(&Report::waiting);
            return {};
        }
        if (!held && (mixed || (small && !pack.to_rewrite))) {
            const std::lock_guard lock(mutex_);
            to_sort_.push_back(pack);
            to_sort_.back().locked_until = end;
            return {};
        }
        if (pack.to_rewrite) {
            // It does not stay as it is, and is not locked for longer than that may take.
            count(&Report::waiting);
            return lock_until(key, now_ + kFirstLock, kept);
        }
        OPENARCHIVER_CHECK(lock_until(key, end_of_lock(last), kept));
        count(&Report::in_step);
        count(&Report::extended);
        return {};
    }

    [[nodiscard]] sdk::Timestamp end_of_lock(Day day) const {
        return day == kForEver ? now_ + kRollingLock : time_of(day);
    }

    Status lock_until(const std::string& key, sdk::Timestamp until, sdk::Protection& kept) {
        OPENARCHIVER_CHECK(store_.lock(key, until, stop_));
        kept.locked_until = until;
        return {};
    }

    void count(std::uint64_t Report::* what) {
        const std::lock_guard lock(mutex_);
        ++(report_.*what);
    }

    /// As many packs at a time as fit. Small ones are joined on the way.
    Status sort() {
        std::vector<ProtectedPack> some;
        std::uint64_t bytes = 0;
        for (const auto& pack : to_sort_) {
            if (!some.empty() && bytes + pack.raw_bytes > kSortedBytes) {
                OPENARCHIVER_CHECK(sort(std::exchange(some, {})));
                bytes = 0;
            }
            some.push_back(pack);
            bytes += pack.raw_bytes;
        }
        return some.empty() ? Status() : sort(some);
    }

    Status sort(const std::vector<ProtectedPack>& packs) {
        const pipeline::Grouping grouping{
            .of_content = [this](std::int64_t key) { return wanted_.contents.day(key); },
            .of_part = [this](std::int64_t key) { return wanted_.parts.day(key); }};
        std::vector<pipeline::PackToSort> some;
        for (const auto& pack : packs) {
            // What is over before the lock is expires where it is.
            some.push_back({pack.key, day_of(std::max(pack.locked_until, now_))});
        }
        pipeline::SortedPacks sorted;
        using Events = std::vector<catalog::EventBody>;
        const Status status = context_.committer.change_packs([&]() -> Result<Events> {
            OPENARCHIVER_TRY(sorted, pipeline::sort_packs(context_.archive, some, grouping, stop_));
            return std::move(sorted.events);
        });
        if (!status && context_.committer.failure()) {
            return status;
        }
        if (!status && packs.size() > 1 && !stop_.stop_requested()) {
            for (const auto& pack : packs) {
                OPENARCHIVER_CHECK(sort(std::vector{pack}));
            }
            return {};
        }
        if (!status) {
            fail(status.error());
            for (const auto& pack : packs) {  // they stay as they are, and may not lose their locks
                protect(pack.id, now_ + kFirstLock);
            }
            return {};
        }
        report_.sorted += packs.size();
        report_.in_step += packs.size();
        for (const auto& pack : sorted.packs) {
            protect(pack.id, end_of_lock(pack.group));
        }
        return {};
    }

    void protect(const archive::Digest& id, sdk::Timestamp until) {
        sdk::Protection kept;
        Status status = lock_until(archive::pack_key(id), until, kept);
        if (status) {
            status = context_.committer.note({now_, catalog::PackProtected{id, kept}}, stop_);
        }
        if (!status) {
            fail(status.error());
        }
    }

    /// What is newer has its first lock.
    Status keep_log(sdk::Timestamp before) {
        for (const std::string_view prefix : {"log/", "heads/", "archive"}) {
            std::string after;
            while (true) {
                Keys page(before);
                OPENARCHIVER_CHECK(store_.list(prefix, after, page, stop_));
                side_by_side(page.keys.size(), capabilities_.parallelism, stop_,
                             [&](std::size_t i) {
                                 if (const Status locked =
                                         store_.lock(page.keys[i], now_ + kRollingLock, stop_);
                                     !locked) {
                                     fail(locked.error());
                                 }
                             });
                report_.log_objects += page.keys.size();
                if (page.seen < Keys::kPage) {
                    break;
                }
                after = page.last;
            }
        }
        return {};
    }

    const LockContext& context_;
    sdk::ObjectStore& store_;
    const sdk::StorageCapabilities capabilities_;
    const std::stop_token stop_;
    const sdk::Timestamp now_;
    Wanted wanted_;
    std::mutex mutex_;  // guards what follows
    Report report_;
    std::vector<ProtectedPack> to_sort_;
};

}  // namespace

Status keep_locks(const LockContext& context, std::stop_token stop) {
    if (!context.archive.archive().store().capabilities().lock) {
        return {};
    }
    return Keeper(context, std::move(stop)).run();
}

Status keep_locks_daily(const LockContext& context, std::stop_token stop) {
    OPENARCHIVER_TRY(const auto catalog,
                     catalog::CatalogReader::open(context.archive.catalog_folder()));
    OPENARCHIVER_TRY(const auto locks, catalog->locks());
    const auto now = sdk::timestamp_of(context.clock);
    return locks.at <= now && now - locks.at < kEvery ? Status()
                                                      : keep_locks(context, std::move(stop));
}

}  // namespace openarchiver::disposal
