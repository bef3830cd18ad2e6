#pragma once

#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/segment.hpp"
#include "archive/signature.hpp"
#include "evidence/merkle.hpp"

/// Heads: numbered and signed, each says how an archive stands at a moment (docs/archive-format.md,
/// Heads). The text is a C2SP tlog-checkpoint in a C2SP signed-note.
namespace openarchiver::evidence {

/// How far each writer's log goes, in the order of the writers' ids.
using Positions = std::vector<std::pair<std::string, archive::LogPosition>>;

struct Head {
    std::string archive_id;
    std::uint64_t size = 0;  ///< of the tree, in leaves
    Digest root{};
    std::uint64_t number = 1;
    sdk::Timestamp time;
    /// SHA-256 of the head before it, as signed; zero in the first one.
    Digest previous{};
    std::uint64_t keyring_generation = 0;
    Positions positions;
};

/// The whole note, with its signature.
[[nodiscard]] std::string sign_head(const Head& head, const archive::SecretKey& key);

/// What a note says, unproven. invalid_argument: it is no head.
[[nodiscard]] sdk::Result<Head> parse_head(std::string_view note);
/// unauthenticated: `key` has not signed this.
[[nodiscard]] sdk::Result<Head> open_head(std::string_view note, const archive::PublicKey& key);

}  // namespace openarchiver::evidence
