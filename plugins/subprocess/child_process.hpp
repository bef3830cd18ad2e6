#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <vector>

namespace openarchiver::subprocess {

/// A running program, leader of a process group of its own, with our ends of its standard streams.
/// It gets nothing of the engine's environment but where to find things, and no open file.
class ChildProcess {
public:
    struct Options {
        std::filesystem::path program;
        std::vector<std::string> command;  ///< its first word is what the program sees as its name
        std::filesystem::path folder;      ///< where it runs
        std::uint64_t memory_bytes = 0;    ///< 0: no limit
    };

    /// invalid_config: it can't be run; resource_exhausted: nothing can.
    static sdk::Result<std::unique_ptr<ChildProcess>> start(const Options& options);

    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;
    /// Kills whatever is left of the group.
    ~ChildProcess();

    // Our ends, not blocking. Writing to the input needs MSG_NOSIGNAL.
    [[nodiscard]] int input() const { return input_; }

    [[nodiscard]] int output() const { return output_; }

    [[nodiscard]] int errors() const { return errors_; }

    /// From now on it may use so much processor time, then it is ended by SIGXCPU.
    void limit_cpu(std::chrono::seconds time) const;

    /// Ends its input and waits for it to exit, then kills it.
    void finish(std::chrono::milliseconds patience);
    /// Kills it at once.
    void kill();

    /// How it ended, after a short while for it to do so: "exit code 3", "signal 9". It is killed
    /// if it did not.
    struct End {
        std::string text;
        bool by_cpu_limit = false;
    };

    End end();

private:
    explicit ChildProcess(pid_t process) : process_(process) {}

    /// Whether it has exited, or does within `patience`.
    bool wait(std::chrono::milliseconds patience) const;
    void close_ends();

    const pid_t process_;
    int input_ = -1;
    int output_ = -1;
    int errors_ = -1;
    int handle_ = -1;  // of the process
    bool reaped_ = false;
    int status_ = 0;
};

}  // namespace openarchiver::subprocess
