#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "child_process.hpp"
#include "error_lines.hpp"
#include "settings.hpp"

namespace openarchiver::subprocess {

/// One running program that answers one request at a time (docs/subprocess-provider.md). Used by
/// one thread at a time. What breaks the protocol ends the program: internal for what it should not
/// have said, unavailable where it died, timed_out, cancelled where the stop token was triggered.
class Program {
public:
    /// Runs it and makes the handshake. invalid_config: it can't be run.
    static sdk::Result<std::unique_ptr<Program>> start(const Settings& settings,
                                                       const sdk::HostServices& host,
                                                       std::vector<std::string> secrets,
                                                       const std::stop_token& stop);

    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;
    /// Ends it: by the end of its input, and by a signal where that does not help.
    ~Program();

    /// What it said of itself.
    [[nodiscard]] const std::string& title() const { return title_; }

    /// What it was started with.
    [[nodiscard]] const std::vector<std::string>& secrets() const { return secrets_; }

    /// Whether it waits for a request. One that said something unasked does not.
    [[nodiscard]] bool usable();

    /// Asks, and returns the result, or the error that it answers.
    sdk::Result<boost::json::object> ask(std::string_view call, boost::json::object parameters,
                                         const std::stop_token& stop);

    /// Asks for a content, up to its first piece; errors as ask().
    sdk::Status begin_content(boost::json::object parameters, const std::stop_token& stop);
    /// 0: the end, as long as the program said that it would be.
    sdk::Result<std::size_t> read_content(std::span<std::byte> buffer, const std::stop_token& stop);

    /// Ends it, for an answer that makes no sense.
    [[nodiscard]] sdk::Error misbehaved(std::string_view what);

    [[nodiscard]] std::string redacted(std::string_view text) const { return redaction_(text); }

private:
    using Deadline = std::chrono::steady_clock::time_point;

    Program(const Settings& settings, const sdk::HostServices& host,
            std::vector<std::string> secrets, std::unique_ptr<ChildProcess> child);

    sdk::Status shake_hands(const std::stop_token& stop);
    sdk::Status send(std::string_view call, boost::json::object parameters,
                     const std::stop_token& stop);

    /// A line of the answer that is waited for: its result, or the size of the piece that follows.
    struct Answer {
        std::optional<boost::json::object> result;
        std::uint64_t piece = 0;
    };

    sdk::Result<Answer> next_answer(const std::stop_token& stop);
    sdk::Result<std::optional<Answer>> take_line(std::string_view line);
    sdk::Result<std::string> read_line(const std::stop_token& stop);
    sdk::Status fill(const std::stop_token& stop);
    /// Waits until the descriptor is ready, and meanwhile takes what comes as errors.
    sdk::Status wait(int descriptor, short events, const std::stop_token& stop);
    void drain_errors();
    sdk::Status next_piece(const std::stop_token& stop);
    sdk::Status take_log(const boost::json::value& entry);
    sdk::Status take_secret(const boost::json::value& entry);
    sdk::Error answered_error(const boost::json::value& error);

    /// Ends the program; `what` happened to it.
    sdk::Error broken(sdk::Errc code, std::string_view what);
    sdk::Error died();

    const Settings& settings_;
    const sdk::HostServices host_;
    const std::vector<std::string> secrets_;
    const Redaction redaction_;
    const std::string name_;
    std::unique_ptr<ChildProcess> child_;
    ErrorLines error_lines_;
    bool usable_ = true;
    std::string title_;

    std::string call_;  // what it was asked last
    std::uint64_t id_ = 0;
    Deadline deadline_;
    std::string buffer_;  // of its output, from `at_` on not taken yet
    std::size_t at_ = 0;
    bool in_content_ = false;
    std::uint64_t piece_left_ = 0;
    std::uint64_t content_size_ = 0;
};

}  // namespace openarchiver::subprocess
