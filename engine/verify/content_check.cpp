#include "verify/content_check.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <openarchiver/sdk/exceptions.hpp>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "archive/digest.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/database.hpp"
#include "catalog/schema.hpp"
#include "verify/pack_check.hpp"

namespace openarchiver::verify {

using namespace Poco::Data::Keywords;
using archive::Digest;
using catalog::Blob;
using catalog::Integer;
using catalog::translated;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

class Hashing final : public sdk::ByteSink {
public:
    Status write(std::span<const std::byte> bytes) override {
        digest_.update(bytes);
        return {};
    }

    Digest finish() { return digest_.finish(); }

private:
    archive::Sha256 digest_;
};

constexpr unsigned kMaxThreads = 4;

/// Packs on their way to the threads that read them.
class PackQueue {
public:
    explicit PackQueue(std::size_t room) : room_(room) {}

    /// Waits for room.
    void put(archive::PackInfo pack) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return packs_.size() < room_; });
        packs_.push_back(std::move(pack));
        changed_.notify_all();
    }

    /// Waits for a pack; none once the queue is closed and empty.
    std::optional<archive::PackInfo> take() {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return closed_ || !packs_.empty(); });
        if (packs_.empty()) {
            return std::nullopt;
        }
        std::optional pack = std::move(packs_.front());
        packs_.pop_front();
        changed_.notify_all();
        return pack;
    }

    void close() {
        const std::lock_guard lock(mutex_);
        closed_ = true;
        changed_.notify_all();
    }

private:
    const std::size_t room_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<archive::PackInfo> packs_;
    bool closed_ = false;
};

std::string restore_hint() {
    return "; bring the object back from a copy of the archive";
}

}  // namespace

bool belongs_to(const std::optional<Part>& part, const Digest& pack) {
    if (!part) {
        return true;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        value = (value << 8U) | std::to_integer<std::uint64_t>(pack[i]);
    }
    return value % part->of == part->number - 1;
}

struct ContentCheck::State {
    State(archive::Archive& from, const Inventory& stored, ReplacedMeanwhile replaced, Report& into,
          Poco::Data::Session opened)
        : archive(from),
          inventory(stored),
          replaced_meanwhile(std::move(replaced)),
          report(into),
          session(std::move(opened)) {}

    archive::Archive& archive;
    const Inventory& inventory;
    const ReplacedMeanwhile replaced_meanwhile;
    Report& report;
    Poco::Data::Session session;
    std::unique_ptr<catalog::CatalogReader> catalog;
    std::unique_ptr<PackCheck> check;                   // of the thread that judges
    std::vector<std::unique_ptr<PackCheck>> by_thread;  // of those that read
    std::vector<Digest> named;                          // sorted

    std::mutex mutex;              // guards the report and what follows while packs are read
    std::optional<Error> failure;  // that ends the verify
    std::map<Digest, PackResult> results;  // that are not clean

    /// Of a finding: refs, and their accounts.
    struct Items {
        std::set<std::string> refs;
        std::set<std::string> accounts;
    };

    Status add_items(const std::string& where, Integer key, Items& items) {
        return translated("reading the replayed catalog", [&]() -> Status {
            std::vector<std::string> refs;
            std::vector<std::string> accounts;
            session << "SELECT i.ref, s.id || ' ' || a.address FROM versions v"
                       " JOIN items i ON i.item=v.item JOIN accounts a ON a.account=i.account"
                       " JOIN sources s ON s.source=a.source" +
                           where,
                bind(key), into(refs), into(accounts), now;
            items.refs.insert(refs.begin(), refs.end());
            items.accounts.insert(accounts.begin(), accounts.end());
            return {};
        });
    }

    Status add_items(Integer content, Items& items) {
        return add_items(" WHERE v.content=?", content, items);
    }

    Status add_items_with_part(Integer part, Items& items) {
        return add_items(" JOIN content_parts y ON y.content=v.content WHERE y.part=?", part,
                         items);
    }

