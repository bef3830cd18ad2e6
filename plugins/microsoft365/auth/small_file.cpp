#include "auth/small_file.hpp"

#include <cerrno>
#include <fstream>
#include <system_error>

#include "failure.hpp"

namespace openarchiver::microsoft365 {

namespace fs = std::filesystem;

sdk::Result<std::string> read_small_file(std::string_view setting, const fs::path& file,
                                         std::size_t limit) {
    const auto refuse = [&](const std::string& why) {
        return failure(sdk::Errc::invalid_config,
                       std::string(setting) + " " + file.string() + " " + why);
    };
    std::error_code error;
    const fs::file_status status = fs::status(file, error);
    if (status.type() == fs::file_type::not_found) {
        return refuse("does not exist: create it, or correct its path in the profile");
    }
    if (!fs::is_regular_file(status)) {
        return refuse("can't be read (" + (error ? error.message() : "it is not a file") +
                      "): name a file that the engine's user may read");
    }
    errno = 0;
    std::ifstream stream(file, std::ios::binary);
    std::string content(limit + 1, '\0');
    if (stream) {
        stream.read(content.data(), static_cast<std::streamsize>(content.size()));
    }
    if (!stream.is_open() || stream.bad()) {
        return refuse("can't be read (" + std::generic_category().message(errno) +
                      "): make it readable for the engine's user");
    }
    content.resize(static_cast<std::size_t>(stream.gcount()));
    if (content.empty()) {
        return refuse("is empty");
    }
    if (content.size() > limit) {
        return refuse("is larger than " + std::to_string(limit / 1024) +
                      " KiB: it must be another file than was meant");
    }
    return content;
}

bool is_readable_by_everybody(const fs::path& file) {
    std::error_code error;
    return (fs::status(file, error).permissions() & fs::perms::others_read) != fs::perms::none;
}

}  // namespace openarchiver::microsoft365
