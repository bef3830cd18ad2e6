#pragma once

#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "evidence/disposal_statement.hpp"
#include "evidence/head.hpp"
#include "evidence/statement.hpp"
#include "evidence/timestamp.hpp"

/// A proof that a version of an item was in an archive at a signed head, or that items had been
/// disposed of. It needs neither the
/// archive nor its key (docs/evidence.md).
namespace openarchiver::evidence {

struct Proof {
    std::string statement;
    LeafSalt salt{};
    std::uint64_t leaf = 0;  ///< number in the tree
    std::vector<Digest> path;
    std::string head;  ///< the note
    archive::PublicKey public_key{};
    /// A reply of a timestamp authority (DER) for the head; empty: none.
    std::string timestamp;
};

/// A JSON document, and back. Every byte counts: corrupt where it is not exactly what to_json()
/// writes.
[[nodiscard]] std::string to_json(const Proof& proof);
[[nodiscard]] sdk::Result<Proof> parse_proof(std::string_view json_text);

/// What a proof proves.
struct Proven {
    std::variant<Statement, DisposalStatement> statement;
    Head head;
    /// Of the head; absent: the proof has none.
    std::optional<Timestamp> timestamp;
    bool timestamp_trusted = false;  ///< its authority was checked
};

/// unauthenticated: the signature, or the timestamp, is not good; corrupt: the parts do not fit
/// each other. `ca_file` absent: the timestamp's authority is not checked.
[[nodiscard]] sdk::Result<Proven> check(const Proof& proof, const archive::PublicKey& key,
                                        const std::optional<std::filesystem::path>& ca_file);

}  // namespace openarchiver::evidence