    /// Whether the content has a part that is known to be damaged: then it counts where that is.
    Result<bool> has_damaged_part(Integer content) {
        return translated("reading the replayed catalog", [&]() -> Result<bool> {
            std::vector<Integer> parts;
            session << "SELECT part FROM content_parts WHERE content=?", bind(content), into(parts),
                now;
            return std::ranges::any_of(parts,
                                       [&](Integer part) { return damaged_parts.contains(part); });
        });
    }

    Status find_named() {
        return translated("reading the replayed catalog", [&]() -> Status {
            std::vector<std::string> ids;
            session << "SELECT lower(hex(id)) FROM packs ORDER BY id", into(ids), now;
            for (const auto& id : ids) {
                OPENARCHIVER_TRY(const auto digest, archive::digest_from_hex(id));
                named.push_back(digest);
            }
            return {};
        });
    }

    /// What only damage asks for.
    Status make_indexes() {
        return translated("indexing the replayed catalog", [&]() -> Status {
            session << "CREATE INDEX versions_by_content ON versions(content)", now;
            session << "CREATE INDEX contents_by_part ON content_parts(part)", now;
            return {};
        });
    }

    struct Problem {
        Finding finding;
        Items items;
        bool present = true;
    };

    /// Visits the packs that belong to the report's part.
    Status each_pack(const std::function<Status(const archive::PackInfo&)>& visit,
                     const std::stop_token& stop);

    /// Reads these packs on several threads. What is not clean is left in `results`.
    Status read_all(const std::function<void()>& progress, const std::stop_token& stop);

    void add(const Digest& pack, Result<PackResult> result, const std::function<void()>& progress) {
        const std::lock_guard lock(mutex);
        if (!result) {
            if (!failure) {
                failure = std::move(result.error());
            }
            return;
        }
        report.contents_checked += result->contents;
        report.contents_forgotten += result->forgotten;
        report.bytes_checked += result->bytes;
        ++report.packs_checked;
        if (!result->clean()) {
            results.emplace(pack, *std::move(result));
        }
        progress();
    }

    /// Of a pack that is not clean: the object, and the parts in it.
    Status judge_pack(const archive::PackInfo& pack, std::stop_token stop) {
        const PackResult& result = results.at(pack.id);
        if (result.present && result.object) {
            return {};
        }
        Problem problem{.finding = {.kind = FindingKind::pack_missing,
                                    .object = archive::pack_key(pack.id),
                                    .message = "the pack is missing" + restore_hint()},
                        .items = {},
                        .present = result.present};
        if (problem.present) {
            problem.finding.kind = FindingKind::pack_damaged;
            problem.finding.message = result.object.error().message + restore_hint();
        }
        const bool moved = !problem.present && replaced_meanwhile(pack.id);
        if (moved) {
            moved_packs.insert(pack.id);
        }
        OPENARCHIVER_TRY(const auto held, check->parts(pack));
        for (const auto& part : held) {
            if (problem.present) {
                Hashing hashing;
                const auto read = archive.packs().read(part.stored, part.account, hashing, stop);
                if (read && hashing.finish() == part.id) {
                    continue;
                }
                if (!read && !is_damage(read.error().code)) {
                    return read.error();
                }
            }
            damaged_parts.insert(part.key);
            OPENARCHIVER_CHECK(add_items_with_part(part.key, problem.items));
        }
        if (!moved) {
            problems.emplace(pack.id, std::move(problem));
        }
        return {};
    }

