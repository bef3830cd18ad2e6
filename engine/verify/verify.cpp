#include "verify/verify.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>
#include <memory>
#include <openarchiver/sdk/exceptions.hpp>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "archive/digest.hpp"
#include "catalog/catalog_reader.hpp"
#include "verify/catalog_check.hpp"
#include "verify/content_check.hpp"
#include "verify/head_check.hpp"
#include "verify/inventory.hpp"
#include "verify/outcome.hpp"
#include "verify/writer_log.hpp"

namespace openarchiver::verify {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

class Run {
public:
    Run(const Options& options, const std::function<void(const Progress&)>& progress,
        std::stop_token stop)
        : options_(options), progress_(progress), stop_(std::move(stop)) {}

    Result<Report> everything(const OpenArchive& open_archive) {
        report_.quick = options_.quick;
        report_.part = options_.part;
        // The catalog's moment comes before the keyring is read and the log is listed: whatever
        // it knows, they have.
        auto live = LiveCatalog::open(options_.catalog_folder);
        if (live) {
            live_ = std::move(*live);
        } else if (live.error().code == Errc::not_found || live.error().code == Errc::corrupt) {
            report_.findings.push_back(
                {.kind = FindingKind::catalog_unreadable,
                 .object = "catalog",
                 .message = live.error().message + "; run `openarchiver rebuild`"});
        } else {
            return live.error();
        }
        OPENARCHIVER_TRY(archive_, open_archive());
        report_.archive_id = archive_->marker().archive_id;
        if (!options_.quick) {
            OPENARCHIVER_TRY(replayed_,
                             ReplayedCatalog::make(options_.catalog_folder, report_.archive_id));
            if (live_) {
                live_->begin_to_compare();
            }
        }
        // Before the log is listed: what heads cover is there, then.
        OPENARCHIVER_TRY(
            heads_, HeadCheck::open(*archive_, options_.kept_head,
                                    live_ ? live_->newest_head() : std::nullopt, report_, stop_));
        OPENARCHIVER_CHECK(open_logs());
        if (logs_.empty() && !live && live.error().code == Errc::not_found) {
            // A first sync that was killed: there is nothing for a catalog to know yet.
            std::erase_if(report_.findings, [](const Finding& finding) {
                return finding.kind == FindingKind::catalog_unreadable;
            });
        }
        OPENARCHIVER_CHECK(read_logs(live_ ? Until::catalog : Until::end));
        if (replayed_) {
            OPENARCHIVER_CHECK(replayed_->filled(report_.archive_id));
        }
        OPENARCHIVER_CHECK(compare());
        OPENARCHIVER_CHECK(read_logs(Until::end));
        check_ends();
        check_keys();
        if (replayed_ && !log_is_damaged()) {
            OPENARCHIVER_CHECK(heads_->tree(*replayed_->writer(), stop_));
        }
        OPENARCHIVER_CHECK(find_lost_items());
        if (live_) {
            // A reader that stays keeps the catalog's write-ahead log from being emptied.
            OPENARCHIVER_CHECK(live_->release());
        }
        OPENARCHIVER_TRY(inventory_, take_inventory(archive_->store(), stop_));
        OPENARCHIVER_CHECK(options_.quick ? check_presence() : check_contents());
        if (live_ && !options_.quick && archive_->store().capabilities().lock) {
            OPENARCHIVER_CHECK(check_locks());
        }
        list_others();
        // A store that went away under the verify has not lost its packs.
        OPENARCHIVER_CHECK(archive::Archive::read_marker(archive_->store(), stop_));
        return std::move(report_);
    }

private:
    enum class Until : std::uint8_t { catalog, end };

    struct Log {
        WriterLog log;
        std::optional<WriterLog::Step> step = {};  // read, not applied
        archive::LogPosition applied_by_catalog = {};
    };

    Status open_logs() {
        OPENARCHIVER_TRY(auto writers, archive_->log().writers(stop_));
        if (live_) {
            for (const auto& [writer, position] : live_->positions()) {
                if (position.sequence > 0 && !std::ranges::count(writers, writer)) {
                    writers.push_back(writer);
                }
            }
        }
        for (auto& writer : writers) {
            const auto position = live_ ? live_->position(writer) : archive::LogPosition{};
            OPENARCHIVER_TRY(auto log, WriterLog::open(*archive_, std::move(writer), stop_));
            logs_.push_back({.log = std::move(log), .applied_by_catalog = position});
            OPENARCHIVER_CHECK(advance(logs_.back(), report_.findings));
        }
        return {};
    }

