#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <openarchiver/testkit/fixture_program.hpp>
#include <optional>
#include <thread>
#include <utility>

namespace openarchiver::testkit {

namespace {

using namespace std::chrono_literals;

constexpr int kAnswerMs = 60'000;
constexpr std::size_t kMaxLine = 1U << 20U;

constexpr std::pair<std::string_view, Effect> kEffects[] = {
    {"item_added", Effect::item_added},   {"item_removed", Effect::item_removed},
    {"item_moved", Effect::item_moved},   {"item_changed", Effect::item_changed},
    {"item_placed", Effect::item_placed}, {"item_broken", Effect::item_broken},
    {"outage", Effect::outage},           {"cursors_expired", Effect::cursors_expired},
    {"silence", Effect::silence},         {"nothing", Effect::nothing},
};

std::optional<Effect> effect_of(std::string_view word) {
    for (const auto& [name, effect] : kEffects) {
        if (name == word) {
            return effect;
        }
    }
    return std::nullopt;
}

/// The first word, which is taken off `rest`.
std::string_view next_word(std::string_view& rest) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    const std::string_view word = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return word;
}

}  // namespace

sdk::Error FixtureProgram::failed(const std::string& what) const {
    return {.code = sdk::Errc::unavailable, .message = "the fixture (" + command_ + ") " + what};
}

sdk::Status FixtureProgram::launch() {
    std::array<int, 2> in{};
    std::array<int, 2> out{};
    if (::pipe2(in.data(), O_CLOEXEC) != 0 || ::pipe2(out.data(), O_CLOEXEC) != 0) {
        return failed(std::string("can't be started: ") + std::strerror(errno));
    }
    process_ = ::fork();
    if (process_ < 0) {
        return failed(std::string("can't be started: ") + std::strerror(errno));
    }
    if (process_ == 0) {
        ::setpgid(0, 0);
        ::dup2(in[0], STDIN_FILENO);
        ::dup2(out[1], STDOUT_FILENO);
        ::execl("/bin/sh", "sh", "-c", command_.c_str(), nullptr);
        ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    to_ = in[1];
    from_ = out[0];
    return {};
}

sdk::Result<std::unique_ptr<FixtureProgram>> FixtureProgram::start(const std::string& command) {
    std::unique_ptr<FixtureProgram> program(new FixtureProgram(command));
    OPENARCHIVER_CHECK(program->launch());
    OPENARCHIVER_CHECK(program->say("start"));
    while (true) {
        OPENARCHIVER_TRY(const std::string line, program->hear());
        if (line == "ready") {
            return program;
        }
        OPENARCHIVER_CHECK(program->take(line));
    }
}

FixtureProgram::~FixtureProgram() {
    if (to_ >= 0) {
        ::close(to_);
        ::close(from_);
    }
    if (process_ > 0) {
        for (int i = 0; i < 500 && ::waitpid(process_, nullptr, WNOHANG) == 0; ++i) {
            std::this_thread::sleep_for(10ms);
            if (i == 499) {
                ::kill(-process_, SIGKILL);
                ::waitpid(process_, nullptr, 0);
            }
        }
    }
}

sdk::Status FixtureProgram::say(std::string_view line) const {
    const std::string bytes = std::string(line) + "\n";
    // A fixture that has ended is noticed by what it does not answer.
    struct sigaction ignore{};
    struct sigaction before{};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGPIPE, &ignore, &before);
    const ssize_t written = ::write(to_, bytes.data(), bytes.size());
    ::sigaction(SIGPIPE, &before, nullptr);
    if (std::cmp_not_equal(written, bytes.size())) {
        return failed("does not take requests; it has ended or can't be run");
    }
    return {};
}

sdk::Result<std::string> FixtureProgram::hear() {
    std::array<char, 4096> buffer{};
    while (true) {
        if (const std::size_t end = heard_.find('\n'); end != std::string::npos) {
            std::string line = heard_.substr(0, end);
            heard_.erase(0, end + 1);
            return line;
        }
        pollfd waiting{.fd = from_, .events = POLLIN, .revents = 0};
        const int ready = ::poll(&waiting, 1, kAnswerMs);
        if (ready < 0 && errno == EINTR) {
            continue;
        }
        if (ready <= 0) {
            return failed("does not answer within a minute");
        }
        const ssize_t count = ::read(from_, buffer.data(), buffer.size());
        if (count <= 0 || heard_.size() > kMaxLine) {
            return failed("ended without an answer; its own messages are on standard error");
        }
        heard_.append(buffer.data(), static_cast<std::size_t>(count));
    }
}

sdk::Status FixtureProgram::take(const std::string& line) {
    std::string_view rest = line;
    const std::string_view what = next_word(rest);
    if (what == "config") {
        config_ = rest;
    } else if (what == "secret") {
        const std::string pointer(next_word(rest));
        secrets_[pointer] = rest;
    } else if (what == "unknown") {
        const std::string kind(next_word(rest));
        unknown_[kind].emplace_back(rest);
    } else if (what == "change") {
        const std::string word(next_word(rest));
        const auto effect = effect_of(word);
        if (!effect || rest.empty()) {
            return failed("offers the change \"" + line.substr(0, 200) +
                          "\"; a change is `change EFFECT NAME` with an effect of "
                          "provider_checks.hpp");
        }
        changes_.push_back({*effect, std::string(rest)});
    } else {
        return failed("answers \"" + line.substr(0, 200) +
                      "\" to start; expected are config, secret, change, unknown and ready");
    }
    return {};
}

sdk::Status FixtureProgram::apply(std::string_view change) {
    OPENARCHIVER_CHECK(say("apply " + std::string(change)));
    const sdk::Result<std::string> answer = hear();
    if (!answer) {
        return answer.error();
    }
    if (*answer != "done") {
        return failed("can't apply \"" + std::string(change) + "\": " + answer->substr(0, 300));
    }
    return {};
}

}  // namespace openarchiver::testkit
