#pragma once

#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <span>
#include <string>
#include <string_view>

#include "evidence/merkle.hpp"

namespace openarchiver::evidence {

/// What a leaf commits to that is no version of an item: that items were disposed of
/// (docs/archive-format.md, Leaves).
struct DisposalStatement {
    std::string archive_id;
    std::string disposal;
    std::string cause;
    std::string policy;
    std::string reason;
    std::string by;
    std::uint64_t items = 0;
    std::uint64_t versions = 0;
    std::uint64_t bytes = 0;
    Digest refs{};
    sdk::Timestamp disposed_at;
};

/// Of refs, each followed by a line feed.
[[nodiscard]] Digest digest_of_refs(std::span<const std::string> refs);

[[nodiscard]] std::string to_text(const DisposalStatement& statement);
/// invalid_argument: not what to_text() writes.
[[nodiscard]] sdk::Result<DisposalStatement> parse_disposal_statement(std::string_view text);
/// Whether a text is one, or wants to be.
[[nodiscard]] bool is_disposal_statement(std::string_view text);

}  // namespace openarchiver::evidence
