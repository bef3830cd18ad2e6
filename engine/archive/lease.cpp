#include "archive/lease.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/json.hpp>
#include <cerrno>
#include <condition_variable>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>

#include "archive/digest.hpp"
#include "archive/object_io.hpp"
#include "archive/random.hpp"

namespace openarchiver::archive {

namespace {

constexpr std::string_view kKey = "lease";
constexpr std::uint64_t kMaxSize = 64U << 10;
// Long enough for another engine that saw the same stale lease to have written its own.
constexpr std::chrono::milliseconds kSettle{300};
// Writing ends well before anybody else may begin.
constexpr std::chrono::seconds kMargin{10};
// At a lease that seems stale, one for each time that its holder should have renewed it.
constexpr int kLooks = Lease::kStaleAfter / Lease::kRenewEvery;

struct Holder {
    std::string engine;  // random: another one in each process and for each lease
    std::string host;
    std::int64_t pid = 0;
    std::string pid_namespace;
    std::string boot_id;
    std::int64_t process_start = 0;  // in clock ticks since boot
    std::int64_t renewed_at = 0;     // ms since 1970
};

struct ProcessStatus {
    char state = '?';
    std::int64_t start = 0;
};

std::string read_line(const std::string& path) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    return line;
}

// The name may hold spaces and parentheses: the fields are counted from the last parenthesis.
std::optional<ProcessStatus> process_status(std::int64_t pid) {
    const std::string line = read_line("/proc/" + std::to_string(pid) + "/stat");
    const auto name_end = line.rfind(')');
    if (name_end == std::string::npos) {
        return std::nullopt;
    }
    std::istringstream fields(line.substr(name_end + 1));
    ProcessStatus status;
    fields >> status.state;
    std::string skipped;
    for (int field = 4; field <= 21; ++field) {
        fields >> skipped;
    }
    if (!(fields >> status.start)) {
        return std::nullopt;
    }
    return status;
}

std::string pid_namespace() {
    struct stat status{};
    return ::stat("/proc/self/ns/pid", &status) == 0 ? std::to_string(status.st_ino) : "";
}

Holder myself() {
    std::array<char, 256> host{};
    ::gethostname(host.data(), host.size() - 1);
    const std::int64_t pid = ::getpid();
    const auto status = process_status(pid);
    return Holder{.engine = to_hex(random_bytes<16>()),
                  .host = host.data(),
                  .pid = pid,
                  .pid_namespace = pid_namespace(),
                  .boot_id = read_line("/proc/sys/kernel/random/boot_id"),
                  .process_start = status ? status->start : 0,
                  .renewed_at = 0};
}

std::int64_t milliseconds(std::chrono::system_clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

std::string write_holder(Holder holder, sdk::Clock& clock) {
    holder.renewed_at = milliseconds(clock.now());
    boost::json::object object;
    object["engine"] = holder.engine;
    object["host"] = holder.host;
    object["pid"] = holder.pid;
    object["pid_namespace"] = holder.pid_namespace;
    object["boot_id"] = holder.boot_id;
    object["process_start"] = holder.process_start;
    object["renewed_at"] = holder.renewed_at;
    return boost::json::serialize(object) + "\n";
}

std::optional<Holder> parse_holder(std::string_view text) {
    boost::json::error_code error;
    const boost::json::value document = boost::json::parse(text, error);
    if (error || !document.is_object()) {
        return std::nullopt;
    }
    const boost::json::object& object = document.as_object();
    const auto as_text = [&](std::string_view name, std::string& target) {
        const boost::json::value* const value = object.if_contains(name);
        const bool found = value != nullptr && value->is_string();
        if (found) {
            target = value->as_string();
        }
        return found;
    };
    const auto as_number = [&](std::string_view name, std::int64_t& target) {
        const boost::json::value* const value = object.if_contains(name);
        const bool found = value != nullptr && value->is_int64();
        if (found) {
            target = value->as_int64();
        }
        return found;
    };
    Holder holder;
    if (as_text("engine", holder.engine) && as_text("host", holder.host) &&
        as_number("pid", holder.pid) && as_text("pid_namespace", holder.pid_namespace) &&
        as_text("boot_id", holder.boot_id) && as_number("process_start", holder.process_start) &&
        as_number("renewed_at", holder.renewed_at)) {
        return holder;
    }
    return std::nullopt;
}

// A process number says something only where it was given out: same start of the same kernel, same
// pid namespace.
bool same_system(const Holder& a, const Holder& b) {
    return !a.boot_id.empty() && a.boot_id == b.boot_id && !a.pid_namespace.empty() &&
           a.pid_namespace == b.pid_namespace;
}

bool is_alive(const Holder& holder) {
    if (holder.pid <= 0) {
        return false;
    }
    if (::kill(static_cast<pid_t>(holder.pid), 0) != 0 && errno == ESRCH) {
        return false;
    }
    const auto status = process_status(holder.pid);
    if (!status) {
        return true;  // hidden from us: it may be there
    }
    return status->start == holder.process_start && status->state != 'Z' && status->state != 'X';
}

// Goes on while the machine sleeps, when others may take the lease.
std::int64_t milliseconds_since_boot() {
    timespec time{};
    ::clock_gettime(CLOCK_BOOTTIME, &time);
    return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

sdk::Error in_use(const Holder& holder, std::int64_t now) {
    std::string message = "the archive is in use by another engine: process " +
                          std::to_string(holder.pid) + " on host " + holder.host;
    const std::int64_t age = (now - holder.renewed_at) / 1000;
    message += age >= 0 ? ", last seen " + std::to_string(age) + " s ago"
                        : ", whose clock is " + std::to_string(-age) + " s ahead of ours";
    message += "; stop it, or wait until its lease has been stale for " +
               std::to_string(Lease::kStaleAfter.count()) + " s";
    return sdk::Error{.code = sdk::Errc::already_exists, .message = std::move(message)};
}

}  // namespace

struct Lease::State {
    State(sdk::ObjectStore& object_store, sdk::Clock& host_clock)
        : store(object_store), clock(host_clock) {}

    // Ours, also where a put reported a failure after it arrived.
    [[nodiscard]] sdk::Result<bool> is_ours(std::stop_token stop) {
        const auto text = read_object(store, kKey, kMaxSize, std::move(stop));
        if (!text) {
            if (text.error().code == sdk::Errc::not_found) {
                return false;
            }
            return text.error();
        }
        const auto holder = parse_holder(*text);
        return holder && holder->engine == self.engine;
    }

    sdk::Status put(sdk::PutMode mode, std::stop_token stop) {
        return put_object(store, kKey, write_holder(self, clock), mode, std::move(stop));
    }

    // Errors of the store are left to the next turn; held() notices when they last too long.
    void renew(std::stop_token stop) {
        const std::int64_t began = milliseconds_since_boot();
        const auto text = read_object(store, kKey, kMaxSize, stop);
        if (!text) {
            if (text.error().code == sdk::Errc::not_found) {
                if (put(sdk::PutMode::if_absent, stop)) {
                    renewed.store(began);
                } else {
                    check_loss(stop);
                }
            }
            return;
        }
        const auto holder = parse_holder(*text);
        if (!holder || holder->engine != self.engine) {
            lost.store(true);
            return;
        }
        const bool late = !fresh();
        if (!put(sdk::PutMode::replace, stop)) {
            return;
        }
        // So late that somebody else may be taking it over at this moment: who is last has it.
        if (late) {
            if (!wait(kSettle, stop)) {
                return;
            }
            const auto ours = is_ours(stop);
            if (!ours || !*ours) {
                lost.store(ours.has_value());
                return;
            }
        }
        renewed.store(began);
    }

    [[nodiscard]] bool fresh() const {
        constexpr std::int64_t kTrusted = std::chrono::milliseconds(kStaleAfter - kMargin).count();
        return milliseconds_since_boot() - renewed.load() < kTrusted;
    }

    void check_loss(std::stop_token stop) {
        const auto text = read_object(store, kKey, kMaxSize, std::move(stop));
        if (text) {
            const auto holder = parse_holder(*text);
            lost.store(!holder || holder->engine != self.engine);
        }
    }

    // False when the stop token was triggered.
    bool wait(std::chrono::milliseconds duration, std::stop_token stop) {
        std::unique_lock lock(mutex);
        wake.wait_for(lock, stop, duration, [] { return false; });
        return !stop.stop_requested();
    }

    /// Whether somebody wrote the lease while we looked at it for longer than a holder trusts in it
    /// without renewing it: clocks of two hosts can't be compared.
    [[nodiscard]] sdk::Result<bool> is_renewed(const std::string& seen,
                                               std::chrono::milliseconds renew_every,
                                               std::stop_token stop) {
        for (int look = 0; look < kLooks; ++look) {
            if (!wait(renew_every, stop)) {
                return sdk::Error{.code = sdk::Errc::cancelled,
                                  .message = "stopped while waiting for the archive's lease"};
            }
            const auto text = read_object(store, kKey, kMaxSize, stop);
            if (!text) {
                return text.error().code == sdk::Errc::not_found ? sdk::Result<bool>(false)
                                                                 : text.error();
            }
            if (*text != seen) {
                return true;
            }
        }
        return false;
    }

    void start(std::chrono::milliseconds renew_every) {
        renewer = std::jthread([this, renew_every](std::stop_token stop) {
            while (!lost.load() && wait(renew_every, stop)) {
                renew(stop);
            }
        });
    }

    sdk::ObjectStore& store;
    sdk::Clock& clock;
    const Holder self = myself();
    std::atomic<bool> lost = false;
    std::atomic<std::int64_t> renewed = 0;  // milliseconds_since_boot()
    std::mutex mutex;                       // for `wake` only
    std::condition_variable_any wake;
    std::jthread renewer;  // last: it uses everything above
};

Lease::Lease(std::unique_ptr<State> state) : state_(std::move(state)) {}

sdk::Result<std::unique_ptr<Lease>> Lease::acquire(sdk::ObjectStore& store, sdk::Clock& clock,
                                                   std::stop_token stop,
                                                   std::chrono::milliseconds renew_every) {
    if (!store.capabilities().put_if_absent) {
        return sdk::Error{.code = sdk::Errc::unsupported,
                          .message =
                              "the archive's store can't refuse to replace an object (a store of "
                              "S3 has to keep to If-None-Match), so that two engines could write "
                              "to it without noticing; use a store that can, or, where its "
                              "configuration has single_writer, vouch there that no other engine "
                              "will ever write to it"};
    }
    auto state = std::make_unique<State>(store, clock);
    state->renewed.store(milliseconds_since_boot());
    sdk::Status put = state->put(sdk::PutMode::if_absent, stop);
    if (!put && put.error().code != sdk::Errc::already_exists) {
        return std::move(put.error());
    }
    if (!put) {
        const auto text = read_object(store, kKey, kMaxSize, stop);
        if (!text) {
            return text.error();
        }
        const auto holder = parse_holder(*text);
        if (!holder || holder->engine != state->self.engine) {
            const std::int64_t now = milliseconds(clock.now());
            if (!holder) {
                // Nobody can renew what can't be read: its age is the object's.
                OPENARCHIVER_TRY(const sdk::ObjectInfo info, store.stat(kKey, stop));
                const Holder unknown{.engine = {},
                                     .host = "(its lease is damaged)",
                                     .pid = 0,
                                     .pid_namespace = {},
                                     .boot_id = {},
                                     .process_start = 0,
                                     .renewed_at = info.modified_at.time_since_epoch().count()};
                if (now - unknown.renewed_at <= std::chrono::milliseconds(kStaleAfter).count()) {
                    return in_use(unknown, now);
                }
            } else {
                const bool ours = same_system(*holder, state->self);
                const bool in_time =
                    now - holder->renewed_at <= std::chrono::milliseconds(kStaleAfter).count();
                if (ours ? is_alive(*holder) : in_time) {
                    return in_use(*holder, now);
                }
                if (!ours) {
                    OPENARCHIVER_TRY(const bool renewed,
                                     state->is_renewed(*text, renew_every, stop));
                    if (renewed) {
                        return sdk::Error{
                            .code = sdk::Errc::already_exists,
                            .message = "the archive is in use by another engine: process " +
                                       std::to_string(holder->pid) + " on host " + holder->host +
                                       " renewed its lease while we looked, though by our clock "
                                       "it had not for long: stop it, or set the clocks right"};
                    }
                }
            }
            state->renewed.store(milliseconds_since_boot());
            OPENARCHIVER_CHECK(state->put(sdk::PutMode::replace, stop));
            if (!state->wait(kSettle, stop)) {
                return sdk::Error{.code = sdk::Errc::cancelled,
                                  .message = "stopped while taking over the archive's lease"};
            }
            OPENARCHIVER_TRY(const bool ours, state->is_ours(stop));
            if (!ours) {
                return sdk::Error{.code = sdk::Errc::already_exists,
                                  .message =
                                      "the archive is in use by another engine, which took "
                                      "over its stale lease at the same moment"};
            }
        }
    }
    state->start(renew_every);
    return std::unique_ptr<Lease>(new Lease(std::move(state)));
}

Lease::~Lease() {
    state_->renewer.request_stop();
    if (state_->renewer.joinable()) {
        state_->renewer.join();
    }
    if (const auto ours = state_->is_ours({}); ours && *ours) {
        static_cast<void>(state_->store.remove(kKey, {}));
    }
}

bool Lease::held() const {
    return !state_->lost.load() && state_->fresh();
}

}  // namespace openarchiver::archive