    /// ... and the contents that did not come back, once it is known which parts are damaged.
    Status judge_contents(const archive::PackInfo& pack) {
        if (moved_packs.contains(pack.id)) {
            return {};
        }
        const PackResult& result = results.at(pack.id);
        if (!result.present) {
            return judge_missing(pack);
        }
        for (const auto& [content, error] : result.failed) {
            OPENARCHIVER_TRY(const bool elsewhere, has_damaged_part(content));
            OPENARCHIVER_TRY(const auto stored, catalog->stored(content));
            const bool moved =
                error.code == Errc::not_found &&
                (replaced_meanwhile(pack.id) ||
                 std::ranges::any_of(stored.parts, [&](const archive::StoredPart& part) {
                     return replaced_meanwhile(part.pack.id);
                 }));
            if (elsewhere || moved) {
                continue;
            }
            auto [problem, added] = problems.try_emplace(pack.id);
            if (added) {
                problem->second.finding = {.kind = FindingKind::content_damaged,
                                           .object = archive::pack_key(pack.id),
                                           .message = error.message};
            }
            OPENARCHIVER_CHECK(add_items(content, problem->second.items));
        }
        return {};
    }

    /// Everything in a missing pack is lost.
    Status judge_missing(const archive::PackInfo& pack) {
        auto& items = problems.at(pack.id).items;
        OPENARCHIVER_TRY(const auto all, check->contents(pack.id));
        for (const auto& content : all) {
            if (check->forgotten(pack, content)) {
                ++report.contents_forgotten;
            } else {
                OPENARCHIVER_CHECK(add_items(content.key, items));
            }
        }
        return {};
    }

    /// Contents and parts that no pack of the log has: whoever moved them did not say where to.
    Status judge_placeless() {
        std::vector<Integer> packs;
        OPENARCHIVER_CHECK(translated("reading the replayed catalog", [&]() -> Status {
            session << "SELECT DISTINCT x.pack FROM (SELECT pack, frame FROM contents"
                       " UNION SELECT pack, frame FROM parts) x LEFT JOIN frames f"
                       " ON f.pack=x.pack AND f.frame=x.frame WHERE f.pack IS NULL ORDER BY x.pack",
                into(packs), now;
            return {};
        }));
        for (const Integer pack : packs) {
            OPENARCHIVER_TRY(const auto info, catalog->pack(pack));
            Problem problem{.finding = {.kind = FindingKind::content_damaged,
                                        .object = archive::pack_key(info.id),
                                        .message = "the log says that this pack is gone or never "
                                                   "was, and still names contents in it: they "
                                                   "can't be read"},
                            .items = {}};
            OPENARCHIVER_CHECK(add_items(" JOIN contents c ON c.content=v.content WHERE c.pack=?",
                                         pack, problem.items));
            OPENARCHIVER_CHECK(
                add_items(" JOIN content_parts y ON y.content=v.content"
                          " JOIN parts x ON x.part=y.part WHERE x.pack=?",
                          pack, problem.items));
            if (!problem.items.refs.empty()) {
                problems.emplace(info.id, std::move(problem));
            }
        }
        return {};
    }

    void report_problems() {
        for (auto& [pack, problem] : problems) {
            for (const auto& ref : problem.items.refs) {
                problem.finding.affected.add(ref);
            }
            for (const auto& account : problem.items.accounts) {
                if (problem.finding.affected.accounts.size() < Affected::kMaxRefs) {
                    problem.finding.affected.accounts.push_back(account);
                }
            }
            report.findings.push_back(std::move(problem.finding));
        }
        problems.clear();
    }

    std::map<Digest, Problem> problems;  // by pack
    std::set<Integer> damaged_parts;     // or in a pack that was replaced meanwhile
    std::set<Digest> moved_packs;
};

ContentCheck::ContentCheck(std::unique_ptr<State> state) : state_(std::move(state)) {}

ContentCheck::~ContentCheck() = default;

