#include "cli/system_user.hpp"

#include <pwd.h>
#include <unistd.h>

#include <array>

namespace openarchiver::cli {

std::string system_user() {
    std::array<char, 4096> buffer{};
    passwd entry{};
    passwd* found = nullptr;
    const uid_t id = ::geteuid();
    std::string user = std::to_string(id);
    if (::getpwuid_r(id, &entry, buffer.data(), buffer.size(), &found) == 0 && found != nullptr) {
        user = found->pw_name;
    }
    std::array<char, 256> host{};
    return ::gethostname(host.data(), host.size() - 1) == 0 ? user + "@" + host.data() : user;
}

}  // namespace openarchiver::cli
