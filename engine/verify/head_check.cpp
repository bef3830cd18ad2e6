#include "verify/head_check.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

#include "archive/object_io.hpp"
#include "evidence/object_keys.hpp"
#include "evidence/timestamp.hpp"

namespace openarchiver::verify {

using evidence::Head;
using evidence::Positions;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

archive::LogPosition position_in(const Head& head, const std::string& writer) {
    const auto at = std::ranges::find(head.positions, writer, &Positions::value_type::first);
    return at == head.positions.end() ? archive::LogPosition{} : at->second;
}

/// Whether a head goes as far as the one before it, in the tree and in every writer's log.
bool goes_on_from(const Head& head, const Head& before) {
    return head.size >= before.size &&
           std::ranges::all_of(before.positions, [&](const auto& writer) {
               const auto now = position_in(head, writer.first);
               return now.sequence > writer.second.sequence || now == writer.second;
           });
}

}  // namespace

Result<HeadCheck> HeadCheck::open(archive::Archive& archive, const std::optional<std::string>& kept,
                                  const std::optional<std::string>& known, Report& report,
                                  const std::stop_token& stop) {
    HeadCheck check(archive, report);
    OPENARCHIVER_CHECK(check.read_all(stop));
    if (known) {
        OPENARCHIVER_CHECK(check.compare_known(*known, stop));
    }
    if (kept) {
        OPENARCHIVER_CHECK(check.compare_kept(*kept, stop));
    }
    std::ranges::sort(check.claims_, {}, [](const Claim& claim) {
        return std::tie(claim.writer, claim.position.sequence);
    });
    return check;
}

void HeadCheck::damaged(const std::string& object, std::string message) {
    sound_ = false;
    report_->findings.push_back(
        {.kind = FindingKind::head_damaged,
         .object = object,
         .message = std::move(message) + "; bring the object back from a copy of the archive"});
}

std::string HeadCheck::name_of(const Claim& claim) {
    return (claim.kept ? "the kept head " : "head ") + std::to_string(claim.head);
}

Status HeadCheck::read_all(const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto numbers, evidence::list_heads(archive_->store(), 0, stop));
    Head before;
    before.number = 0;
    for (const std::uint64_t number : numbers) {
        if (stop.stop_requested()) {
            return Error{.code = Errc::cancelled};
        }
        const std::string key = evidence::head_key(number);
        const bool follows = number == before.number + 1;
        if (!follows) {
            sound_ = false;
            report_->findings.push_back(
                {.kind = FindingKind::head_missing,
                 .object = evidence::head_key(before.number + 1),
                 .message = "heads " + std::to_string(before.number + 1) + " to " +
                            std::to_string(number - 1) +
                            " are missing, though a later one is there; bring them back from a "
                            "copy of the archive"});
        }
        const auto note =
            archive::read_object(archive_->store(), key, evidence::kMaxHeadSize, stop);
        if (!note && note.error().code != Errc::corrupt) {
            return note.error();
        }
        auto head = note ? evidence::open_head(*note, archive_->marker().public_key)
                         : Result<Head>(note.error());
        if (!head) {
            damaged(key, head.error().message);
            before.number = number;
            before.previous = note ? archive::sha256(*note) : archive::Digest{};
            continue;
        }
        if (head->archive_id != archive_->marker().archive_id || head->number != number) {
            damaged(key, "it is head " + std::to_string(head->number) + " of archive " +
                             head->archive_id + ": objects were exchanged");
            before.number = number;
            continue;
        }
        if (follows && sound_ &&
            (head->previous != before.previous || !goes_on_from(*head, before))) {
            damaged(key, "it does not follow the head before it: one of the two was replaced");
        }
        for (const auto& [writer, position] : head->positions) {
            if (position != position_in(before, writer)) {
                claims_.push_back({.writer = writer, .position = position, .head = number});
            }
        }
        ++report_->heads;
        last_ = number;
        before = std::move(*head);
        report_->newest_head = {.number = before.number,
                                .time = before.time,
                                .size = before.size,
                                .sha256 = archive::sha256(*note)};
        before.previous = report_->newest_head->sha256;
    }
    OPENARCHIVER_CHECK(read_timestamps(stop));
    return compare_keyring(before.keyring_generation, std::move(stop));
}

/// Whether each is of its head. Who signed it is a question for whoever trusts an authority.
Status HeadCheck::read_timestamps(const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto numbers, evidence::list_timestamps(archive_->store(), stop));
    for (const std::uint64_t number : numbers) {
        const std::string key = evidence::timestamp_key(number);
        const auto note = archive::read_object(archive_->store(), evidence::head_key(number),
                                               evidence::kMaxHeadSize, stop);
        const auto reply =
            archive::read_object(archive_->store(), key, evidence::kMaxTimestampSize, stop);
        if (!reply && reply.error().code != Errc::corrupt) {
            return reply.error();
        }
        if (!note) {
            continue;  // a finding of its own
        }
        const auto read = reply ? evidence::read_kept(*reply, archive::sha256(*note))
                                : Result<evidence::Timestamp>(reply.error());
        if (!read) {
            report_->findings.push_back({.kind = FindingKind::head_damaged,
                                         .object = key,
                                         .message = read.error().message +
                                                    "; bring the object back from a copy of the "
                                                    "archive"});
        }
    }
    return {};
}

Status HeadCheck::compare_keyring(std::uint64_t generation, std::stop_token stop) {
    if (generation <= archive_->keyring().generation()) {
        return {};
    }
    // A service may have saved one since the archive was opened.
    OPENARCHIVER_TRY(const auto now,
                     archive::Archive::read_keyring_header(archive_->store(), std::move(stop)));
    if (generation > now.generation) {
        report_->findings.push_back(
            {.kind = FindingKind::keyring_replaced,
             .object = "keyring",
             .message = "the keyring is number " + std::to_string(now.generation) +
                        ", but a head knows number " + std::to_string(generation) +
                        ": an older one was put back, which lacks keys of accounts, or has those "
                        "of forgotten ones; bring the newest one back"});
    }
    return {};
}