Result<std::unique_ptr<ContentCheck>> ContentCheck::open(archive::Archive& archive,
                                                         const ReplayedCatalog& catalog,
                                                         const Inventory& inventory,
                                                         ReplacedMeanwhile replaced,
                                                         Report& report) {
    return translated(
        "reading the replayed catalog", [&]() -> Result<std::unique_ptr<ContentCheck>> {
            const auto file = catalog::catalog_file(catalog.folder());
            auto state =
                std::make_unique<State>(archive, inventory, std::move(replaced), report,
                                        catalog::open_session(file, catalog::Access::write));
            state->session << "PRAGMA temp_store=FILE", now;
            OPENARCHIVER_TRY(state->catalog, catalog::CatalogReader::open(catalog.folder()));
            OPENARCHIVER_TRY(state->check, PackCheck::open(archive, catalog, inventory));
            const auto threads = std::clamp(std::thread::hardware_concurrency(), 1U, kMaxThreads);
            for (unsigned i = 0; i < threads; ++i) {
                OPENARCHIVER_TRY(auto check, PackCheck::open(archive, catalog, inventory));
                state->by_thread.push_back(std::move(check));
            }
            return std::unique_ptr<ContentCheck>(new ContentCheck(std::move(state)));
        });
}

Result<std::uint64_t> ContentCheck::count() {
    return translated("reading the replayed catalog", [&]() -> Result<std::uint64_t> {
        Integer packs = 0;
        state_->session << "SELECT count(*) FROM packs WHERE replaced=0", into(packs), now;
        return static_cast<std::uint64_t>(packs);
    });
}

Status ContentCheck::State::each_pack(const std::function<Status(const archive::PackInfo&)>& visit,
                                      const std::stop_token& stop) {
    return catalog->visit_packs([&](const archive::PackInfo& pack) -> Status {
        if (stop.stop_requested()) {
            return Error{.code = Errc::cancelled};
        }
        // Without frames: the segment that described it is damaged, a finding of its own.
        return pack.frames.empty() || !belongs_to(report.part, pack.id) ? Status() : visit(pack);
    });
}

Status ContentCheck::State::read_all(const std::function<void()>& progress,
                                     const std::stop_token& stop) {
    PackQueue queue(by_thread.size());
    std::vector<std::jthread> threads;
    for (auto& own : by_thread) {
        threads.emplace_back([this, &queue, &progress, &stop, &reading = *own] {
            while (const auto pack = queue.take()) {
                add(pack->id,
                    sdk::without_exceptions("reading a pack back",
                                            [&] { return reading.check(*pack, stop); }),
                    progress);
            }
        });
    }
    const Status visited = each_pack(
        [&](const archive::PackInfo& pack) -> Status {
            queue.put(pack);
            const std::lock_guard lock(mutex);
            return failure ? Status(*failure) : Status();
        },
        stop);
    queue.close();
    threads.clear();
    OPENARCHIVER_CHECK(visited);
    return failure ? Status(*failure) : Status();
}

Status ContentCheck::run(const std::function<void()>& progress, std::stop_token stop) {
    auto& state = *state_;
    OPENARCHIVER_CHECK(state.read_all(progress, stop));
    if (!state.results.empty()) {
        (void)state.make_indexes();  // without them it takes longer
    }
    // What was found is judged in the order of the packs, whichever thread read them.
    const auto each_unclean = [&](const std::function<Status(const archive::PackInfo&)>& judge) {
        if (state.results.empty()) {
            return Status();
        }
        return state.each_pack(
            [&](const archive::PackInfo& pack) {
                return state.results.contains(pack.id) ? judge(pack) : Status();
            },
            stop);
    };
    // All packs first: a part that several contents share is reported once, where it is.
    OPENARCHIVER_CHECK(
        each_unclean([&](const archive::PackInfo& pack) { return state.judge_pack(pack, stop); }));
    OPENARCHIVER_CHECK(
        each_unclean([&](const archive::PackInfo& pack) { return state.judge_contents(pack); }));
    state.report_problems();
    return state.find_named();
}

Status ContentCheck::check_places() {
    OPENARCHIVER_CHECK(state_->judge_placeless());
    state_->report_problems();
    return {};
}

bool ContentCheck::names(const Digest& pack) const {
    return std::ranges::binary_search(state_->named, pack);
}

}  // namespace openarchiver::verify
