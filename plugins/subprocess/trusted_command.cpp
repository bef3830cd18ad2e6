#include "trusted_command.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "failure.hpp"

namespace openarchiver::subprocess {

namespace {

namespace fs = std::filesystem;

bool is_file(const fs::path& path) {
    std::error_code error;
    return fs::is_regular_file(path, error);
}

/// Whether others than root and this user may write the file or folder. In a `shared` folder with
/// the sticky bit, as /tmp, everybody may write what is theirs only.
bool others_may_write(const fs::path& path, bool shared) {
    struct stat status{};
    if (::stat(path.c_str(), &status) != 0 ||
        (status.st_uid != 0 && status.st_uid != ::geteuid())) {
        return true;
    }
    if (shared && (status.st_mode & S_ISVTX) != 0) {
        return false;
    }
    const bool own_group = status.st_gid == 0 || status.st_gid == ::getegid();
    return (status.st_mode & S_IWOTH) != 0 || ((status.st_mode & S_IWGRP) != 0 && !own_group);
}

sdk::Status check(const fs::path& file) {
    std::error_code error;
    const fs::path real = fs::canonical(file, error);
    bool shared = false;
    for (fs::path path = error ? file : real;; path = path.parent_path()) {
        if (others_may_write(path, shared)) {
            return failure(sdk::Errc::invalid_config,
                           "others than root and the engine's user may change " + path.string() +
                               ", and with it what " + file.string() +
                               " does: correct its owner and permissions");
        }
        shared = true;
        if (path == path.parent_path()) {
            return {};
        }
    }
}

sdk::Result<fs::path> find_program(const std::string& name, const fs::path& folder) {
    if (name.find('/') != std::string::npos) {
        return folder / name;
    }
    const char* const path = std::getenv("PATH");
    std::string_view rest = path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        const fs::path candidate = fs::path(rest.substr(0, end)) / name;
        if (candidate.is_absolute() && is_file(candidate) &&
            ::access(candidate.c_str(), X_OK) == 0) {
            return candidate;
        }
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return failure(sdk::Errc::invalid_config,
                   "there is no program \"" + name +
                       "\" in the folders of PATH: install it, or name its file in command");
}

}  // namespace

sdk::Result<fs::path> trusted_program(const std::vector<std::string>& command,
                                      const fs::path& folder) {
    OPENARCHIVER_TRY(fs::path program, find_program(command.front(), folder));
    if (!is_file(program)) {
        return failure(sdk::Errc::invalid_config,
                       "there is no program " + program.string() + ": correct command");
    }
    OPENARCHIVER_CHECK(check(program));
    // A script that an interpreter is given is as good as a program.
    for (std::size_t i = 1; i < command.size(); ++i) {
        if (const fs::path argument = folder / command[i]; is_file(argument)) {
            OPENARCHIVER_CHECK(check(argument));
        }
    }
    return program;
}

}  // namespace openarchiver::subprocess
