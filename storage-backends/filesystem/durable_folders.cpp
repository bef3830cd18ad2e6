#include "durable_folders.hpp"

#include <cerrno>
#include <filesystem>

#include "posix.hpp"

namespace openarchiver::filesystem {

namespace {

constexpr mode_t kFolderMode = 0750;
constexpr std::size_t kMaxKnownFolders = 8192;

bool is_folder(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

}  // namespace

sdk::Status create_root(const std::string& path) {
    struct stat status{};
    if (::stat(path.c_str(), &status) == 0) {
        if (S_ISDIR(status.st_mode)) {
            return {};
        }
        return sdk::Error{.code = sdk::Errc::invalid_config,
                          .message = "the archive's root " + path +
                                     " is not a folder; name a folder or remove the file"};
    }
    if (errno == ENOTDIR) {
        return sdk::Error{.code = sdk::Errc::invalid_config,
                          .message = "can't create the archive's root " + path +
                                     ": a file stands where a folder should be; name another root"};
    }
    if (errno != ENOENT) {
        return system_error(errno, "open the archive's root", path);
    }
    const std::string parent = std::filesystem::path(path).parent_path().string();
    OPENARCHIVER_CHECK(create_root(parent));
    if (::mkdir(path.c_str(), kFolderMode) != 0 && errno != EEXIST) {
        return system_error(errno, "create the archive's root", path);
    }
    return sync_folder(parent);
}

sdk::Status DurableFolders::ensure(std::string_view folder) {
    if (folder.empty()) {
        return {};
    }
    sdk::Status status = create(folder);
    if (!status && status.error().code == sdk::Errc::not_found) {
        forget();
        status = create(folder);
        if (!status && status.error().code == sdk::Errc::not_found) {
            status.error().code = sdk::Errc::unavailable;
        }
    }
    return status;
}

void DurableFolders::forget() {
    const std::lock_guard lock(mutex_);
    known_.clear();
}

sdk::Status DurableFolders::create(std::string_view folder) {
    for (std::size_t end = folder.find('/');; end = folder.find('/', end + 1)) {
        std::string part(folder.substr(0, end));
        const bool last = end == std::string_view::npos;
        {
            const std::lock_guard lock(mutex_);
            if (known_.contains(part)) {
                if (last) {
                    return {};
                }
                continue;
            }
        }
        const std::string path = root_ + "/" + part;
        if (::mkdir(path.c_str(), kFolderMode) != 0 && errno != EEXIST) {
            const int error_number = errno;
            sdk::Error error = system_error(error_number, "create the folder", path);
            if (error_number == ENOENT) {
                error.code = sdk::Errc::not_found;
            } else if (error_number == ENOTDIR) {
                error.code = sdk::Errc::unsupported;
            }
            return error;
        }
        if (!is_folder(path)) {
            return sdk::Error{.code = sdk::Errc::unsupported,
                              .message = "can't create the folder " + path +
                                         ": an object of this name is there, and a file system "
                                         "can't have both"};
        }
        const std::size_t slash = path.rfind('/');
        OPENARCHIVER_CHECK(sync_folder(path.substr(0, slash)));
        const std::lock_guard lock(mutex_);
        if (known_.size() >= kMaxKnownFolders) {
            known_.clear();
        }
        known_.insert(std::move(part));
        if (last) {
            return {};
        }
    }
}

}  // namespace openarchiver::filesystem
