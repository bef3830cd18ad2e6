#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <openarchiver/sdk/host.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "access/access.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/records.hpp"

/// Writes archived items out as files that other programs read (docs/export.md).
namespace openarchiver::exporter {

enum class Format : std::uint8_t { eml, mbox, maildir };

[[nodiscard]] std::string_view to_string(Format format) noexcept;

/// What a search let through, and what it was asked for.
struct Found {
    std::string query;
    std::string recipient;
    bool has_attachment = false;
    /// Key and version of each, in order.
    std::vector<std::pair<std::int64_t, std::int64_t>> versions = {};
    /// How many versions in its scope could not be searched wholly, by reason.
    std::vector<std::pair<std::string, std::uint64_t>> unsearched = {};
};

struct Options {
    std::filesystem::path output;
    Format format = Format::eml;
    catalog::ItemFilter filter;
    std::optional<Found> found;
    /// Items to leave out at the beginning, and how many to export then; all versions of an item
    /// go together.
    std::uint64_t offset = 0;
    std::optional<std::uint64_t> limit;
};

/// A version that could not be exported.
struct Exception {
    std::string ref;
    std::int64_t version = 0;
    std::string source;
    std::string account;
    sdk::Error error;
};

struct Progress {
    std::uint64_t versions = 0;  ///< done so far, exceptions included
    std::uint64_t bytes = 0;
};

struct Summary {
    std::uint64_t items = 0;
    std::uint64_t versions = 0;
    std::uint64_t bytes = 0;  ///< of the contents
    /// How many versions an earlier, interrupted run had already written.
    std::uint64_t kept = 0;
    std::vector<Exception> exceptions;
};

/// Exports what `options` select, and goes on where an interrupted export into the same folder
/// ended. Damaged contents become exceptions; the rest is exported. invalid_argument: the folder
/// holds something else; resource_exhausted: its volume is full.
[[nodiscard]] sdk::Result<Summary> run(access::ArchiveReader& reader,
                                       catalog::CatalogReader& catalog, const Options& options,
                                       sdk::Clock& clock,
                                       const std::function<void(const Progress&)>& progress,
                                       std::stop_token stop);

}  // namespace openarchiver::exporter
