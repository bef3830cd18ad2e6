#include "child_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <system_error>
#include <utility>

#include "failure.hpp"

namespace openarchiver::subprocess {

namespace {

using std::chrono::milliseconds;

/// Where to find things, and how to write them: what the engine's environment has beside may be
/// secrets.
constexpr std::array kPassedOn = {"PATH",        "HOME",        "USER",         "LANG",
                                  "LC_ALL",      "LC_CTYPE",    "TZ",           "TMPDIR",
                                  "HTTP_PROXY",  "HTTPS_PROXY", "NO_PROXY",     "http_proxy",
                                  "https_proxy", "no_proxy",    "SSL_CERT_DIR", "SSL_CERT_FILE"};

constexpr milliseconds kUntilItEnds{1000};

std::string reason(int code) {
    return std::generic_category().message(code);
}

/// Two connected descriptors, closed with it unless they were taken.
struct Ends {
    std::array<int, 2> ends{-1, -1};

    Ends() = default;
    Ends(const Ends&) = delete;
    Ends& operator=(const Ends&) = delete;

    ~Ends() {
        close(0);
        close(1);
    }

    bool make_pipe() { return ::pipe2(ends.data(), O_CLOEXEC) == 0; }

    bool make_sockets() {
        return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0;
    }

    void close(std::size_t index) {
        if (ends.at(index) >= 0) {
            ::close(std::exchange(ends.at(index), -1));
        }
    }

    int take(std::size_t index) {
        const int end = std::exchange(ends.at(index), -1);
        ::fcntl(end, F_SETFL, ::fcntl(end, F_GETFL) | O_NONBLOCK);
        return end;
    }
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> all;
    all.reserve(texts.size() + 1);
    for (std::string& text : texts) {
        all.push_back(text.data());
    }
    all.push_back(nullptr);
    return all;
}

std::vector<std::string> environment() {
    std::vector<std::string> variables;
    for (const char* const name : kPassedOn) {
        if (const char* const value = std::getenv(name)) {
            variables.push_back(std::string(name) + "=" + value);
        }
    }
    return variables;
}

/// What the child needs, all of it made before the fork: after it, only calls that are safe in a
/// signal handler are allowed, as other threads may have held any lock.
struct Launch {
    const char* program;
    const char* folder;
    char* const* arguments;
    char* const* variables;
    int input;
    int output;
    int errors;
    int report;
    rlim_t memory;
};

[[noreturn]] void become(const Launch& launch) {
    sigset_t none;
    sigemptyset(&none);
    struct sigaction usual{};
    usual.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) {
        ::sigaction(signal, &usual, nullptr);
    }
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::setpgid(0, 0);
    const rlimit no_core{0, 0};  // it would have the secrets in it
    ::setrlimit(RLIMIT_CORE, &no_core);
    const bool placed = ::dup2(launch.input, 0) == 0 && ::dup2(launch.output, 1) == 1 &&
                        ::dup2(launch.errors, 2) == 2 && ::dup2(launch.report, 3) == 3 &&
                        ::fcntl(3, F_SETFD, FD_CLOEXEC) == 0;
    // Also those that some library opened without close-on-exec.
    if (placed && ::close_range(4, ~0U, 0) == 0 && ::chdir(launch.folder) == 0) {
        const rlimit memory{launch.memory, launch.memory};
        if (launch.memory == 0 || ::setrlimit(RLIMIT_AS, &memory) == 0) {
            ::execve(launch.program, launch.arguments, launch.variables);
        }
    }
    const int code = errno;
    static_cast<void>(!::write(placed ? 3 : launch.report, &code, sizeof code));
    ::_exit(127);
}

}  // namespace

