#pragma once

#include <cstdint>
#include <openarchiver/sdk/error.hpp>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>
#include <variant>

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
    std::optional<std::uint64_t> item_count;
    std::optional<sdk::Error> error;
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

using NoteBody = std::variant<CursorMoved, FolderVisited, AccountVisited, RunStarted, RunEnded,
                              RetryFailed, RetryRequested>;

struct Note {
    sdk::Timestamp at;
    NoteBody body;
};

}  // namespace openarchiver::catalog
