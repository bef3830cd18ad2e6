#pragma once

#include <filesystem>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "archive/segment.hpp"
#include "catalog/event.hpp"
#include "catalog/note.hpp"

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
    /// The same for a file of any name: rebuild makes the new catalog beside the old one.
    static sdk::Result<std::unique_ptr<CatalogWriter>> open_file(const std::filesystem::path& file,
                                                                 std::string_view archive_id);
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
    struct State;
    explicit CatalogWriter(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace openarchiver::catalog
