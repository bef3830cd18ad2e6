#pragma once

#include <cstdint>
#include <functional>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "archive/digest.hpp"
#include "archive/keyring.hpp"

/// Segments: the archive's log (docs/archive-format.md, Segment). A segment holds blocks of events,
/// each block sealed under one key, and the SHA-256 of its writer's previous segment.
namespace openarchiver::archive {

/// Events of one account (or of the archive itself), one JSON document a line.
struct EventBlock {
    AccountKey key;
    std::string events;
    /// Only when reading: the key is gone, the events can't be read any more.
    bool forgotten = false;
};

struct Segment {
    std::string writer;  ///< `[a-z0-9]{16}`
    std::uint64_t sequence = 0;
    Digest previous{};  ///< all zero in a writer's first segment
    sdk::Timestamp created_at;
    std::vector<EventBlock> blocks;
};

/// Where a writer's log stands: its last segment and that segment's digest.
struct LogPosition {
    std::uint64_t sequence = 0;  ///< 0: nothing written yet; the first segment is 1
    Digest digest{};

    bool operator==(const LogPosition&) const = default;
};

[[nodiscard]] std::string segment_key(std::string_view writer, std::uint64_t sequence);

struct SegmentName {
    std::string writer;
    std::uint64_t sequence = 0;
};

/// Absent for a key of another shape.
[[nodiscard]] std::optional<SegmentName> parse_segment_key(std::string_view key);

[[nodiscard]] sdk::Result<std::string> encode_segment(const Segment& segment);
/// corrupt: damaged, or its key opens nothing.
[[nodiscard]] sdk::Result<Segment> decode_segment(std::string_view object, const Keyring& keyring);

/// Appends to one writer's log and reads all of them. Appending: one thread.
class SegmentLog {
public:
    SegmentLog(sdk::ObjectStore& store, const Keyring& keyring);

    /// Writes the segment after `position` durably and returns the new position. A put whose
    /// outcome is unknown is settled by reading the object back.
    sdk::Result<LogPosition> append(std::string_view writer, const LogPosition& position,
                                    std::vector<EventBlock> blocks, sdk::Timestamp now,
                                    std::stop_token stop);

    /// From now on every segment that is appended is later than the one at this position of another
    /// writer, also where a clock went back: logs of several writers are replayed in the order of
    /// their times. A segment that can't be read is left to verify.
    sdk::Status follow(std::string_view writer, const LogPosition& position, std::stop_token stop);

    /// The writers that have a log, in order.
    sdk::Result<std::vector<std::string>> writers(std::stop_token stop);

    /// Calls `visit` for each segment after `from`, in order, until there is no next one; returns
    /// the last position. Checks the chain: a segment whose `previous` is not its predecessor's
    /// digest is corrupt, with the object's key in the message. Segments beyond a gap are not
    /// visited; the number of them is added to `beyond_gap`.
    sdk::Result<LogPosition> replay(
        std::string_view writer, const LogPosition& from,
        const std::function<sdk::Status(const Segment&, const LogPosition&)>& visit,
        std::stop_token stop, std::uint64_t* beyond_gap = nullptr);

private:
    /// Attempts at one position that were put without learning whether they arrived: each still
    /// may.
    struct Unsettled {
        std::string key;
        Digest previous{};
        std::vector<Digest> attempts;
        std::string object;  ///< the last attempt
        Digest plain{};      ///< its keys and events
    };

    sdk::Result<LogPosition> append_segment(Segment segment, std::stop_token stop);

    sdk::ObjectStore& store_;
    const Keyring& keyring_;
    std::optional<Unsettled> unsettled_;
    sdk::Timestamp earliest_{};  ///< of the next segment
};

}  // namespace openarchiver::archive
