#pragma once

#include <functional>
#include <memory>
#include <string>

#include "catalog/records.hpp"
#include "export/exporter.hpp"
#include "export/folder_tree.hpp"
#include "export/output_folder.hpp"

namespace openarchiver::exporter {

/// Where a format puts versions, and how.
class Layout {
public:
    /// Writes a version's bytes to the sink, checked when it returns success.
    using Read = std::function<sdk::Status(sdk::ByteSink&)>;

    Layout() = default;
    Layout(const Layout&) = delete;
    Layout& operator=(const Layout&) = delete;
    virtual ~Layout() = default;

    /// The file of a version, relative to the export's folder; the same at every run.
    [[nodiscard]] virtual std::string path_of(const catalog::VersionRecord& version,
                                              const Place& place) = 0;

    /// Whether an earlier run already wrote the version there, exactly.
    virtual sdk::Result<bool> has(const catalog::VersionRecord& version,
                                  const std::string& path) = 0;

    /// What storing ended with: the export goes on after `damage`, not after `failure`.
    struct Stored {
        std::optional<sdk::Error> damage = {};
        std::optional<sdk::Error> failure = {};
    };

    /// Whether each version is a file of its own: then several threads may store at once, versions
    /// in any order.
    [[nodiscard]] virtual bool stores_files() const { return false; }

    virtual Stored store(const catalog::VersionRecord& version, const std::string& path,
                         const Read& read) = 0;

    /// After the last version.
    virtual sdk::Status finish() { return {}; }
};

[[nodiscard]] std::unique_ptr<Layout> make_eml_layout(const OutputFolder& output);
[[nodiscard]] std::unique_ptr<Layout> make_maildir_layout(const OutputFolder& output);
[[nodiscard]] std::unique_ptr<Layout> make_mbox_layout(const OutputFolder& output);

/// Writes one version to a file of its own, which gets its name when it is complete.
[[nodiscard]] Layout::Stored store_file(const OutputFolder& output, const std::string& path,
                                        const Layout::Read& read);

/// Formats that hold mail only leave out anything else, which becomes an exception of the export.
[[nodiscard]] std::optional<sdk::Error> unless_mail(const catalog::VersionRecord& version);

/// When an item was received, or else archived: what file names say.
[[nodiscard]] sdk::Timestamp time_of(const catalog::VersionRecord& version);

}  // namespace openarchiver::exporter
