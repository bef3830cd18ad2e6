#include "search/extractor_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

namespace openarchiver::search {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

Result<std::filesystem::path> extractor_program() {
    std::error_code failure;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
    const auto program = self.parent_path() / "openarchiver-extract";
    if (failure || ::access(program.c_str(), X_OK) != 0) {
        return Error{Errc::not_found,
                     "the program that reads texts for the search index is not "
                     "at " +
                         program.string() + ": install it beside this one"};
    }
    return program;
}

Status ExtractorProcess::start() {
    std::array<int, 2> sockets{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
        return Error{Errc::resource_exhausted,
                     std::string("no sockets for the extractor: ") + std::strerror(errno)};
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, sockets[1], STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    // A group of its own: an interrupt from the terminal is the engine's to handle.
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::string program = program_.string();
    std::array<char*, 2> arguments{program.data(), nullptr};
    // No environment: it may have secrets.
    std::array<char*, 1> environment{nullptr};
    const int failure = ::posix_spawn(&process_, program.c_str(), &actions, &attributes,
                                      arguments.data(), environment.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    ::close(sockets[1]);
    if (failure != 0) {
        ::close(sockets[0]);
        process_ = -1;
        return Error{Errc::unavailable, "can't start " + program + ": " + std::strerror(failure)};
    }
    socket_ = sockets[0];
    channel_.emplace(socket_);
    return {};
}

void ExtractorProcess::end() noexcept {
    if (socket_ >= 0) {
        ::close(std::exchange(socket_, -1));
    }
    if (process_ > 0) {
        ::kill(process_, SIGKILL);
        while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
        }
        process_ = -1;
    }
}

void ExtractorProcess::kill() const noexcept {
    ::kill(process_, SIGKILL);
}

}  // namespace openarchiver::search
