#include "service/control_folder.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <string>

namespace openarchiver::service {

ControlFolder::ControlFolder(const std::filesystem::path& folder)
    : folder_(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)) {}

ControlFolder::~ControlFolder() {
    if (folder_ >= 0) {
        ::close(folder_);
    }
}

sockaddr_un ControlFolder::address() const {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string path = "/proc/self/fd/" + std::to_string(folder_) + "/" + kControlSocket;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);  // a few dozen bytes
    return address;
}

}  // namespace openarchiver::service
