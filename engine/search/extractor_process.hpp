#pragma once

#include <sys/types.h>

#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <optional>

#include "search/extract/wire.hpp"

namespace openarchiver::search {

/// The program beside this one that reads messages; not_found: it is not there.
sdk::Result<std::filesystem::path> extractor_program();

/// A process of that program, which what strangers sent may crash. Used by one thread, which lives
/// as long as the process.
class ExtractorProcess {
public:
    explicit ExtractorProcess(std::filesystem::path program) : program_(std::move(program)) {}

    ~ExtractorProcess() { end(); }

    ExtractorProcess(const ExtractorProcess&) = delete;
    ExtractorProcess& operator=(const ExtractorProcess&) = delete;

    /// One that runs not yet. unavailable: it can't be started.
    sdk::Status start();
    void end() noexcept;

    [[nodiscard]] bool running() const { return process_ > 0; }

    /// Of one that runs; from any thread.
    void kill() const noexcept;

    /// Of one that runs.
    [[nodiscard]] wire::Channel& channel() { return *channel_; }

private:
    std::filesystem::path program_;
    pid_t process_ = -1;
    int socket_ = -1;
    std::optional<wire::Channel> channel_;  // over socket_
};

}  // namespace openarchiver::search
