#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/segment.hpp"

/// What verify found (docs/cli.md, verify).
namespace openarchiver::verify {

enum class FindingKind : std::uint8_t {
    segment_damaged,     ///< unreadable, or not what the chain or the catalog says
    segment_missing,     ///< a gap in a log, or its end is gone
    head_damaged,        ///< not signed by the archive, or it contradicts the log or another head
    head_missing,        ///< a gap in the numbers of heads
    history_rewritten,   ///< a head covers something else than what is there
    keyring_replaced,    ///< older than the one that a head knows
    key_missing,         ///< of an account that nobody had forgotten
    pack_missing,        ///< named by the log, not there
    pack_damaged,        ///< not what its name says
    content_damaged,     ///< the pack is whole, a content in it is not
    catalog_differs,     ///< the catalog says other than the log
    catalog_unreadable,  ///< missing or damaged
    // Not damage:
    unreferenced_pack,  ///< a pack that nothing names: an interrupted sync leaves such
    foreign_object,     ///< an object that the engine does not write
    lock_shortened,     ///< the store does not lock a pack as long as it was told to
    catalog_behind,     ///< the log has segments that the catalog has not applied yet
};

/// The stable name ("pack_missing").
[[nodiscard]] std::string_view to_string(FindingKind kind) noexcept;
[[nodiscard]] bool is_damage(FindingKind kind) noexcept;

/// The items that a finding concerns: the first kMaxRefs by ref, and how many there are; and their
/// accounts, as "SOURCE ADDRESS", at most kMaxRefs.
struct Affected {
    static constexpr std::size_t kMaxRefs = 20;
    std::uint64_t count = 0;
    std::vector<std::string> refs;
    std::vector<std::string> accounts;

    void add(std::string ref);
};

struct Finding {
    FindingKind kind = FindingKind::segment_damaged;
    /// The key of the object; "catalog" for the catalog.
    std::string object;
    /// What is wrong and what to do, in one or two sentences.
    std::string message;
    Affected affected = {};
};

/// One of so many parts of the packs.
struct Part {
    std::uint64_t number = 1;  ///< 1 to `of`
    std::uint64_t of = 1;
};

struct SeenHead {
    std::uint64_t number = 0;
    sdk::Timestamp time;
    std::uint64_t size = 0;  ///< of the tree
    archive::Digest sha256{};
};

struct Report {
    bool quick = false;
    std::optional<Part> part;
    std::string archive_id;
    std::uint64_t segments = 0;
    std::uint64_t packs = 0;          ///< that the log names
    std::uint64_t packs_checked = 0;  ///< with --part: fewer; with --quick: presence and size only
    std::uint64_t contents_checked = 0;
    std::uint64_t bytes_checked = 0;  ///< of contents
    /// Contents whose account was forgotten: they can't be read, as they should.
    std::uint64_t contents_forgotten = 0;
    std::uint64_t heads = 0;
    std::optional<SeenHead> newest_head;
    /// The number of the head that was kept elsewhere and compared with.
    std::optional<std::uint64_t> kept_head;
    /// Each writer's last good segment.
    std::vector<std::pair<std::string, archive::LogPosition>> head;
    std::vector<Finding> findings;

    [[nodiscard]] bool damaged() const;
    /// Whether the archive was put back to an earlier state, or its end removed: "not_detectable"
    /// without a kept head, "none" before that head, or "detected".
    [[nodiscard]] std::string_view rollback() const;
};

/// The document of `verify --json`.
[[nodiscard]] std::string to_json(const Report& report);

}  // namespace openarchiver::verify
