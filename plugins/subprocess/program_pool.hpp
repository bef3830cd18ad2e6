#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <vector>

#include "program.hpp"
#include "settings.hpp"

namespace openarchiver::subprocess {

/// The processes of a session: each does one thing at a time, so there are as many as are needed at
/// a time, up to a bound. Safe for concurrent use.
class ProgramPool {
public:
    ProgramPool(Settings settings, const sdk::HostServices& host)
        : settings_(std::move(settings)), host_(host) {}

    [[nodiscard]] const Settings& settings() const { return settings_; }

    /// A program for one request; it goes back when the lease ends.
    class Lease {
    public:
        Lease(ProgramPool& pool, std::unique_ptr<Program> program)
            : pool_(&pool), program_(std::move(program)) {}

        Lease(Lease&& other) noexcept = default;
        Lease& operator=(Lease&&) = delete;

        ~Lease() {
            if (program_) {
                pool_->give_back(std::move(program_));
            }
        }

        Program* operator->() const { return program_.get(); }

    private:
        ProgramPool* pool_;
        std::unique_ptr<Program> program_;
    };

    /// Waits where all are at work. Errors are those of Program::start().
    sdk::Result<Lease> acquire(const std::stop_token& stop);

private:
    sdk::Result<std::vector<std::string>> read_secrets() const;
    void give_back(std::unique_ptr<Program> program);
    void one_is_free();

    const Settings settings_;
    const sdk::HostServices host_;
    std::mutex mutex_;  // guards both below
    std::condition_variable_any freed_;
    std::vector<std::unique_ptr<Program>> idle_;
    std::uint32_t at_work_ = 0;
};

}  // namespace openarchiver::subprocess