/// What the catalog has is no proof, but what it misses is a reason to look.
Status HeadCheck::compare_known(const std::string& note, std::stop_token stop) {
    OPENARCHIVER_TRY(const Head known, evidence::parse_head(note));
    const std::string key = evidence::head_key(known.number);
    const auto there =
        archive::read_object(archive_->store(), key, evidence::kMaxHeadSize, std::move(stop));
    if (there && *there != note && sound_) {
        damaged(key, "it is another one than the catalog knows: it was replaced");
    } else if (!there && there.error().code == Errc::not_found) {
        sound_ = false;
        report_->findings.push_back(
            {.kind = FindingKind::head_missing,
             .object = key,
             .message = "the catalog knows this head, and the archive does not have it: it was put "
                        "back to an earlier state, or its end was removed"});
    } else if (!there && there.error().code != Errc::corrupt) {
        return there.error();
    }
    return {};
}

Status HeadCheck::compare_kept(const std::string& note, std::stop_token stop) {
    OPENARCHIVER_TRY(const Head kept, evidence::parse_head(note));
    if (kept.archive_id != archive_->marker().archive_id) {
        return Error{Errc::invalid_argument, "the kept head is of archive " + kept.archive_id +
                                                 ", and this is archive " +
                                                 archive_->marker().archive_id};
    }
    report_->kept_head = kept.number;
    const std::string key = evidence::head_key(kept.number);
    if (const auto opened = evidence::open_head(note, archive_->marker().public_key); !opened) {
        report_->findings.push_back(
            {.kind = FindingKind::head_damaged,
             .object = "kept head",
             .message = opened.error().message +
                        ": either the file was changed, or the archive was replaced by another "
                        "one with the same id and another signing key; compare the public key"});
        return {};
    }
    const auto there = archive::read_object(archive_->store(), key, evidence::kMaxHeadSize, stop);
    if (!there && there.error().code != Errc::not_found && there.error().code != Errc::corrupt) {
        return there.error();
    }
    if (!there || *there != note) {
        report_->findings.push_back(
            {.kind = FindingKind::history_rewritten,
             .object = key,
             .message = there ? "it is another one than the kept head of the same number: the "
                                "history since then was written anew"
                              : "the kept head is not in the archive: it was put back to an "
                                "earlier state, or its end was removed"});
    }
    for (const auto& [writer, position] : kept.positions) {
        claims_.push_back(
            {.writer = writer, .position = position, .head = kept.number, .kept = true});
    }
    return compare_keyring(kept.keyring_generation, std::move(stop));
}

void HeadCheck::segment(const std::string& writer, const archive::LogPosition& position) {
    const auto [first, last] = std::ranges::equal_range(
        claims_, std::tie(writer, position.sequence), {},
        [](const Claim& claim) { return std::tie(claim.writer, claim.position.sequence); });
    const auto broken = std::find_if(
        first, last, [&](const Claim& claim) { return claim.position.digest != position.digest; });
    if (broken != last) {
        report_->findings.push_back({.kind = FindingKind::history_rewritten,
                                     .object = archive::segment_key(writer, position.sequence),
                                     .message = "it has the SHA-256 " +
                                                archive::to_hex(position.digest) + ", but " +
                                                name_of(*broken) + " covers one with " +
                                                archive::to_hex(broken->position.digest) +
                                                ": it, or one before it, was replaced"});
    }
}

void HeadCheck::end_of_log(const std::string& writer, const archive::LogPosition& last) {
    const Claim* furthest = nullptr;
    for (const auto& claim : claims_) {
        if (claim.writer == writer && claim.position.sequence > last.sequence &&
            (furthest == nullptr || claim.position.sequence > furthest->position.sequence)) {
            furthest = &claim;
        }
    }
    const std::string object = archive::segment_key(writer, last.sequence + 1);
    const bool known = std::ranges::any_of(
        report_->findings, [&](const Finding& finding) { return finding.object == object; });
    if (furthest != nullptr && !known) {
        report_->findings.push_back(
            {.kind = FindingKind::segment_missing,
             .object = object,
             .message = "the log ends at segment " + std::to_string(last.sequence) + ", but " +
                        name_of(*furthest) + " covers " +
                        std::to_string(furthest->position.sequence) +
                        ": its end was removed; bring it back from a copy of the archive"});
    }
}

Status HeadCheck::tree(catalog::CatalogWriter& replayed, const std::stop_token& stop) {
    if (!sound_) {
        return {};
    }
    for (std::uint64_t number = 1; number <= last_; ++number) {
        if (stop.stop_requested()) {
            return Error{.code = Errc::cancelled};
        }
        const std::string key = evidence::head_key(number);
        OPENARCHIVER_TRY(
            const std::string note,
            archive::read_object(archive_->store(), key, evidence::kMaxHeadSize, stop));
        OPENARCHIVER_TRY(const Head head, evidence::parse_head(note));
        bool fits = false;
        const auto added = replayed.add_head(
            head.positions,
            [&](std::uint64_t size, const archive::Digest& root) -> Result<std::string> {
                fits = size == head.size && root == head.root;
                return note;
            });
        OPENARCHIVER_CHECK(added);
        if (!fits) {
            damaged(key, "the tree over the log up to here is not the one that it signs");
            return {};
        }
    }
    return {};
}

}  // namespace openarchiver::verify
