#include "file_access.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <system_error>
#include <thread>

namespace openarchiver::mailfiles {

namespace {

std::string text_of(int error_number) {
    return std::system_category().message(error_number);
}

FileDescriptor open_at(int folder, const std::string& name, int flags) {
    while (true) {
        const int descriptor = ::openat(folder, name.c_str(), flags | O_RDONLY | O_CLOEXEC);
        if (descriptor >= 0 || errno != EINTR) {
            return FileDescriptor(descriptor);
        }
    }
}

/// What an errno means for a file or folder below a readable root: its own fault, or everybody's.
sdk::Error error_below_root(int error_number, std::string_view what) {
    std::string message = std::string(what) + " can't be opened: " + text_of(error_number);
    switch (error_number) {
        case ENOENT:
        case ENOTDIR:
        case ELOOP:  // a symbolic link by now
            return {.code = sdk::Errc::not_found, .message = std::string(what) + " is gone"};
        case EACCES:
        case EPERM:
            return {.code = sdk::Errc::unsupported,
                    .message = message + "; let the user that runs the engine read it"};
        case ENAMETOOLONG:
            return {.code = sdk::Errc::unsupported, .message = message};
        case EMFILE:
        case ENFILE:
            return {.code = sdk::Errc::resource_exhausted,
                    .message = message + "; raise the limit of open files"};
        default:
            return {.code = sdk::Errc::unavailable,
                    .message = message + "; check that the disk is healthy"};
    }
}

sdk::Result<FileDescriptor> open_below(const FileDescriptor& root, std::string_view relative,
                                       int last_flags, std::string_view what) {
    FileDescriptor folder;
    int at = root.get();
    while (true) {
        const std::size_t slash = relative.find('/');
        const bool last = slash == std::string_view::npos;
        FileDescriptor next = open_at(at, std::string(relative.substr(0, slash)),
                                      O_NOFOLLOW | (last ? last_flags : O_DIRECTORY));
        if (!next.valid()) {
            return error_below_root(errno, what);
        }
        if (last) {
            return next;
        }
        folder = std::move(next);
        at = folder.get();
        relative.remove_prefix(slash + 1);
    }
}

}  // namespace

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
}

FileDescriptor::~FileDescriptor() {
    if (value_ >= 0) {
        ::close(value_);
    }
}

sdk::Error cancelled() {
    return {.code = sdk::Errc::cancelled, .message = "stopped on request"};
}

sdk::Error item_gone() {
    return {.code = sdk::Errc::not_found, .message = "the file of an item is gone"};
}

sdk::Result<FileDescriptor> open_root(const std::string& path) {
    // The configured path itself may be a symbolic link: that is the administrator's choice.
    FileDescriptor root = open_at(AT_FDCWD, path, O_DIRECTORY);
    if (root.valid()) {
        return root;
    }
    const int error_number = errno;
    const std::string message = "can't open " + path + ": " + text_of(error_number);
    if (error_number == EACCES || error_number == EPERM) {
        return sdk::Error{.code = sdk::Errc::permission_denied,
                          .message = message + "; let the user that runs the engine read it"};
    }
    if (error_number == EMFILE || error_number == ENFILE) {
        return sdk::Error{.code = sdk::Errc::resource_exhausted,
                          .message = message + "; raise the limit of open files"};
    }
    return sdk::Error{.code = sdk::Errc::unavailable,
                      .message = message + "; mount it or correct \"paths\""};
}

sdk::Result<FileDescriptor> open_folder(const FileDescriptor& root, std::string_view relative) {
    return open_below(root, relative.empty() ? std::string_view(".") : relative, O_DIRECTORY,
                      "a mail folder");
}

sdk::Result<FileDescriptor> open_mail(const FileDescriptor& root, std::string_view relative) {
    // O_NONBLOCK: opening a pipe that is named like a message does not hang.
    OPENARCHIVER_TRY(FileDescriptor file,
                     open_below(root, relative, O_NONBLOCK, "the file of an item"));
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) {
        return error_below_root(errno, "the file of an item");
    }
    if (!S_ISREG(status.st_mode)) {
        return item_gone();
    }
    return file;
}

