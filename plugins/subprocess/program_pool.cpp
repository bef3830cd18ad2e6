#include "program_pool.hpp"

#include "failure.hpp"

namespace openarchiver::subprocess {

sdk::Result<std::vector<std::string>> ProgramPool::read_secrets() const {
    std::vector<std::string> secrets;
    for (std::size_t i = 0; i < settings_.secrets.size(); ++i) {
        OPENARCHIVER_TRY(std::string secret, host_.secrets.get(secret_pointer(i)));
        secrets.push_back(std::move(secret));
    }
    return secrets;
}

sdk::Result<ProgramPool::Lease> ProgramPool::acquire(const std::stop_token& stop) {
    // Read anew each time: a renewed one counts at once.
    OPENARCHIVER_TRY(std::vector<std::string> secrets, read_secrets());
    std::vector<std::unique_ptr<Program>> discarded;  // ended without holding the lock
    {
        std::unique_lock lock(mutex_);
        if (!freed_.wait(lock, stop, [&] { return at_work_ < settings_.most_processes(); })) {
            return cancelled();
        }
        ++at_work_;
        while (!idle_.empty()) {
            std::unique_ptr<Program> program = std::move(idle_.back());
            idle_.pop_back();
            if (program->secrets() == secrets && program->usable()) {
                return Lease(*this, std::move(program));
            }
            discarded.push_back(std::move(program));
        }
    }
    discarded.clear();
    auto program = Program::start(settings_, host_, std::move(secrets), stop);
    if (!program) {
        one_is_free();
        return program.error();
    }
    return Lease(*this, std::move(*program));
}

void ProgramPool::one_is_free() {
    const std::lock_guard lock(mutex_);
    --at_work_;
    freed_.notify_one();
}

void ProgramPool::give_back(std::unique_ptr<Program> program) {
    if (program->usable()) {
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(program));
    }
    program.reset();
    one_is_free();
}

}  // namespace openarchiver::subprocess
