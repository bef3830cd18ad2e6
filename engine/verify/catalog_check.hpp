#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/archive.hpp"
#include "catalog/catalog_writer.hpp"
#include "verify/report.hpp"

namespace openarchiver::verify {

/// A catalog made from the log alone, in a folder of its own that goes away with the object.
class ReplayedCatalog {
public:
    static sdk::Result<std::unique_ptr<ReplayedCatalog>> make(const std::filesystem::path& parent,
                                                              std::string_view archive_id);
    ~ReplayedCatalog();
    ReplayedCatalog(const ReplayedCatalog&) = delete;
    ReplayedCatalog& operator=(const ReplayedCatalog&) = delete;

    /// Most of the log was written: from now on others may read it, too.
    sdk::Status filled(std::string_view archive_id);

    /// Null after close().
    [[nodiscard]] catalog::CatalogWriter* writer() { return writer_.get(); }

    /// Nothing is written any more.
    void close() { writer_.reset(); }

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_; }

private:
    explicit ReplayedCatalog(std::filesystem::path folder) : folder_(std::move(folder)) {}

    std::filesystem::path folder_;
    std::unique_ptr<catalog::CatalogWriter> writer_;
};

/// The catalog in use, as it is at one moment, to be compared with a replayed one.
class LiveCatalog {
public:
    using Positions = std::vector<std::pair<std::string, archive::LogPosition>>;

    /// Takes the moment. not_found, corrupt, unsupported as CatalogReader.
    static sdk::Result<std::unique_ptr<LiveCatalog>> open(const std::filesystem::path& folder);
    ~LiveCatalog();
    LiveCatalog(const LiveCatalog&) = delete;
    LiveCatalog& operator=(const LiveCatalog&) = delete;

    /// How far each writer's log was applied at that moment.
    [[nodiscard]] const Positions& positions() const { return positions_; }

    [[nodiscard]] archive::LogPosition position(std::string_view writer) const;

    /// The note of the last head that it knew then; absent: none.
    [[nodiscard]] const std::optional<std::string>& newest_head() const { return newest_head_; }

    /// Begins to sum its rows up, on a thread of its own. Until compare() only what was known at
    /// that moment may be asked for.
    void begin_to_compare();
    /// What differs between this catalog and one replayed up to the same positions: a finding for
    /// each table. After begin_to_compare().
    sdk::Status compare(const ReplayedCatalog& replayed, std::vector<Finding>& findings);
    /// The items of which this catalog knows versions that the damaged log does not tell.
    sdk::Result<Affected> not_in(const ReplayedCatalog& replayed);
    /// Lets the moment go: from now on the catalog is read as it is.
    sdk::Status release();
    /// The items with a content in this pack.
    sdk::Result<Affected> in_pack(const archive::Digest& pack);

private:
    struct State;
    explicit LiveCatalog(std::unique_ptr<State> state);
    sdk::Status attach(const ReplayedCatalog& replayed);

    std::unique_ptr<State> state_;
    Positions positions_;
    std::optional<std::string> newest_head_;
};

}  // namespace openarchiver::verify
