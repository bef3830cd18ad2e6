#include "unpacked.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <system_error>

#include "unpack_archive.hpp"
#include "unpack_pst.hpp"

namespace openarchiver::mailfiles {

namespace {

namespace fs = std::filesystem;

constexpr int kMostDepth = 3;
/// The engine has up to 512 items of an account on its way, of two accounts at a time.
constexpr std::size_t kKept = 4;
constexpr std::uint64_t kKeptBytes = std::uint64_t{2} << 30U;
constexpr std::chrono::milliseconds kSlice{100};
/// To find out that a file can't be read may take long.
constexpr std::chrono::hours kFailureHolds{1};

sdk::Error no_folder(const fs::path& folder, int error_number) {
    return {.code = sdk::Errc::resource_exhausted,
            .message = "archives can't be unpacked in " + folder.string() + ": " +
                       std::system_category().message(error_number)};
}

FileDescriptor open_lock(const fs::path& folder) {
    FileDescriptor lock(
        ::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (lock.valid() && ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return {};
    }
    return lock;
}

}  // namespace

TemporaryFolder::~TemporaryFolder() {
    if (!path.empty()) {
        std::error_code ignored;
        fs::remove_all(path, ignored);
    }
}

std::string stamp_of(const struct stat& status) {
    return std::to_string(status.st_size) + "-" + std::to_string(modified_ns(status));
}

void Unpacking::remove_left() const {
    std::error_code failure;
    for (auto entry = fs::directory_iterator(folder_, failure);
         !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
        // Those of living sessions are locked.
        if (const FileDescriptor lock = open_lock(entry->path()); lock.valid()) {
            std::error_code ignored;
            fs::remove_all(entry->path(), ignored);
        }
    }
}

sdk::Result<fs::path> Unpacking::make_folder() {
    const std::lock_guard lock(slots_mutex_);
    if (session_folder_.path.empty()) {
        std::error_code failure;
        fs::create_directories(folder_, failure);
        if (failure) {
            return no_folder(folder_, failure.value());
        }
        std::string name = (folder_ / "XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            return no_folder(folder_, errno);
        }
        lock_ = open_lock(name);
        if (!lock_.valid()) {
            return no_folder(name, errno);
        }
        session_folder_.path = name;
    }
    fs::path folder = session_folder_.path / std::to_string(++folders_);
    std::error_code failure;
    fs::create_directory(folder, failure);
    if (failure) {
        return no_folder(folder, failure.value());
    }
    return folder;
}

sdk::Result<std::shared_ptr<const Unpacked>> Unpacking::unpack(const FileDescriptor& file,
                                                               FileKind kind,
                                                               const std::string& key, int depth,
                                                               const std::stop_token& stop) {
    auto unpacked = std::make_shared<Unpacked>();
    OPENARCHIVER_TRY(unpacked->place.path, make_folder());
    unpacked->folder = FileDescriptor(
        ::open(unpacked->place.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW));
    if (!unpacked->folder.valid()) {
        return no_folder(unpacked->place.path, errno);
    }
    unpacked->depth = depth;
    OPENARCHIVER_CHECK(kind == FileKind::pst
                           ? unpack_pst(file, settings_, *unpacked, stop)
                           : unpack_archive(file, key, settings_.unpacked_bytes, *unpacked, stop));
    return std::shared_ptr<const Unpacked>(std::move(unpacked));
}

sdk::Result<std::shared_ptr<const Unpacked>> Unpacking::get(const FileDescriptor& file,
                                                            FileKind kind, const std::string& key,
                                                            int depth,
                                                            const std::stop_token& stop) {
    if (depth > kMostDepth) {
        return sdk::Error{.code = sdk::Errc::unsupported,
                          .message = "an archive lies more than 3 archives deep; unpack it"};
    }
    OPENARCHIVER_TRY(const struct stat status, status_of(file));
    std::shared_ptr<Slot> slot;
    {
        const std::lock_guard lock(slots_mutex_);
        std::shared_ptr<Slot>& entry = slots_[key];
        if (!entry) {
            entry = std::make_shared<Slot>();
        }
        slot = entry;
        slot->used = ++uses_;
    }
    std::unique_lock lock(slot->mutex, std::defer_lock);
    while (!lock.try_lock_for(kSlice)) {
        if (stop.stop_requested()) {
            return cancelled();
        }
    }
    const std::string stamp = stamp_of(status);
    if (slot->unpacked && slot->stamp == stamp) {
        return slot->unpacked;
    }
    const auto now = std::chrono::steady_clock::now();
    if (slot->failure && slot->stamp == stamp && now - slot->failed_at < kFailureHolds) {
        return *slot->failure;
    }
    slot->unpacked.reset();
    slot->failure.reset();
    slot->stamp = stamp;
    auto unpacked = unpack(file, kind, key, depth, stop);
    if (!unpacked) {
        if (unpacked.error().code == sdk::Errc::corrupt) {
            slot->failure = unpacked.error();
            slot->failed_at = now;
        }
        return unpacked.error();
    }
    slot->unpacked = std::move(*unpacked);
    drop_old(slot.get());
    return slot->unpacked;
}

void Unpacking::drop_old(const Slot* current) {
    const std::lock_guard lock(slots_mutex_);
    std::vector<std::map<std::string, std::shared_ptr<Slot>>::iterator> by_use;
    for (auto slot = slots_.begin(); slot != slots_.end(); ++slot) {
        by_use.push_back(slot);
    }
    std::ranges::sort(by_use, std::greater(), [](const auto& slot) { return slot->second->used; });
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < by_use.size(); ++i) {
        Slot& slot = *by_use[i]->second;
        if (&slot == current) {
            bytes += slot.unpacked->bytes;
            continue;
        }
        const std::unique_lock held(slot.mutex, std::try_to_lock);
        if (!held) {
            continue;  // being unpacked
        }
        bytes += slot.unpacked ? slot.unpacked->bytes : 0;
        if (!slot.unpacked || (i >= kKept && bytes > kKeptBytes)) {
            slot.unpacked.reset();
        }
    }
}

}  // namespace openarchiver::mailfiles
