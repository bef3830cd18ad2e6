#pragma once

#include <sys/un.h>

#include <filesystem>

namespace openarchiver::service {

/// The name of the control socket in the catalog's folder.
inline constexpr const char* kControlSocket = "control.sock";

/// The address of the control socket in a folder whose path may be longer than the 107 bytes that
/// an address holds: it goes through the opened folder.
class ControlFolder {
public:
    explicit ControlFolder(const std::filesystem::path& folder);
    ~ControlFolder();
    ControlFolder(const ControlFolder&) = delete;
    ControlFolder& operator=(const ControlFolder&) = delete;

    [[nodiscard]] bool opened() const { return folder_ >= 0; }

    [[nodiscard]] int descriptor() const { return folder_; }

    [[nodiscard]] sockaddr_un address() const;

private:
    int folder_;
};

}  // namespace openarchiver::service
