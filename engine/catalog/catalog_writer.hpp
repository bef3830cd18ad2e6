#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "archive/segment.hpp"
#include "catalog/event.hpp"
#include "catalog/note.hpp"
#include "evidence/head.hpp"

namespace openarchiver::catalog {

/// Names an item for ever: 24 hex digits made from source, account and item id.
[[nodiscard]] std::string item_ref(std::string_view source, std::string_view account,
                                   std::string_view item);

/// When a failed item is tried again after so many attempts: at once, then after 15 minutes, one
/// hour, four hours, then daily.
[[nodiscard]] sdk::Timestamp next_try(sdk::Timestamp last, int attempts);

/// The only writer of a catalog. Used by one thread at a time.
class CatalogWriter {
public:
    /// Opens the catalog in `folder`, makes it where there is none. corrupt: damaged, or of another
    /// archive than `archive_id`.
    static sdk::Result<std::unique_ptr<CatalogWriter>> open(const std::filesystem::path& folder,
                                                            std::string_view archive_id);
    /// The same for a file of any name.
    static sdk::Result<std::unique_ptr<CatalogWriter>> open_file(const std::filesystem::path& file,
                                                                 std::string_view archive_id);
    /// Makes a catalog that is filled with a whole log, faster than one that is in use: it can't be
    /// opened by others, and an error or a crash leaves a file to be thrown away. finish() ends it.
    static sdk::Result<std::unique_ptr<CatalogWriter>> fill_file(const std::filesystem::path& file,
                                                                 std::string_view archive_id);
    sdk::Status finish();
    ~CatalogWriter();

    /// This catalog's own log; made with the catalog.
    [[nodiscard]] const std::string& writer_id() const;
    /// The last segment of a writer that was applied.
    sdk::Result<archive::LogPosition> position(std::string_view writer);

    /// Applies what one segment says, and notes, in one transaction. Applying a segment again (not
    /// newer than position()) changes nothing.
    sdk::Status apply(std::string_view writer, const archive::LogPosition& position,
                      std::span<const EventGroup> groups, std::span<const Note> notes = {});
    sdk::Status apply(std::span<const Note> notes);
    /// Nothing that was removed is left in the file's write-ahead log.
    sdk::Status truncate_log();

    /// How far every writer's log was applied.
    sdk::Result<evidence::Positions> positions();
    /// The note of the last head; absent: there is none yet.
    sdk::Result<std::optional<std::string>> newest_head();

    /// Puts into the tree what the segments up to `positions` add to it, and keeps the head that
    /// `seal` makes of the tree's size and root. All or nothing.
    using Seal =
        std::function<sdk::Result<std::string>(std::uint64_t size, const archive::Digest&)>;
    sdk::Status add_head(const evidence::Positions& positions, const Seal& seal);

    /// The place of a content that the account already has.
    sdk::Result<std::optional<ContentPlace>> find_content(std::string_view source,
                                                          std::string_view account,
                                                          const archive::Digest& content);

    /// A part that is in the archive, as one account holds it.
    struct KnownPart {
        PartHeld part;
        std::string source;
        std::string account;
    };

    /// As the given account holds it, if it does; otherwise as another one does.
    sdk::Result<std::optional<KnownPart>> find_part(std::string_view source,
                                                    std::string_view account,
                                                    const archive::Digest& part);

private:
    static sdk::Result<std::unique_ptr<CatalogWriter>> open_for(const std::filesystem::path& file,
                                                                std::string_view archive_id,
                                                                bool fill);
    struct State;
    explicit CatalogWriter(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace openarchiver::catalog
