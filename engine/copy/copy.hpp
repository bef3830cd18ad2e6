#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <stop_token>
#include <string>
#include <vector>

/// Makes another store hold what the archive's store holds: objects as they are, so that no key is
/// needed. What is there already is not copied again.
namespace openarchiver::copy {

struct Options {
    /// Where packs wait on their way, in files without a name.
    std::filesystem::path spool_folder;
    sdk::Clock& clock;
};

struct Progress {
    std::uint64_t packs = 0;
    std::uint64_t packs_total = 0;  ///< 0 while they are being listed
    std::uint64_t bytes = 0;        ///< copied
    std::uint64_t segments = 0;
    std::uint64_t segments_total = 0;
};

/// How many objects of a kind the archive has, and how many were copied in this run.
struct Count {
    std::uint64_t total = 0;
    std::uint64_t copied = 0;
};

struct Report {
    std::string archive_id;
    Count packs;
    Count segments;
    Count others;
    std::uint64_t bytes_copied = 0;
    bool keyring_copied = false;
    /// Objects of the source that are damaged or missing, each with what is wrong. Where there are
    /// any, all sound packs were copied and nothing that would name them.
    std::vector<std::string> damage;
};

/// Works beside whoever writes the source; the target is leased meanwhile. The state of the source
/// at some moment of the run arrives, whole: until it has, a new target is no archive (it holds the
/// object `copy` in place of a marker), and a target that was one stays the archive that it was.
/// already_exists: the target is in use; invalid_config: it holds another archive, or has gone on
/// on its own; corrupt: it holds something else.
[[nodiscard]] sdk::Result<Report> run(sdk::ObjectStore& source, sdk::ObjectStore& target,
                                      const Options& options,
                                      const std::function<void(const Progress&)>& progress,
                                      std::stop_token stop);

}  // namespace openarchiver::copy
