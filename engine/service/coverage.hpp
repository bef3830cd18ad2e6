#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string_view>

#include "catalog/catalog_reader.hpp"

/// How much of what the service has the archive has, and what became of the rest (docs/cli.md,
/// Coverage).
namespace openarchiver::service {

/// Of one folder, or summed up over folders.
struct Coverage {
    std::uint64_t upstream = 0;
    std::uint64_t archived = 0;
    std::uint64_t excluded = 0;
    std::uint64_t failed = 0;
    std::uint64_t pending = 0;
    std::uint64_t unexplained = 0;
    /// Folders that nothing is said of: not counted by the service, or not compared yet.
    std::uint64_t folders_unknown = 0;
    /// The oldest count; 0: none.
    sdk::Timestamp counted_at;

    void add(const Coverage& other);
};

/// Of an account that was never archived completely, contents may be on their way although their
/// folder was listed to its end.
[[nodiscard]] bool is_importing(const catalog::AccountRecord& account);

[[nodiscard]] Coverage coverage_of(const catalog::FolderRecord& folder,
                                   const catalog::FolderCounts& counts, bool importing);
/// All folders of an account that are there.
[[nodiscard]] sdk::Result<Coverage> account_coverage(catalog::CatalogReader& catalog,
                                                     const catalog::AccountRecord& account);

[[nodiscard]] boost::json::value coverage_value(const Coverage& coverage);

/// "up_to_date", "pending" (not yet archived to its end), "failed", "excluded", "gone".
[[nodiscard]] std::string_view folder_state(const catalog::FolderRecord& folder, bool importing);

}  // namespace openarchiver::service
