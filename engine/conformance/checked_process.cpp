#include "conformance/checked_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace openarchiver::conformance {

namespace {

constexpr std::size_t kMaxOutput = 4U << 20U;
constexpr int kSliceMs = 100;

}  // namespace

sdk::Result<Ended> run_self(const std::vector<std::string>& arguments,
                            std::chrono::seconds patience, const std::stop_token& stop) {
    const auto failed = [](const char* what, int code) {
        return sdk::Error{.code = sdk::Errc::internal,
                          .message = std::string(what) + " failed: " + std::strerror(code)};
    };
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
        return failed("creating a pipe", errno);
    }
    std::string program = "openarchiver";
    std::vector<char*> argv{program.data()};
    std::vector<std::string> copies = arguments;
    for (std::string& argument : copies) {
        argv.push_back(argument.data());
    }
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    posix_spawnattr_t attributes;
    ::posix_spawnattr_init(&attributes);
    ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes, &none);
    pid_t child = 0;
    const int spawned =
        ::posix_spawn(&child, "/proc/self/exe", &actions, &attributes, argv.data(), environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
    ::close(pipe[1]);
    if (spawned != 0) {
        ::close(pipe[0]);
        return failed("starting a process for a check", spawned);
    }

    Ended ended;
    std::array<char, 65536> buffer{};
    const auto deadline = std::chrono::steady_clock::now() + patience;
    bool open = true;
    while (open && !stop.stop_requested() && !ended.timed_out) {
        pollfd waiting{.fd = pipe[0], .events = POLLIN, .revents = 0};
        if (::poll(&waiting, 1, kSliceMs) > 0) {
            const ssize_t count = ::read(pipe[0], buffer.data(), buffer.size());
            open = count > 0 && ended.output.size() < kMaxOutput;
            ended.output.append(buffer.data(), count > 0 ? static_cast<std::size_t>(count) : 0);
        }
        ended.timed_out = std::chrono::steady_clock::now() > deadline;
    }
    ::close(pipe[0]);
    if (open) {
        ::kill(-child, SIGKILL);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    ended.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    ended.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    if (stop.stop_requested()) {
        return sdk::Error{.code = sdk::Errc::cancelled, .message = "interrupted"};
    }
    return ended;
}

}  // namespace openarchiver::conformance
