#include "access/heads.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "archive/object_io.hpp"
#include "evidence/object_keys.hpp"

namespace openarchiver::access {

using evidence::Head;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

/// What of an error says that the heads and the log contradict each other.
bool contradicts(Errc code) {
    return code == Errc::corrupt || code == Errc::unauthenticated || code == Errc::invalid_argument;
}

}  // namespace

Heads::Heads(archive::Archive& archive, catalog::CatalogWriter& catalog,
             std::shared_ptr<spdlog::logger> log)
    : archive_(archive), catalog_(catalog), log_(std::move(log)) {}

/// Number 0 where there is none yet.
Result<Head> Heads::last() {
    OPENARCHIVER_TRY(const auto note, catalog_.newest_head());
    if (!note) {
        Head none;
        none.number = 0;
        return none;
    }
    OPENARCHIVER_TRY(Head head, evidence::parse_head(*note));
    head.previous = archive::sha256(*note);  // what the next one has to name
    return head;
}

/// What a head says of logs has to be there: also segments that add nothing to the tree.
Status Heads::check_in_log(const std::string& key, const evidence::Positions& positions) {
    OPENARCHIVER_TRY(const auto known, catalog_.positions());
    for (const auto& [writer, position] : positions) {
        const auto here = std::ranges::find(known, writer, &evidence::Positions::value_type::first);
        if (here == known.end() || here->second.sequence < position.sequence) {
            return Error{Errc::corrupt, "object " + key + " covers " +
                                            archive::segment_key(writer, position.sequence) +
                                            ", which the log has not"};
        }
    }
    return {};
}

Status Heads::take(std::uint64_t number, const std::stop_token& stop) {
    const std::string key = evidence::head_key(number);
    OPENARCHIVER_TRY(const std::string note,
                     archive::read_object(archive_.store(), key, evidence::kMaxHeadSize, stop));
    OPENARCHIVER_TRY(const Head head, evidence::open_head(note, archive_.marker().public_key));
    OPENARCHIVER_TRY(const Head before, last());
    if (head.archive_id != archive_.marker().archive_id || head.number != number ||
        number != before.number + 1 || head.previous != before.previous) {
        return Error{Errc::corrupt, "object " + key + " does not follow the head before it"};
    }
    OPENARCHIVER_CHECK(check_in_log(key, head.positions));
    return catalog_.add_head(
        head.positions,
        [&](std::uint64_t size, const archive::Digest& root) -> Result<std::string> {
            if (size != head.size || root != head.root) {
                return Error{Errc::corrupt, "object " + key + " says that the tree has " +
                                                std::to_string(head.size) +
                                                " leaves, and the log gives another one, of " +
                                                std::to_string(size)};
            }
            return note;
        });
}

Status Heads::catch_up(const std::stop_token& stop) {
    OPENARCHIVER_TRY(const Head known, last());
    OPENARCHIVER_TRY(const auto numbers,
                     evidence::list_heads(archive_.store(), known.number, stop));
    for (const std::uint64_t number : numbers) {
        const Status taken = take(number, stop);
        if (!taken && contradicts(taken.error().code)) {
            log_->error(
                "OA-3003 the archive's heads and its log contradict each other: {}; no further "
                "head is "
                "written. Run `openarchiver verify`",
                taken.error().message);
            broken_ = true;
            return {};
        }
        OPENARCHIVER_CHECK(taken);
    }
    return {};
}

Result<std::uint64_t> Heads::keyring_generation() {
    OPENARCHIVER_TRY(const Head known, last());
    return known.keyring_generation;
}

Result<bool> Heads::wanted() {
    OPENARCHIVER_TRY(const auto positions, catalog_.positions());
    OPENARCHIVER_TRY(const Head known, last());
    return !broken_ && positions != known.positions;
}

/// Created if absent. Where the outcome is not known, or there is one already, it is read back.
Result<std::string> Heads::put(const Head& head, std::stop_token stop) {
    const std::string key = evidence::head_key(head.number);
    std::string note = evidence::sign_head(head, archive_.keyring().signing_key());
    auto put = archive::put_object(archive_.store(), key, note, sdk::PutMode::if_absent, stop);
    if (!put) {
        const auto there =
            archive::read_object(archive_.store(), key, evidence::kMaxHeadSize, std::move(stop));
        if (!there || *there != note) {
            put.error().message = "object " + key + ": " + put.error().message;
            return put.error();
        }
    }
    return note;
}

Status Heads::write(sdk::Timestamp now, const std::stop_token& stop) {
    OPENARCHIVER_TRY(const bool needed, wanted());
    if (!needed) {
        return {};
    }
    const auto attempt = [&]() -> Status {
        OPENARCHIVER_TRY(const auto positions, catalog_.positions());
        OPENARCHIVER_TRY(const Head before, last());
        return catalog_.add_head(
            positions, [&](std::uint64_t size, const archive::Digest& root) -> Result<std::string> {
                return put({.archive_id = archive_.marker().archive_id,
                            .size = size,
                            .root = root,
                            .number = before.number + 1,
                            .time = now,
                            .previous = before.previous,
                            .keyring_generation = archive_.keyring().generation(),
                            .positions = positions},
                           stop);
            });
    };
    Status written = attempt();
    if (!written && written.error().code == Errc::already_exists) {
        // An earlier attempt whose answer was lost, by this engine or one before it.
        OPENARCHIVER_CHECK(catch_up(stop));
        OPENARCHIVER_TRY(const bool still_needed, wanted());
        written = still_needed ? attempt() : Status();
    }
    return written;
}

}  // namespace openarchiver::access