    Status advance(Log& log, std::vector<Finding>& findings) const {
        if (stop_.stop_requested()) {
            return Error{.code = Errc::cancelled};
        }
        OPENARCHIVER_TRY(log.step, log.log.next(findings, stop_));
        return {};
    }

    /// Applies segments of all writers in the order of their times: up to where the catalog is, or
    /// all.
    Status read_logs(Until until) {
        while (true) {
            Log* first = nullptr;
            for (auto& log : logs_) {
                const bool wanted =
                    log.step && (until == Until::end ||
                                 log.step->position.sequence <= log.applied_by_catalog.sequence);
                if (wanted &&
                    (first == nullptr || log.step->created_at < first->step->created_at)) {
                    first = &log;
                }
            }
            if (first == nullptr) {
                return {};
            }
            // The next segment is read while this one is applied.
            const WriterLog::Step step = std::move(*first->step);
            std::vector<Finding> findings;
            Status advanced;
            std::jthread advancing([&] {
                advanced = sdk::without_exceptions("reading the log",
                                                   [&] { return advance(*first, findings); });
            });
            const Status applied = apply(*first, step, until);
            advancing.join();
            std::ranges::move(findings, std::back_inserter(report_.findings));
            OPENARCHIVER_CHECK(applied);
            OPENARCHIVER_CHECK(advanced);
        }
    }

    Status apply(const Log& log, const WriterLog::Step& step, Until until) {
        if (step.position.sequence == log.applied_by_catalog.sequence &&
            step.position.digest != log.applied_by_catalog.digest) {
            report_.findings.push_back(
                {.kind = FindingKind::segment_damaged,
                 .object = archive::segment_key(log.log.writer(), step.position.sequence),
                 .message = "it has the SHA-256 " + archive::to_hex(step.position.digest) +
                            ", but the catalog applied one with " +
                            archive::to_hex(log.applied_by_catalog.digest) + ": it was replaced"});
        }
        heads_->segment(log.log.writer(), step.position);
        for (const auto& key : step.missing_keys) {
            missing_keys_.try_emplace(
                key, archive::segment_key(log.log.writer(), step.position.sequence));
        }
        for (const auto& group : step.groups) {
            for (const auto& event : group.events) {
                if (const auto* body = std::get_if<catalog::AccountForgotten>(&event.body)) {
                    forgotten_keys_.insert(body->key);
                }
            }
        }
        if (!leaves_fit(step.groups)) {
            report_.findings.push_back(
                {.kind = FindingKind::segment_damaged,
                 .object = archive::segment_key(log.log.writer(), step.position.sequence),
                 .message = "the leaves that it adds to the tree are not those of its items"});
        }
        if (until == Until::end && live_) {
            ++ahead_of_catalog_;
        }
        if (replayed_) {
            OPENARCHIVER_CHECK(
                replayed_->writer()->apply(log.log.writer(), step.position, step.groups));
        } else {
            for (const auto& group : step.groups) {
                for (const auto& event : group.events) {
                    if (const auto* dropped = std::get_if<catalog::PackDropped>(&event.body)) {
                        pack_sizes_.erase(dropped->id);
                        replaced_.insert(dropped->id);
                    }
                    if (const auto* stored = std::get_if<catalog::PackStored>(&event.body)) {
                        pack_sizes_[stored->pack.id] = stored->pack.size;
                        for (const auto& replaced : stored->replaces) {
                            pack_sizes_.erase(replaced.id);
                            replaced_.insert(replaced.id);
                        }
                    }
                }
            }
        }
        ++seen_.segments;
        progress_(seen_);
        return {};
    }

    [[nodiscard]] bool leaves_fit(const std::vector<catalog::EventGroup>& groups) const {
        const catalog::LeavesAdded none;
        const catalog::LeavesAdded* leaves = &none;
        for (const auto& group : groups) {
            for (const auto& event : group.events) {
                if (const auto* added = std::get_if<catalog::LeavesAdded>(&event.body)) {
                    leaves = added;
                }
                const auto fits = [&](const auto& body, const std::string& statement) {
                    return body.leaf < leaves->hashes.size() &&
                           leaves->hashes[body.leaf] == evidence::commitment(body.salt, statement);
                };
                const auto* item = std::get_if<catalog::ItemArchived>(&event.body);
                const auto* disposal = std::get_if<catalog::Disposal>(&event.body);
                if ((item != nullptr &&
                     !fits(*item,
                           catalog::statement_of(report_.archive_id, group, event.at, *item))) ||
                    (disposal != nullptr &&
                     !fits(*disposal,
                           catalog::statement_of(report_.archive_id, event.at, *disposal)))) {
                    return false;
                }
            }
        }
        return true;
    }