sdk::Result<std::unique_ptr<ChildProcess>> ChildProcess::start(const Options& options) {
    const std::string program = options.program.string();
    const std::string folder = options.folder.empty() ? "." : options.folder.string();
    std::vector<std::string> words = options.command;
    std::vector<std::string> variables = environment();
    const std::vector<char*> arguments = pointers(words);
    const std::vector<char*> values = pointers(variables);
    Ends input;  // a socket: a pipe that nobody reads would raise SIGPIPE in the engine
    Ends output;
    Ends errors;
    Ends report;
    if (!input.make_sockets() || !output.make_pipe() || !errors.make_pipe() ||
        !report.make_pipe()) {
        return failure(sdk::Errc::resource_exhausted,
                       "no pipes for " + program + ": " + reason(errno));
    }
    // None below 4: the child puts its own there.
    std::array<int*, 4> theirs = {&input.ends[1], &output.ends[1], &errors.ends[1],
                                  &report.ends[1]};
    for (int* const end : theirs) {
        if (*end < 4) {
            const int moved = ::fcntl(*end, F_DUPFD_CLOEXEC, 4);
            if (moved < 0) {
                return failure(sdk::Errc::resource_exhausted,
                               "no pipes for " + program + ": " + reason(errno));
            }
            ::close(std::exchange(*end, moved));
        }
    }
    const Launch launch{.program = program.c_str(),
                        .folder = folder.c_str(),
                        .arguments = arguments.data(),
                        .variables = values.data(),
                        .input = input.ends[1],
                        .output = output.ends[1],
                        .errors = errors.ends[1],
                        .report = report.ends[1],
                        .memory = options.memory_bytes};
    const pid_t process = ::fork();
    if (process == 0) {
        become(launch);
    }
    if (process < 0) {
        return failure(sdk::Errc::resource_exhausted,
                       "no process for " + program + ": " + reason(errno));
    }
    std::unique_ptr<ChildProcess> child(new ChildProcess(process));
    report.close(1);
    int code = 0;
    ssize_t count = 0;
    do {
        count = ::read(report.ends[0], &code, sizeof code);
    } while (count < 0 && errno == EINTR);
    if (count == sizeof code) {
        child->kill();
        return failure(sdk::Errc::invalid_config,
                       program + " can't be run: " + reason(code) +
                           "; correct command, and see that the engine's user may run it");
    }
    child->input_ = input.take(0);
    child->output_ = output.take(0);
    child->errors_ = errors.take(0);
    child->handle_ = static_cast<int>(::syscall(SYS_pidfd_open, process, 0));
    return child;
}

ChildProcess::~ChildProcess() {
    kill();
    if (handle_ >= 0) {
        ::close(handle_);
    }
}

void ChildProcess::limit_cpu(std::chrono::seconds time) const {
    clockid_t clock{};
    timespec used{};
    if (reaped_ || ::clock_getcpuclockid(process_, &clock) != 0 ||
        ::clock_gettime(clock, &used) != 0) {
        return;
    }
    const rlimit limit{static_cast<rlim_t>(used.tv_sec) + 1 + static_cast<rlim_t>(time.count()),
                       RLIM_INFINITY};
    ::prlimit(process_, RLIMIT_CPU, &limit, nullptr);
}

void ChildProcess::close_ends() {
    for (int* const end : {&input_, &output_, &errors_}) {
        if (*end >= 0) {
            ::close(std::exchange(*end, -1));
        }
    }
}

bool ChildProcess::wait(milliseconds patience) const {
    // It is not reaped by this: as long as it is not, its id, and the group's, can't be anybody
    // else's.
    pollfd entry{.fd = handle_, .events = POLLIN, .revents = 0};
    int count = 0;
    do {
        count = ::poll(&entry, 1, static_cast<int>(patience.count()));
    } while (count < 0 && errno == EINTR);
    return count > 0;
}

void ChildProcess::finish(milliseconds patience) {
    close_ends();
    wait(patience);
    kill();
}

void ChildProcess::kill() {
    close_ends();
    if (!reaped_) {
        // Of those that it started, too, whether it has ended itself or not.
        ::kill(-process_, SIGKILL);
        ::kill(process_, SIGKILL);
        while (::waitpid(process_, &status_, 0) < 0 && errno == EINTR) {
        }
        reaped_ = true;
    }
}

ChildProcess::End ChildProcess::end() {
    const bool by_itself = wait(kUntilItEnds);
    kill();
    if (!by_itself) {
        return {.text = "it closed its output and did not exit"};
    }
    if (WIFSIGNALED(status_)) {
        const int signal = WTERMSIG(status_);
        return {.text = "signal " + std::to_string(signal), .by_cpu_limit = signal == SIGXCPU};
    }
    return {.text = "exit code " + std::to_string(WEXITSTATUS(status_))};
}

}  // namespace openarchiver::subprocess
