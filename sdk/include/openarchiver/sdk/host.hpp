#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>

/// What the engine offers to a plugin. All services are safe for concurrent use from any thread
/// and live longer than the session that they were given to.
namespace openarchiver::sdk {

enum class LogLevel : std::uint8_t { debug, info, warning, error };

/// A field of a log line. Values are ids, codes, counts and durations: never a secret, an address,
/// a subject or a file name of somebody's mail.
struct LogField {
    std::string_view key;
    std::string_view value;
};

class Logger {
public:
    Logger() = default;
    Logger(const Logger&) = delete;
    Logger& operator=(const Logger&) = delete;
    virtual ~Logger();

    virtual void log(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields = {}) = 0;
};

/// The secrets of the configuration that the session was opened with, by the JSON pointer of
/// their place in it ("/client_secret"). They are not part of the configuration text.
class Secrets {
public:
    Secrets() = default;
    Secrets(const Secrets&) = delete;
    Secrets& operator=(const Secrets&) = delete;
    virtual ~Secrets();

    /// Read anew at each call, so that a secret renewed in its file counts at once.
    /// not_found: the configuration has no such value.
    virtual Result<std::string> get(std::string_view pointer) = 0;

    /// Keeps a value that the service rotated (a refresh token). From now on, also after a restart,
    /// get() returns it, until the administrator configures another value.
    virtual Status update(std::string_view pointer, std::string_view value) = 0;
};

class Clock {
public:
    Clock() = default;
    Clock(const Clock&) = delete;
    Clock& operator=(const Clock&) = delete;
    virtual ~Clock();

    [[nodiscard]] virtual std::chrono::system_clock::time_point now() const = 0;
    [[nodiscard]] virtual std::chrono::steady_clock::time_point steady_now() const = 0;
};

/// What the clock shows, as exactly as the model has it.
[[nodiscard]] inline Timestamp timestamp_of(const Clock& clock) {
    return std::chrono::floor<std::chrono::milliseconds>(clock.now());
}

/// Counters that the engine shows for the source ("requests", "throttled", "bytes_downloaded" are
/// part of every sync report; others appear under their own name). Names are few and fixed, in the
/// form that Prometheus reads: `requests_total{route="value",status="200"}`. Never an id in them.
class Metrics {
public:
    Metrics() = default;
    Metrics(const Metrics&) = delete;
    Metrics& operator=(const Metrics&) = delete;
    virtual ~Metrics();

    virtual void add(std::string_view counter, std::uint64_t amount) = 0;
};

/// Tells the engine that upstream has news, so that it does not wait for the next scheduled run: a
/// push channel (IMAP IDLE), or a webhook (ProviderSession::webhook()). Only a hint: what it says
/// may be lost, come twice or be wrong, since the next run finds everything by its cursors.
class Waker {
public:
    Waker() = default;
    Waker(const Waker&) = delete;
    Waker& operator=(const Waker&) = delete;
    virtual ~Waker();

    /// `account_id`: where there is news, empty if that is not known. Returns at once; may be
    /// called as often as the service tells, runs are joined. Outside the service (`sync`) it does
    /// nothing.
    virtual void changed(std::string_view account_id) = 0;

    /// False: nobody waits for news (outside the service), so that a push channel is not worth its
    /// connection. The same for the whole life of a session.
    [[nodiscard]] virtual bool listens() const { return true; }
};

struct HostServices {
    Logger& logger;
    Secrets& secrets;
    Clock& clock;
    Metrics& metrics;
    Waker& waker;
    /// A folder of the plugin's own for this source, created at need with mode 0700. Whatever is
    /// in it may be lost: cursors and secrets do not belong there.
    std::filesystem::path state_folder;
    /// The folder of the profile: relative paths in the configuration are relative to it.
    std::filesystem::path profile_folder;
    /// Where the service can reach ProviderSession::webhook(), for subscriptions; empty: nowhere.
    std::string webhook_url = {};
};

}  // namespace openarchiver::sdk