    Status compare() {
        if (!live_ || !replayed_ || log_is_damaged()) {
            return {};
        }
        const auto compared = live_->compare(*replayed_, report_.findings);
        if (!compared && compared.error().code == Errc::corrupt) {
            report_.findings.push_back({.kind = FindingKind::catalog_unreadable,
                                        .object = "catalog",
                                        .message = compared.error().message});
            live_.reset();
            return {};
        }
        return compared;
    }

    /// A key goes by a decision that is in the log, or it was lost.
    void check_keys() {
        for (const auto& [key, segment] : missing_keys_) {
            if (!forgotten_keys_.contains(key)) {
                report_.findings.push_back(
                    {.kind = FindingKind::key_missing,
                     .object = "keyring",
                     .message = "it lacks the key " + archive::to_hex(key) +
                                ", with which events of " + segment +
                                " and what they name are sealed, and no account was forgotten that "
                                "had it: bring a keyring back that has it"});
            }
        }
    }

    static bool is_of_log(const Finding& finding) {
        return finding.object.starts_with("log/") &&
               (finding.kind == FindingKind::segment_damaged ||
                finding.kind == FindingKind::segment_missing ||
                finding.kind == FindingKind::history_rewritten);
    }

    [[nodiscard]] bool log_is_damaged() const {
        return std::ranges::any_of(report_.findings,
                                   [](const Finding& finding) { return is_of_log(finding); }) ||
               std::ranges::any_of(logs_, ends_too_early);
    }

    static bool ends_too_early(const Log& log) {
        return !log.step && log.log.position().sequence < log.applied_by_catalog.sequence;
    }

    /// After the last segment of every writer.
    void check_ends() {
        for (const auto& log : logs_) {
            report_.segments += log.log.segments();
            report_.head.emplace_back(log.log.writer(), log.log.position());
            if (ends_too_early(log)) {
                report_.findings.push_back(
                    {.kind = FindingKind::segment_missing,
                     .object =
                         archive::segment_key(log.log.writer(), log.log.position().sequence + 1),
                     .message = "the log ends at segment " +
                                std::to_string(log.log.position().sequence) +
                                ", but the catalog has applied " +
                                std::to_string(log.applied_by_catalog.sequence) +
                                ": bring what is missing back from a copy of the archive"});
            }
            heads_->end_of_log(log.log.writer(), log.log.position());
        }
        if (ahead_of_catalog_ > 0) {
            report_.findings.push_back(
                {.kind = FindingKind::catalog_behind,
                 .object = "catalog",
                 .message = std::to_string(ahead_of_catalog_) +
                            " segments are not in the catalog yet: a running service adds them at "
                            "once, otherwise the next sync does"});
        }
    }

    /// The items that damaged or missing segments told of: what the catalog knows beyond the log.
    Status find_lost_items() {
        if (!live_ || !replayed_ || !log_is_damaged()) {
            return {};
        }
        OPENARCHIVER_TRY(auto lost, live_->not_in(*replayed_));
        const auto first = std::ranges::find_if(report_.findings, is_of_log);
        first->affected = std::move(lost);
        return {};
    }

    Status check_contents() {
        replayed_->close();
        OPENARCHIVER_TRY(
            contents_,
            ContentCheck::open(
                *archive_, *replayed_, inventory_,
                [this](const archive::Digest& pack) { return replaced_meanwhile(pack); }, report_));
        OPENARCHIVER_TRY(report_.packs, contents_->count());
        seen_.packs_total = report_.packs;
        OPENARCHIVER_CHECK(contents_->run(
            [this] {
                seen_.packs = report_.packs_checked;
                seen_.bytes = report_.bytes_checked;
                progress_(seen_);
            },
            stop_));
        return log_is_damaged() ? Status() : contents_->check_places();
    }

