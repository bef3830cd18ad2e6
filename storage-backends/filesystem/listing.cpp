#include "listing.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <openarchiver/sdk/object_key.hpp>
#include <vector>

#include "posix.hpp"

namespace openarchiver::filesystem {

namespace {

class Listing {
public:
    Listing(const std::string& root, std::string_view prefix, std::string_view start_after,
            sdk::ObjectListSink& sink, std::stop_token stop)
        : root_(root),
          prefix_(prefix),
          start_after_(start_after),
          sink_(sink),
          stop_(std::move(stop)) {}

    /// `folder` is empty or ends with '/'. False: the sink wants no more.
    sdk::Result<bool> visit(const std::string& folder) {
        OPENARCHIVER_TRY(const std::vector<std::string> names, wanted_names(folder));
        for (const std::string& name : names) {
            if (stop_.stop_requested()) {
                return cancelled("listing objects");
            }
            const std::string key = folder + name;
            OPENARCHIVER_TRY(const bool go_on, key.back() == '/' ? visit(key) : report(key));
            if (!go_on) {
                return false;
            }
        }
        return true;
    }

private:
    /// Folders carry their '/', which makes the order of these names the order of the keys: with
    /// folder `a` and object `a-b`, the keys are `a-b` < `a/x`.
    sdk::Result<std::vector<std::string>> wanted_names(const std::string& folder) {
        std::vector<std::string> names;
        const std::string path = root_ + "/" + folder;
        const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(path.c_str()), ::closedir);
        if (!entries) {
            if (errno == ENOENT && !folder.empty()) {
                return names;  // removed since its parent was read
            }
            return system_error(errno, "list", path);
        }
        while (true) {
            if (stop_.stop_requested()) {
                return cancelled("listing objects");
            }
            errno = 0;
            const dirent* entry = ::readdir(entries.get());
            if (entry == nullptr) {
                if (errno != 0) {
                    return system_error(errno, "list", path);
                }
                break;
            }
            std::string name = entry->d_name;
            // Temporary files, `lost+found` and the like are no objects.
            if (!sdk::is_key_segment(name)) {
                continue;
            }
            const mode_t type = type_of(::dirfd(entries.get()), *entry);
            if (S_ISDIR(type)) {
                name += '/';
            } else if (!S_ISREG(type)) {
                continue;
            }
            if (is_wanted(folder + name)) {
                names.push_back(std::move(name));
            }
        }
        std::ranges::sort(names);
        return names;
    }

    static mode_t type_of(int folder, const dirent& entry) {
        if (entry.d_type == DT_REG) {
            return S_IFREG;
        }
        if (entry.d_type == DT_DIR) {
            return S_IFDIR;
        }
        struct stat status{};
        return ::fstatat(folder, entry.d_name, &status, 0) == 0 ? status.st_mode & S_IFMT : 0;
    }

    [[nodiscard]] bool is_wanted(const std::string& name) const {
        if (name.size() > sdk::kMaxKeyLength) {
            return false;
        }
        if (name.back() == '/') {
            const bool prefix_fits = name.starts_with(prefix_) || prefix_.starts_with(name);
            return prefix_fits && (name > start_after_ || start_after_.starts_with(name));
        }
        return name.starts_with(prefix_) && name > start_after_;
    }

    sdk::Result<bool> report(const std::string& key) {
        const std::string path = root_ + "/" + key;
        struct stat status{};
        if (::stat(path.c_str(), &status) != 0) {
            if (errno == ENOENT || errno == ENOTDIR) {
                return true;  // removed since its folder was read
            }
            return system_error(errno, "examine", path);
        }
        sdk::ObjectInfo info;
        info.key = key;
        info.size = static_cast<std::uint64_t>(status.st_size);
        info.modified_at = modified_at(status);
        return sink_.object(info);
    }

    const std::string& root_;
    const std::string_view prefix_;
    const std::string_view start_after_;
    sdk::ObjectListSink& sink_;
    const std::stop_token stop_;
};

}  // namespace

sdk::Timestamp modified_at(const struct stat& status) {
    return sdk::Timestamp(std::chrono::milliseconds(std::int64_t{status.st_mtim.tv_sec} * 1000 +
                                                    status.st_mtim.tv_nsec / 1'000'000));
}

sdk::Status list_objects(const std::string& root, std::string_view prefix,
                         std::string_view start_after, sdk::ObjectListSink& sink,
                         std::stop_token stop) {
    if (stop.stop_requested()) {
        return cancelled("listing objects");
    }
    OPENARCHIVER_CHECK(Listing(root, prefix, start_after, sink, std::move(stop)).visit(""));
    return {};
}

}  // namespace openarchiver::filesystem