sdk::Result<FileDescriptor> open_entry(const FileDescriptor& folder, std::string_view name) {
    OPENARCHIVER_TRY(FileDescriptor entry, open_below(folder, name, O_NONBLOCK, "a mail file"));
    OPENARCHIVER_TRY(const struct stat status, status_of(entry));
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) {
        return sdk::Error{.code = sdk::Errc::not_found, .message = "a mail file is gone"};
    }
    return entry;
}

bool is_folder(const FileDescriptor& opened) {
    const auto status = status_of(opened);
    return status && S_ISDIR(status->st_mode);
}

sdk::Status for_each_entry(
    const FileDescriptor& folder, const std::stop_token& stop,
    const std::function<sdk::Status(std::string_view name, EntryKind kind)>& entry) {
    // A descriptor of its own: closedir() closes it, and a copy would share the read position.
    FileDescriptor own = open_at(folder.get(), ".", O_DIRECTORY);
    if (!own.valid()) {
        return error_below_root(errno, "a mail folder");
    }
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(own.get()), ::closedir);
    if (!entries) {
        return error_below_root(errno, "a mail folder");
    }
    own.release();
    while (true) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        errno = 0;
        const dirent* found = ::readdir(entries.get());
        if (found == nullptr) {
            if (errno != 0) {
                return error_below_root(errno, "a mail folder");
            }
            return {};
        }
        const std::string_view name = found->d_name;
        if (name == "." || name == "..") {
            continue;
        }
        unsigned char type = found->d_type;
        if (type == DT_UNKNOWN) {
            struct stat status{};
            if (::fstatat(folder.get(), found->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
                continue;
            }
            type = static_cast<unsigned char>(IFTODT(status.st_mode));
        }
        if (type == DT_REG) {
            OPENARCHIVER_CHECK(entry(name, EntryKind::file));
        } else if (type == DT_DIR) {
            OPENARCHIVER_CHECK(entry(name, EntryKind::folder));
        }
    }
}

bool is_maildir(const FileDescriptor& folder) {
    for (const char* name : {"cur", "new", "tmp"}) {
        struct stat status{};
        if (::fstatat(folder.get(), name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
            !S_ISDIR(status.st_mode)) {
            return false;
        }
    }
    return true;
}

std::int64_t modified_ns(const struct stat& status) noexcept {
    return std::int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
}

sdk::Error read_failure(int error_number) {
    return {.code = sdk::Errc::unavailable,
            .message = "a mail file can't be read: " + text_of(error_number) +
                       "; check that the disk is healthy"};
}

sdk::Result<struct stat> status_of(const FileDescriptor& file) {
    struct stat status{};
    if (::fstat(file.get(), &status) != 0) {
        return read_failure(errno);
    }
    return status;
}

namespace {

/// By the system's clock, not the host's: it is the one that gives files their times.
std::chrono::nanoseconds age_of(std::int64_t modified_ns) {
    return std::chrono::system_clock::now().time_since_epoch() -
           std::chrono::nanoseconds(modified_ns);
}

}  // namespace

bool is_settled(std::int64_t modified_ns, std::chrono::seconds settle) {
    const std::chrono::nanoseconds age = age_of(modified_ns);
    return age >= settle || age < -settle;  // a time in the future is somebody's invention
}

sdk::Result<bool> wait_until_settled(const FileDescriptor& file, std::chrono::seconds settle,
                                     const std::stop_token& stop) {
    OPENARCHIVER_TRY(const struct stat before, status_of(file));
    const std::int64_t modified = modified_ns(before);
    if (is_settled(modified, settle)) {
        return true;
    }
    const auto until = std::chrono::steady_clock::now() + settle - age_of(modified);
    while (std::chrono::steady_clock::now() < until) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        constexpr std::chrono::milliseconds kSlice{50};
        std::this_thread::sleep_for(kSlice);
    }
    OPENARCHIVER_TRY(const struct stat after, status_of(file));
    return after.st_size == before.st_size && modified_ns(after) == modified;
}

}  // namespace openarchiver::mailfiles
