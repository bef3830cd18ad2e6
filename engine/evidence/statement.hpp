#pragma once

#include <array>
#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "evidence/merkle.hpp"

/// What a leaf of the tree commits to (docs/archive-format.md, Leaves): a version of an item, and
/// never the place where its content is stored.
namespace openarchiver::evidence {

/// Keeps the commitment from being guessed; random, and sealed with the event.
using LeafSalt = std::array<std::byte, 16>;

struct Statement {
    std::string archive_id;
    std::string source;
    std::string account;
    std::string item;
    std::string media_type;
    Digest content{};
    std::uint64_t size = 0;
    std::optional<sdk::Timestamp> received_at;
    sdk::Timestamp archived_at;
    bool exact = true;  ///< else a reconstruction
};

[[nodiscard]] std::string to_text(const Statement& statement);
/// invalid_argument: not what to_text() writes.
[[nodiscard]] sdk::Result<Statement> parse_statement(std::string_view text);

/// The leaf's hash: the commitment itself.
[[nodiscard]] Digest commitment(const LeafSalt& salt, std::string_view statement);

}  // namespace openarchiver::evidence
