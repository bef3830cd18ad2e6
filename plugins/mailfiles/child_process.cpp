#include "child_process.hpp"

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <system_error>

namespace openarchiver::mailfiles {

namespace {

constexpr int kInput = 3;
constexpr std::size_t kMostOutput = 1U << 20U;
constexpr int kSliceMs = 100;
constexpr std::chrono::seconds kBetweenObjections{2};

/// No sockets: what a file makes a program do stays on this machine. A filter needs no privilege,
/// unlike a network namespace.
void deny_sockets() {
#if defined(__x86_64__)
    constexpr std::uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
    constexpr std::uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#endif
#if defined(__x86_64__) || defined(__aarch64__)
    const std::array<sock_filter, 8> filter{{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArchitecture, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        // Numbers of the x32 ABI, which has the same architecture.
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000U, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_socket, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
    }};
    const sock_fprog program{.len = static_cast<unsigned short>(filter.size()),
                             .filter = const_cast<sock_filter*>(filter.data())};  // NOLINT
    ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
#endif
}

void limit(int resource, rlim_t most) {
    const rlimit limits{.rlim_cur = most, .rlim_max = most};
    ::setrlimit(static_cast<__rlimit_resource>(resource), &limits);
}

/// Between fork and exec: nothing that takes a lock.
[[noreturn]] void become(const char* program, char* const* arguments, int input, int output,
                         const ProcessLimits& limits) {
    constexpr int kNice = 10;
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    limit(RLIMIT_AS, limits.memory);
    limit(RLIMIT_FSIZE, limits.file_size);
    limit(RLIMIT_CPU, static_cast<rlim_t>(limits.time.count()) + 1);
    limit(RLIMIT_CORE, 0);
    (void)::setpriority(PRIO_PROCESS, 0, kNice);
    // The input first: its number could be that of one of the others.
    const int held_input = ::fcntl(input, F_DUPFD, kInput + 2);
    const int held_output = ::fcntl(output, F_DUPFD, kInput + 2);
    const int nothing = ::open("/dev/null", O_RDONLY);
    if (held_input < 0 || held_output < 0 || nothing < 0) {
        ::_exit(127);
    }
    ::dup2(nothing, STDIN_FILENO);
    ::dup2(held_output, STDOUT_FILENO);
    ::dup2(held_output, STDERR_FILENO);
    ::dup2(held_input, kInput);
    ::close_range(kInput + 1, ~0U, 0);
    deny_sockets();
    const std::array<const char*, 4> environment = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                                    "TZ=UTC", nullptr};
    ::execve(program, arguments, const_cast<char* const*>(environment.data()));  // NOLINT
    ::_exit(127);
}

std::string how_it_ended(int status) {
    if (WIFSIGNALED(status)) {
        return "it was ended by signal " + std::to_string(WTERMSIG(status));
    }
    const int code = WEXITSTATUS(status);
    return code == 0 ? std::string() : "it ended with code " + std::to_string(code);
}

sdk::Error start_failure(const std::string& program, int error_number) {
    return {
        .code = sdk::Errc::resource_exhausted,
        .message = program + " can't be started: " + std::system_category().message(error_number)};
}

class Child {
public:
    Child(pid_t pid, FileDescriptor output) : pid_(pid), output_(std::move(output)) {}

    Child(const Child&) = delete;
    Child& operator=(const Child&) = delete;

    ~Child() { (void)end(); }

    /// Waits a moment for output. False: it has ended, or closed its output.
    bool read(std::string& output) {
        pollfd wanted{.fd = output_.get(), .events = POLLIN, .revents = 0};
        const int ready = ::poll(&wanted, 1, kSliceMs);
        if (ready <= 0) {
            return ready == 0 || errno == EINTR;
        }
        std::array<char, 4096> piece;  // NOLINT: written before it is read
        const ssize_t count = ::read(output_.get(), piece.data(), piece.size());
        if (count > 0 && output.size() < kMostOutput) {
            output.append(piece.data(), static_cast<std::size_t>(count));
        }
        return count > 0 || (count < 0 && errno == EINTR);
    }

    /// The status, once it has ended by itself.
    std::optional<int> ended() {
        int status = 0;
        if (pid_ <= 0 || ::waitpid(pid_, &status, WNOHANG) != pid_) {
            return std::nullopt;
        }
        ::kill(-pid_, SIGKILL);  // what it left behind
        pid_ = -1;
        return status;
    }

    int end() {
        int status = 0;
        if (pid_ > 0) {
            ::kill(-pid_, SIGKILL);
            while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
            }
            pid_ = -1;
        }
        return status;
    }

private:
    pid_t pid_;
    FileDescriptor output_;
};

}  // namespace

std::string find_program(const std::string& name) {
    if (name.find('/') != std::string::npos) {
        return ::access(name.c_str(), X_OK) == 0 ? name : std::string();
    }
    for (const char* folder : {"/usr/local/bin/", "/usr/bin/", "/bin/"}) {
        std::string path = folder + name;
        if (::access(path.c_str(), X_OK) == 0) {
            return path;
        }
    }
    return {};
}

sdk::Result<ProcessEnd> run_process(const std::string& program,
                                    const std::vector<std::string>& arguments,
                                    const FileDescriptor& input, const ProcessLimits& limits,
                                    const std::function<std::string()>& object,
                                    const std::stop_token& stop) {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) {
        return start_failure(program, errno);
    }
    FileDescriptor read_end(pipe[0]);
    FileDescriptor write_end(pipe[1]);
    std::vector<std::string> words{program};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    argv.reserve(words.size() + 1);
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) {
        return start_failure(program, errno);
    }
    if (pid == 0) {
        become(program.c_str(), argv.data(), input.get(), write_end.get(), limits);
    }
    ::setpgid(pid, pid);  // whoever comes first
    Child child(pid, std::move(read_end));
    write_end = FileDescriptor();
    ProcessEnd end;
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + limits.time;
    auto next_objection = Clock::now() + kBetweenObjections;
    bool open = true;
    while (true) {
        if (open) {
            open = child.read(end.output);
        } else {
            ::poll(nullptr, 0, kSliceMs);
        }
        if (const auto status = child.ended()) {
            while (open && child.read(end.output)) {
                if (Clock::now() > deadline) {
                    break;  // somebody still holds the pipe
                }
            }
            end.failure = how_it_ended(*status);
            return end;
        }
        if (stop.stop_requested()) {
            return cancelled();
        }
        if (Clock::now() >= deadline) {
            end.failure = "it did not end within " + std::to_string(limits.time.count()) + " s";
            return end;
        }
        if (Clock::now() >= next_objection) {
            end.failure = object();
            if (!end.failure.empty()) {
                return end;
            }
            next_objection = Clock::now() + kBetweenObjections;
        }
    }
}

}  // namespace openarchiver::mailfiles
