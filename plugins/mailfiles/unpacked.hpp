#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "file_access.hpp"
#include "file_kind.hpp"
#include "settings.hpp"

/// Archives and PST files are unpacked into a folder of their own while they are read, and then
/// they are folders as any other.
namespace openarchiver::mailfiles {

/// What of an archive could not be unpacked.
struct UnpackProblem {
    /// As the entry is found in the unpacked folder. Empty: the archive's own.
    std::string path = {};
    /// In the archive.
    std::uint64_t offset = 0;
    std::string what = {};
    /// The entry's beginning was unpacked: of an mbox, the messages before the damage.
    bool beginning_kept = false;
};

/// Is removed with its object.
struct TemporaryFolder {
    TemporaryFolder() = default;
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder();

    std::filesystem::path path = {};
};

/// An unpacked archive.
struct Unpacked {
    TemporaryFolder place = {};
    /// It, opened.
    FileDescriptor folder = {};
    std::vector<UnpackProblem> problems = {};
    /// The messages were put together by readpst.
    bool reconstructed = false;
    /// How many archives deep; 1: not in another one.
    int depth = 1;
    std::uint64_t bytes = 0;
};

/// The unpacked archives of a session. Those that were used last stay for a while: the engine reads
/// what it was told of. Safe for concurrent use.
class Unpacking {
public:
    Unpacking(const Settings& settings, const std::filesystem::path& state_folder)
        : settings_(settings), folder_(state_folder / "unpacked") {}

    /// Removes what sessions left that were killed.
    void remove_left() const;

    /// `key` names the file over the session: the id that its folder has. corrupt: it can't be
    /// unpacked at all; unsupported: readpst is missing, or archives lie too deep in each other;
    /// resource_exhausted: no space.
    sdk::Result<std::shared_ptr<const Unpacked>> get(const FileDescriptor& file, FileKind kind,
                                                     const std::string& key, int depth,
                                                     const std::stop_token& stop);

private:
    struct Slot {
        std::timed_mutex mutex;  // guards what follows but `used`
        std::shared_ptr<const Unpacked> unpacked;
        std::string stamp;
        /// Why the file of this stamp could not be unpacked, and when that was tried.
        std::optional<sdk::Error> failure;
        std::chrono::steady_clock::time_point failed_at;
        std::uint64_t used = 0;  // guarded by slots_mutex_
    };

    sdk::Result<std::shared_ptr<const Unpacked>> unpack(const FileDescriptor& file, FileKind kind,
                                                        const std::string& key, int depth,
                                                        const std::stop_token& stop);
    sdk::Result<std::filesystem::path> make_folder();
    void drop_old(const Slot* current);

    const Settings& settings_;
    const std::filesystem::path folder_;
    std::mutex slots_mutex_;  // guards what follows
    std::map<std::string, std::shared_ptr<Slot>> slots_;
    std::uint64_t uses_ = 0;
    std::uint64_t folders_ = 0;
    /// Of the session's folder, until that is removed.
    FileDescriptor lock_;
    TemporaryFolder session_folder_;
};

/// Changes when the file does.
[[nodiscard]] std::string stamp_of(const struct stat& status);

}  // namespace openarchiver::mailfiles