    Status check_presence() {
        report_.packs = pack_sizes_.size();
        for (const auto& [id, size] : pack_sizes_) {
            if (!belongs_to(options_.part, id)) {
                continue;
            }
            ++report_.packs_checked;
            const StoredPack* stored = inventory_.find(id);
            if (stored != nullptr ? stored->size == size : replaced_meanwhile(id)) {
                continue;
            }
            Finding finding{.kind = FindingKind::pack_missing,
                            .object = archive::pack_key(id),
                            .message = "the pack is missing"};
            if (stored != nullptr) {
                finding.kind = FindingKind::pack_damaged;
                finding.message = "the pack has " + std::to_string(stored->size) +
                                  " bytes instead of " + std::to_string(size);
            }
            finding.message += "; bring the object back from a copy of the archive";
            if (live_) {
                OPENARCHIVER_TRY(finding.affected, live_->in_pack(id));
            }
            report_.findings.push_back(std::move(finding));
        }
        return {};
    }

    /// The catalog keeps what the store said when it was last told to lock a pack.
    Status check_locks() {
        OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(options_.catalog_folder));
        OPENARCHIVER_TRY(const auto packs, catalog->protected_packs({}));
        for (const auto& pack : packs) {
            if (pack.replaced_at != sdk::Timestamp{} || !belongs_to(options_.part, pack.id)) {
                continue;
            }
            const std::string key = archive::pack_key(pack.id);
            const auto kept = archive_->store().protection(key, stop_);
            if (!kept && kept.error().code == Errc::not_found) {
                continue;  // told as missing, or replaced meanwhile
            }
            if (!kept) {
                return kept.error();
            }
            if (kept->locked_until.value_or(sdk::Timestamp{}) < pack.locked_until ||
                (pack.held && !kept->held)) {
                report_.findings.push_back(
                    {.kind = FindingKind::lock_shortened,
                     .object = key,
                     .message =
                         "the store does not lock or hold this pack any more as it said it "
                         "would: somebody with the right to took that off; find out who, and "
                         "use compliance mode where nobody may; `openarchiver rebuild` and "
                         "a sync lock it anew"});
            }
        }
        return {};
    }

    [[nodiscard]] bool replaced_meanwhile(const archive::Digest& pack) const {
        const auto catalog = catalog::CatalogReader::open(options_.catalog_folder);
        if (!catalog) {
            return false;
        }
        const auto found = (*catalog)->find_pack(pack);
        return found && *found && (*found)->replaced_at != sdk::Timestamp{};
    }

    /// What the store holds besides.
    void list_others() {
        for (const auto& pack : inventory_.packs) {
            const bool named = contents_
                                   ? contents_->names(pack.id)
                                   : pack_sizes_.contains(pack.id) || replaced_.contains(pack.id);
            // A damaged log may have named it.
            if (!named && !log_is_damaged()) {
                report_.findings.push_back(
                    {.kind = FindingKind::unreferenced_pack,
                     .object = archive::pack_key(pack.id),
                     .message = "no segment names this pack of " + std::to_string(pack.size) +
                                " bytes: a running sync is about to, or an interrupted one left "
                                "it behind; a sync removes it once it is a day old"});
            }
        }
        for (const auto& key : inventory_.foreign) {
            report_.findings.push_back({.kind = FindingKind::foreign_object,
                                        .object = key,
                                        .message = "the engine did not write this object and does "
                                                   "not use it"});
        }
    }

    const Options& options_;
    const std::function<void(const Progress&)>& progress_;
    std::stop_token stop_;
    archive::Archive* archive_ = nullptr;
    std::unique_ptr<LiveCatalog> live_;
    std::unique_ptr<ReplayedCatalog> replayed_;  // of a full verify
    std::optional<HeadCheck> heads_;
    std::vector<Log> logs_;
    std::map<archive::KeyId, std::string> missing_keys_;  // and a segment with such a block
    std::set<archive::KeyId> forgotten_keys_;
    std::map<archive::Digest, std::uint64_t> pack_sizes_;  // of a quick one
    std::set<archive::Digest> replaced_;                   // the same
    std::uint64_t ahead_of_catalog_ = 0;
    Inventory inventory_;
    std::unique_ptr<ContentCheck> contents_;
    Progress seen_;
    Report report_;
};

}  // namespace

Result<Report> run(const OpenArchive& open_archive, const Options& options,
                   const std::function<void(const Progress&)>& progress, std::stop_token stop) {
    auto report = Run(options, progress, std::move(stop)).everything(open_archive);
    if (!report && report.error().code == Errc::cancelled) {
        report.error().message =
            "the verify was interrupted; what it had found so far is not shown";
    }
    // For the status; who may not write there has the report.
    (void)record_outcome(
        options, report,
        std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now()));
    return report;
}

}  // namespace openarchiver::verify
