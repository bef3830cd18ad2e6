#include "copy/copy.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "archive/archive.hpp"
#include "archive/lease.hpp"
#include "archive/object_io.hpp"
#include "archive/segment.hpp"
#include "copy/contents.hpp"
#include "copy/pack_copier.hpp"

namespace openarchiver::copy {

namespace {

using archive::Archive;
using archive::Digest;
using archive::put_object;
using archive::read_object;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

constexpr std::string_view kMarker = "archive";
constexpr std::string_view kLease = "lease";
constexpr std::string_view kKeyring = "keyring";
constexpr std::uint64_t kMaxObject = 1U << 30;
/// How often the source may lose packs (to a compaction) while they are being copied.
constexpr int kRounds = 8;

Error refused(std::string message) {
    return {Errc::invalid_config, std::move(message)};
}

class Run {
public:
    Run(sdk::ObjectStore& source, sdk::ObjectStore& target, const Options& options,
        const std::function<void(const Progress&)>& progress, std::stop_token stop)
        : source_(source),
          target_(target),
          options_(options),
          progress_(progress),
          stop_(std::move(stop)) {}

    Result<Report> everything() {
        OPENARCHIVER_TRY(const auto marker, Archive::read_marker(source_, stop_));
        report_.archive_id = marker.archive_id;
        OPENARCHIVER_TRY(lease_, archive::Lease::acquire(target_, options_.clock, stop_));
        OPENARCHIVER_CHECK(check_is_elsewhere());
        OPENARCHIVER_TRY(const bool is_archive, look_at_target());
        OPENARCHIVER_CHECK(compare_logs());
        OPENARCHIVER_TRY(const std::string keyring, copy_contents_and_read_keyring());
        if (!report_.damage.empty()) {
            return std::move(report_);
        }
        OPENARCHIVER_CHECK(copy_keyring(keyring));
        OPENARCHIVER_CHECK(copy_segments());
        if (!report_.damage.empty()) {
            return std::move(report_);
        }
        OPENARCHIVER_CHECK(copy_others());
        if (!is_archive) {
            OPENARCHIVER_TRY(const auto text, read_object(source_, kMarker, kMaxObject, stop_));
            OPENARCHIVER_CHECK(put(kMarker, text, sdk::PutMode::if_absent));
        }
        OPENARCHIVER_CHECK(target_.remove(archive::kUnfinishedCopyKey, stop_));
        return std::move(report_);
    }

private:
    /// The lease that was taken in the target must not show in the source: a copy of an archive in
    /// its own place is none.
    Status check_is_elsewhere() {
        const auto ours = read_object(target_, kLease, kMaxObject, stop_);
        const auto theirs = read_object(source_, kLease, kMaxObject, stop_);
        return ours && theirs && *ours == *theirs
                   ? refused("the target is the archive's own place: name another one")
                   : Status();
    }

    /// Whether the target is an archive already; otherwise it is marked as an unfinished copy.
    Result<bool> look_at_target() {
        const auto marker = Archive::read_marker(target_, stop_);
        if (marker) {
            if (marker->archive_id != report_.archive_id) {
                return refused("the target holds another archive (" + marker->archive_id +
                               ") than the one to be copied (" + report_.archive_id +
                               "): name an empty place");
            }
            return true;
        }
        const auto begun = read_object(target_, archive::kUnfinishedCopyKey, kMaxObject, stop_);
        const std::string mine = report_.archive_id + "\n";
        if (begun) {
            if (*begun != mine) {
                return refused("the target holds an unfinished copy of another archive (" +
                               begun->substr(0, 32) + "): name an empty place");
            }
            return false;
        }
        if (begun.error().code != Errc::not_found) {
            return begun.error();
        }
        if (marker.error().code != Errc::not_found) {
            return marker.error();
        }
        OPENARCHIVER_CHECK(put(archive::kUnfinishedCopyKey, mine, sdk::PutMode::if_absent));
        return false;
    }

