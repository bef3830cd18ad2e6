#pragma once

#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/segment.hpp"
#include "catalog/records.hpp"
#include "export/exporter.hpp"

/// The two documents of an export: DIR/manifest.jsonl and DIR/export.json (docs/export.md).
namespace openarchiver::exporter {

/// "2026-09-28T21:03:10Z", with milliseconds where there are any.
[[nodiscard]] std::string iso_time(sdk::Timestamp time);

/// One line of the manifest, without its line break.
[[nodiscard]] std::string manifest_line(const catalog::VersionRecord& version,
                                        const std::vector<std::vector<std::string>>& folders,
                                        std::string_view path);
/// The `path` of a line; empty where it has none.
[[nodiscard]] std::string manifest_path(std::string_view line);

/// What says which export a folder holds: two exports with equal texts may go on in one folder.
[[nodiscard]] std::string identity_document(std::string_view archive_id, const Options& options);
/// The same of an export.json; empty where the text is none.
[[nodiscard]] std::string identity_of_export(std::string_view export_json);

struct ExportDocument {
    std::string archive_id;
    std::vector<std::pair<std::string, archive::LogPosition>> head;
    sdk::Timestamp exported_at;
};

/// The content of export.json.
[[nodiscard]] std::string export_document(const ExportDocument& document, const Options& options,
                                          const Summary& summary);

}  // namespace openarchiver::exporter
