#include "service/control_client.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include "service/control_folder.hpp"
#include "service/control_protocol.hpp"

namespace openarchiver::service {

std::unique_ptr<ControlClient> ControlClient::connect(const std::filesystem::path& catalog_folder) {
    const ControlFolder folder(catalog_folder);
    if (!folder.opened()) {
        return nullptr;
    }
    const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (socket < 0) {
        return nullptr;
    }
    MessageStream stream(socket);
    const sockaddr_un address = folder.address();
    if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return nullptr;  // no socket, or one that a dead service left
    }
    return std::unique_ptr<ControlClient>(new ControlClient(std::move(stream)));
}

sdk::Result<Answer> ControlClient::call(
    std::string_view verb, std::string_view options,
    const std::function<void(std::string_view json_text)>& progress, std::stop_token stop) {
    OPENARCHIVER_CHECK(stream_.write(
        encode(ControlRequest{.verb = std::string(verb), .options = std::string(options)}), stop));
    while (true) {
        OPENARCHIVER_TRY(const std::string message, stream_.read(stop));
        OPENARCHIVER_TRY(auto decoded, decode_answer(message));
        if (auto* const answer = std::get_if<Answer>(&decoded)) {
            return std::move(*answer);
        }
        progress(std::get<ControlProgress>(decoded).document);
    }
}

}  // namespace openarchiver::service
