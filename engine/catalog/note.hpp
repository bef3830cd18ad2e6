#pragma once

#include <cstdint>
#include <openarchiver/sdk/error.hpp>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "catalog/event.hpp"

/// What only the catalog keeps: how things stand, not what happened. A rebuilt catalog starts
/// without it.
namespace openarchiver::catalog {

/// A cursor moved in a round without events: the log gets it with the folder's next event.
struct CursorMoved {
    std::string source;
    std::string account;
    CursorAdvanced cursor;
};

/// A folder was synced to its end, or failed to be.
struct FolderVisited {
    std::string source;
    std::string account;
    std::string folder;
    std::optional<sdk::Error> error;
};

/// What a listing said that folders hold, as soon as it said so.
struct FoldersCounted {
    struct Count {
        std::string folder;
        std::uint64_t items = 0;
    };

    std::string source;
    std::string account;
    std::vector<Count> counts;
};

/// These folders were visited to their end since they were counted, and everything that was found
/// in them was archived or is a failure: what is missing now from the count is unexplained.
struct FoldersCompared {
    std::string source;
    std::string account;
    std::vector<std::string> folders;
};

/// All folders of an account were visited without an error, or the account could not be read.
struct AccountVisited {
    std::string source;
    std::string account;
    std::optional<sdk::Error> error;
};

/// A sync run of a source began.
struct RunStarted {
    std::string source;
};

/// ... and ended; `report` is its JSON document (docs/cli.md, sync).
struct RunEnded {
    std::string source;
    std::optional<sdk::Error> error;
    std::string report;
    /// Stopped before its end: says nothing about how the source stands.
    bool stopped = false;
};

/// A failed item was tried once more, in vain.
struct RetryFailed {
    std::string source;
    std::string account;
    std::string item;
    sdk::Error error;
};

/// The next sync tries these failures at once, whatever their schedule. Empty source: all.
struct RetryRequested {
    std::string source;
};

/// Packs that nothing needs were looked for and removed.
struct PacksCollected {};

/// How the store protects a pack, as it says itself.
struct PackProtected {
    archive::Digest id{};
    sdk::Protection protection;
};

/// The protection of all objects was brought in step with policies and holds; `report` is a JSON
/// document (docs/cli.md, retention). `log`: that of segments and heads, too.
struct LocksKept {
    std::string report;
    bool log = false;
};

/// Why the log can't be trusted to be whole, for who looks at the status; empty: it can.
struct HistoryChecked {
    std::string problem;
};

using NoteBody = std::variant<CursorMoved, FolderVisited, FoldersCounted, FoldersCompared,
                              AccountVisited, RunStarted, RunEnded, RetryFailed, RetryRequested,
                              PacksCollected, PackProtected, LocksKept, HistoryChecked>;

struct Note {
    sdk::Timestamp at;
    NoteBody body;
};

}  // namespace openarchiver::catalog
