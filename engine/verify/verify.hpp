#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <openarchiver/sdk/host.hpp>
#include <optional>
#include <stop_token>

#include "archive/archive.hpp"
#include "verify/report.hpp"

/// Reads an archive back and proves it: every object present, every byte as archived, the chains
/// unbroken, catalog and archive in agreement.
namespace openarchiver::verify {

struct Options {
    /// The chains, and presence and size of all packs; no content is read.
    bool quick = false;
    /// Only the packs of this part; the same packs belong to a part at every run.
    std::optional<Part> part;
    /// A head that was kept elsewhere: nothing before it may have been rewritten or removed.
    std::optional<std::string> kept_head;
    /// A full verify replays the log into a folder in here, as large as the catalog, and removes
    /// it.
    std::filesystem::path catalog_folder;
};

struct Progress {
    std::uint64_t segments = 0;
    std::uint64_t packs = 0;
    std::uint64_t packs_total = 0;  ///< 0 while the log is being read
    std::uint64_t bytes = 0;
};

/// Opens the archive, which stays open until run() returns.
using OpenArchive = std::function<sdk::Result<archive::Archive*>()>;

/// Works beside a service that writes: the catalog is read as it is at one moment, and the archive,
/// opened after that moment, up to the end that its log has then. The error is for what could not
/// be checked (storage unavailable, stopped); damage is in the report.
[[nodiscard]] sdk::Result<Report> run(const OpenArchive& open_archive, const Options& options,
                                      const std::function<void(const Progress&)>& progress,
                                      std::stop_token stop);

}  // namespace openarchiver::verify