    /// What the target's logs have has to be the beginning of what the source's have.
    Status compare_logs() {
        OPENARCHIVER_TRY(const Logs there, list_logs(target_, stop_));
        OPENARCHIVER_TRY(const Logs here, list_logs(source_, stop_));
        for (const auto& [writer, last] : there.last) {
            const auto found = here.last.find(writer);
            if (last == 0) {
                continue;
            }
            const std::string key = archive::segment_key(writer, last);
            if (found == here.last.end() || found->second < last) {
                return refused("the target is newer: it has " + key +
                               ", which the source has not. It went on on its own, or the source "
                               "was put back to an earlier state; name an empty place");
            }
            OPENARCHIVER_TRY(const auto theirs, read_object(target_, key, kMaxObject, stop_));
            OPENARCHIVER_TRY(const auto ours, read_object(source_, key, kMaxObject, stop_));
            if (theirs != ours) {
                return refused("target and source went on apart: " + key +
                               " is another object there; name an empty place");
            }
            positions_[writer] =
                archive::LogPosition{.sequence = last, .digest = archive::sha256(ours)};
        }
        return {};
    }

    /// Segments are listed before the packs that they name are, as a writer makes packs first.
    /// Packs may be removed meanwhile, by a compaction that a later segment tells of: then the log
    /// is listed anew.
    Status copy_contents() {
        OPENARCHIVER_TRY(const Packs there, list_packs(target_, stop_));
        Packs packs;
        for (int round = 0;; ++round) {
            OPENARCHIVER_TRY(const Packs before, list_packs(source_, stop_));
            OPENARCHIVER_TRY(others_, list_others(source_, stop_));
            OPENARCHIVER_TRY(logs_, list_logs(source_, stop_));
            OPENARCHIVER_TRY(packs, list_packs(source_, stop_));
            bool all = std::ranges::all_of(
                before, [&](const auto& pack) { return packs.contains(pack.first); });
            if (all) {
                OPENARCHIVER_TRY(all, copy_all(packs, there));
            }
            if (all) {
                break;
            }
            if (round == kRounds) {
                return Error{Errc::unavailable,
                             "packs went away from the source all the time that they were being "
                             "copied; try again"};
            }
        }
        if (!logs_.missing.empty()) {
            report_.damage.push_back(logs_.missing + ": the segment is missing");
        }
        report_.packs.total = packs.size();
        return {};
    }

    /// The keyring that goes with the segments that were listed. It has the keys that they need,
    /// and where it lacks one, they tell of the forgetting: it was the same before they were listed
    /// and after.
    Result<std::string> copy_contents_and_read_keyring() {
        OPENARCHIVER_TRY(std::string before, read_object(source_, kKeyring, kMaxObject, stop_));
        for (int round = 0; round <= kRounds; ++round) {
            OPENARCHIVER_CHECK(copy_contents());
            OPENARCHIVER_TRY(std::string after, read_object(source_, kKeyring, kMaxObject, stop_));
            if (after == before || !report_.damage.empty()) {
                return after;
            }
            before = std::move(after);
        }
        return Error{Errc::unavailable,
                     "the source's keyring changed all the time that packs were being copied; try "
                     "again"};
    }

    /// False: some went away.
    Result<bool> copy_all(const Packs& packs, const Packs& there) {
        const auto earlier = report_;
        seen_.packs_total = packs.size();
        const auto tell = [&](const CopiedPacks& copied) {
            seen_.packs = earlier.packs.copied + copied.packs;
            seen_.bytes = earlier.bytes_copied + copied.bytes;
            progress_(seen_);
        };
        Packs known = there;
        known.insert(copied_.begin(), copied_.end());
        OPENARCHIVER_TRY(auto copied, copy_packs(source_, target_, packs, known,
                                                 options_.spool_folder, tell, stop_));
        report_.packs.copied += copied.packs;
        report_.bytes_copied += copied.bytes;
        std::ranges::move(copied.damage, std::back_inserter(report_.damage));
        copied_ = packs;
        return copied.vanished == 0;
    }

    Status copy_keyring(const std::string& keyring) {
        const auto header = archive::Keyring::read_header(keyring);
        if (!header) {
            report_.damage.push_back(std::string(kKeyring) + ": " + header.error().message);
            return {};
        }
        const auto there = read_object(target_, kKeyring, kMaxObject, stop_);
        if (there && *there == keyring) {
            return {};
        }
        // An older one may have keys of accounts that were forgotten since.
        if (const auto newer = there ? archive::Keyring::read_header(*there) : there.error();
            newer && newer->generation >= header->generation) {
            return Error{Errc::already_exists,
                         "the copy has a newer keyring than this archive, or another one of the "
                         "same age: was the archive put back to an earlier state? Nothing was "
                         "replaced in the copy"};
        }
        OPENARCHIVER_CHECK(put(kKeyring, keyring, sdk::PutMode::replace));
        report_.keyring_copied = true;
        return {};
    }

    /// In the order of each log, so that the target is an archive after every one.
    Status copy_segments() {
        const auto no_keys = archive::Keyring::create(true);
        for (const auto& [writer, last] : logs_.last) {
            report_.segments.total += last;
        }
        seen_.segments_total = report_.segments.total;
        for (const auto& [writer, last] : logs_.last) {
            auto& position = positions_[writer];
            seen_.segments += position.sequence;
            while (position.sequence < last && report_.damage.empty()) {
                const std::string key = archive::segment_key(writer, position.sequence + 1);
                OPENARCHIVER_TRY(const auto object, read_object(source_, key, kMaxObject, stop_));
                const auto segment = archive::decode_segment(object, no_keys);
                if (!segment) {
                    if (segment.error().code != Errc::corrupt) {
                        return segment.error();
                    }
                    report_.damage.push_back(key + ": " + segment.error().message);
                    return {};
                }
                if (segment->writer != writer || segment->sequence != position.sequence + 1 ||
                    segment->previous != position.digest) {
                    report_.damage.push_back(
                        key + ": it does not follow the segment before it: the chain is broken");
                    return {};
                }
                OPENARCHIVER_CHECK(put(key, object, sdk::PutMode::if_absent));
                position = archive::LogPosition{.sequence = position.sequence + 1,
                                                .digest = archive::sha256(object)};
                ++report_.segments.copied;
                report_.bytes_copied += object.size();
                ++seen_.segments;
                seen_.bytes = report_.bytes_copied;
                progress_(seen_);
            }
        }
        return {};
    }

    Status copy_others() {
        OPENARCHIVER_TRY(const Others there, list_others(target_, stop_));
        report_.others.total = others_.size();
        for (const auto& [key, size] : others_) {
            const auto found = there.find(key);
            if (found != there.end() && found->second == size) {
                continue;
            }
            OPENARCHIVER_TRY(const auto object, read_object(source_, key, kMaxObject, stop_));
            // What is created is locked where the target locks.
            OPENARCHIVER_CHECK(
                put(key, object,
                    found == there.end() ? sdk::PutMode::if_absent : sdk::PutMode::replace));
            ++report_.others.copied;
            report_.bytes_copied += object.size();
        }
        return {};
    }

    Status put(std::string_view key, std::string_view text, sdk::PutMode mode) {
        if (!lease_->held()) {
            return Error{Errc::already_exists,
                         "another engine took the target over, or it could not be reached for so "
                         "long that one may; start the copy again: it goes on where it was"};
        }
        const Status put = put_object(target_, key, text, mode, stop_);
        if (!put && put.error().code == Errc::already_exists) {
            // An earlier attempt whose answer was lost may have made it.
            OPENARCHIVER_TRY(const auto there, read_object(target_, key, kMaxObject, stop_));
            return there == text ? Status() : put;
        }
        return put;
    }

    sdk::ObjectStore& source_;
    sdk::ObjectStore& target_;
    const Options& options_;
    const std::function<void(const Progress&)>& progress_;
    std::stop_token stop_;
    std::unique_ptr<archive::Lease> lease_;
    Logs logs_;
    Others others_;
    Packs copied_;                                           // or there already
    std::map<std::string, archive::LogPosition> positions_;  // of the target
    Progress seen_;
    Report report_;
};

}  // namespace

Result<Report> run(sdk::ObjectStore& source, sdk::ObjectStore& target, const Options& options,
                   const std::function<void(const Progress&)>& progress, std::stop_token stop) {
    return Run(source, target, options, progress, std::move(stop)).everything();
}

}  // namespace openarchiver::copy
