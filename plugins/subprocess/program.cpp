#include "program.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

#include "failure.hpp"
#include "messages.hpp"
#include "trusted_command.hpp"

namespace openarchiver::subprocess {

namespace {

namespace json = boost::json;
using sdk::Errc;
using std::chrono::milliseconds;

constexpr std::int64_t kProtocol = 1;
constexpr std::size_t kMaxLine = std::size_t{4} << 20U;
constexpr std::uint64_t kMaxPiece = std::uint64_t{1} << 20U;
constexpr std::size_t kRead = std::size_t{64} << 10U;
/// How long a poll may last before the stop token is looked at.
constexpr milliseconds kSlice{100};
constexpr milliseconds kToExit{1000};
constexpr int kPartsOfErrors = 16;

constexpr std::string_view kSeeLog = "; what it writes to standard error is in the log";

std::string file_name(const std::string& path) {
    return path.substr(path.rfind('/') + 1);
}

}  // namespace

Program::Program(const Settings& settings, const sdk::HostServices& host,
                 std::vector<std::string> secrets, std::unique_ptr<ChildProcess> child)
    : settings_(settings),
      host_(host),
      secrets_(std::move(secrets)),
      redaction_(secrets_),
      name_(file_name(settings.command.front())),
      child_(std::move(child)),
      error_lines_(host.logger, redaction_) {}

Program::~Program() {
    if (usable_ && !in_content_) {
        drain_errors();
        child_->finish(kToExit);
    }
    error_lines_.flush();
}

// Starting

sdk::Result<std::unique_ptr<Program>> Program::start(const Settings& settings,
                                                     const sdk::HostServices& host,
                                                     std::vector<std::string> secrets,
                                                     const std::stop_token& stop) {
    OPENARCHIVER_TRY(std::filesystem::path file,
                     trusted_program(settings.command, host.profile_folder));
    OPENARCHIVER_TRY(auto child, ChildProcess::start({.program = std::move(file),
                                                      .command = settings.command,
                                                      .folder = host.profile_folder,
                                                      .memory_bytes = settings.memory_bytes}));
    std::unique_ptr<Program> program(
        new Program(settings, host, std::move(secrets), std::move(child)));
    OPENARCHIVER_CHECK(program->shake_hands(stop));
    return program;
}

sdk::Status Program::shake_hands(const std::stop_token& stop) {
    json::object secrets;
    for (std::size_t i = 0; i < secrets_.size(); ++i) {
        secrets[settings_.secrets[i]] = secrets_[i];
    }
    OPENARCHIVER_TRY(const json::object hello,
                     ask("hello",
                         {{"protocol", kProtocol},
                          {"config", json::parse(settings_.config_json)},
                          {"secrets", std::move(secrets)},
                          {"profile_folder", host_.profile_folder.string()},
                          {"state_folder", host_.state_folder.string()}},
                         stop));
    const json::value* const protocol = hello.if_contains("protocol");
    if (protocol == nullptr || *protocol != json::value(kProtocol)) {
        return broken(Errc::invalid_config,
                      "speaks " +
                          (protocol == nullptr ? "no" : "the " + json::serialize(*protocol)) +
                          " version of the protocol that this provider knows (" +
                          std::to_string(kProtocol) + ")");
    }
    for (const char* const member : {"name", "version"}) {
        const json::value* const value = hello.if_contains(member);
        if (value != nullptr && value->is_string()) {
            title_ += (title_.empty() ? "" : " ") + std::string(value->get_string());
        }
    }
    return {};
}

// What goes wrong

sdk::Error Program::broken(Errc code, std::string_view what) {
    drain_errors();
    usable_ = false;
    child_->kill();
    return failure(code, "the program " + name_ + " " + std::string(what));
}

sdk::Error Program::misbehaved(std::string_view what) {
    return broken(Errc::internal, "does not keep to the protocol: " + std::string(what));
}

sdk::Error Program::died() {
    drain_errors();
    usable_ = false;
    const ChildProcess::End end = child_->end();
    if (end.by_cpu_limit) {
        return failure(Errc::timed_out, "the program " + name_ + " used more than " +
                                            std::to_string(settings_.cpu_time.count()) +
                                            " s of processor time for \"" + call_ +
                                            "\" and was ended (cpu_seconds)");
    }
    return failure(Errc::unavailable, "the program " + name_ + " ended (" + end.text +
                                          ") before it had answered \"" + call_ + "\"" +
                                          std::string(kSeeLog));
}

bool Program::usable() {
    if (!usable_ || in_content_) {
        return false;
    }
    drain_errors();
    pollfd output{.fd = child_->output(), .events = POLLIN, .revents = 0};
    if (at_ == buffer_.size() && ::poll(&output, 1, 0) == 0) {
        return true;
    }
    const bool ended = at_ == buffer_.size() && (output.revents & POLLIN) == 0;
    const sdk::Error error = ended ? broken(Errc::unavailable, "ended while it had nothing to do")
                                   : misbehaved("it wrote what nobody had asked for");
    host_.logger.log(sdk::LogLevel::warning, "OA-8402 " + error.message);
    return false;
}

// Lines

void Program::drain_errors() {
    std::array<char, kRead> bytes{};
    // Not to the end: it may write faster than it is read.
    for (int part = 0; part < kPartsOfErrors && child_->errors() >= 0; ++part) {
        const ssize_t count = ::read(child_->errors(), bytes.data(), bytes.size());
        if (count <= 0) {
            return;
        }
        error_lines_.take({bytes.data(), static_cast<std::size_t>(count)});
    }
}

sdk::Status Program::wait(int descriptor, short events, const std::stop_token& stop) {
    bool errors_open = true;
    for (;;) {
        if (stop.stop_requested()) {
            return broken(Errc::cancelled, "was ended: the engine stops");
        }
        const auto left =
            std::chrono::ceil<milliseconds>(deadline_ - std::chrono::steady_clock::now());
        if (left <= milliseconds(0)) {
            return broken(Errc::timed_out, "did not answer \"" + call_ + "\" within " +
                                               std::to_string(settings_.answer_time.count()) +
                                               " s and was ended (answer_seconds)" +
                                               std::string(kSeeLog));
        }
        std::array<pollfd, 2> entries{
            pollfd{.fd = descriptor, .events = events, .revents = 0},
            pollfd{.fd = errors_open ? child_->errors() : -1, .events = POLLIN, .revents = 0}};
        const int count = ::poll(entries.data(), entries.size(),
                                 static_cast<int>(std::min(left, kSlice).count()));
        if (count < 0 && errno != EINTR) {
            return broken(Errc::internal, "can't be listened to");
        }
        if (count > 0 && entries[1].revents != 0) {
            drain_errors();
            errors_open = (entries[1].revents & POLLIN) != 0;
        }
        if (count > 0 && entries[0].revents != 0) {
            return {};
        }
    }
}

sdk::Status Program::fill(const std::stop_token& stop) {
    if (at_ > 0) {
        buffer_.erase(0, std::exchange(at_, 0));
    }
    OPENARCHIVER_CHECK(wait(child_->output(), POLLIN, stop));
    const std::size_t size = buffer_.size();
    buffer_.resize(size + kRead);
    const ssize_t count = ::read(child_->output(), buffer_.data() + size, kRead);
    buffer_.resize(size + (count > 0 ? static_cast<std::size_t>(count) : 0));
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
        return died();
    }
    return {};
}

sdk::Result<std::string> Program::read_line(const std::stop_token& stop) {
    for (std::size_t searched = 0;;) {
        const std::size_t end = buffer_.find('\n', at_ + searched);
        if (end != std::string::npos) {
            std::string line = buffer_.substr(at_, end - at_);
            at_ = end + 1;
            return line;
        }
        searched = buffer_.size() - at_;
        if (searched > kMaxLine) {
            return misbehaved("a line of its output is longer than 4 MiB");
        }
        OPENARCHIVER_CHECK(fill(stop));
    }
}

// Requests and answers

sdk::Status Program::send(std::string_view call, json::object parameters,
                          const std::stop_token& stop) {
    if (!usable_) {
        return failure(Errc::unavailable, "the program " + name_ + " was ended before");
    }
    call_ = call;
    deadline_ = std::chrono::steady_clock::now() + settings_.answer_time;
    child_->limit_cpu(settings_.cpu_time);
    json::object request{{"id", ++id_}, {"call", call}};
    for (auto& [name, value] : parameters) {
        request[name] = std::move(value);
    }
    const std::string line = json::serialize(request) + "\n";
    host_.metrics.add("requests", 1);
    for (std::size_t done = 0; done < line.size();) {
        const ssize_t count =
            ::send(child_->input(), line.data() + done, line.size() - done, MSG_NOSIGNAL);
        if (count >= 0) {
            done += static_cast<std::size_t>(count);
        } else if (errno != EAGAIN && errno != EINTR) {
            return died();
        } else {
            OPENARCHIVER_CHECK(wait(child_->input(), POLLOUT, stop));
        }
    }
    return {};
}

sdk::Result<json::object> Program::ask(std::string_view call, json::object parameters,
                                       const std::stop_token& stop) {
    OPENARCHIVER_CHECK(send(call, std::move(parameters), stop));
    OPENARCHIVER_TRY(Answer answer, next_answer(stop));
    if (!answer.result) {
        return misbehaved("it sent a content that nobody had asked for");
    }
    return std::move(*answer.result);
}

sdk::Result<Program::Answer> Program::next_answer(const std::stop_token& stop) {
    for (;;) {
        OPENARCHIVER_TRY(const std::string line, read_line(stop));
        OPENARCHIVER_TRY(auto answer, take_line(line));
        if (answer) {
            return std::move(*answer);
        }
    }
}

sdk::Result<std::optional<Program::Answer>> Program::take_line(std::string_view line) {
    // Boost.JSON refuses what is no UTF-8, too.
    json::error_code error;
    const json::value value = json::parse({line.data(), line.size()}, error);
    const json::object* const object = error ? nullptr : value.if_object();
    if (object == nullptr) {
        return misbehaved("a line of its output (" + std::to_string(line.size()) +
                          " bytes, while it was asked \"" + call_ + "\") is no JSON object" +
                          (error ? " (" + error.message() + ")" : "") +
                          "; nothing but answers may go to standard output");
    }
    if (const json::value* const entry = object->if_contains("log")) {
        OPENARCHIVER_CHECK(take_log(*entry));
        return std::optional<Answer>();
    }
    if (const json::value* const entry = object->if_contains("secret")) {
        OPENARCHIVER_CHECK(take_secret(*entry));
        return std::optional<Answer>();
    }
    const json::value* const id = object->if_contains("id");
    if (id == nullptr || *id != json::value(id_)) {
        return misbehaved("it answered the request " +
                          (id == nullptr ? "without an id" : json::serialize(*id).substr(0, 40)) +
                          ", and " + std::to_string(id_) + " (\"" + call_ + "\") was asked");
    }
    if (const json::value* const told = object->if_contains("error")) {
        return answered_error(*told);
    }
    Answer answer;
    if (const json::value* const bytes = object->if_contains("bytes")) {
        const std::int64_t* const size = bytes->if_int64();
        if (size == nullptr || *size < 1 || static_cast<std::uint64_t>(*size) > kMaxPiece) {
            return misbehaved("the \"bytes\" of a piece are from 1 to 1048576");
        }
        answer.piece = static_cast<std::uint64_t>(*size);
        return std::optional(std::move(answer));
    }
    const json::value* const result = object->if_contains("result");
    if (result == nullptr || !result->is_object()) {
        return misbehaved("its answer to \"" + call_ + "\" has neither a result nor an error");
    }
    answer.result = result->get_object();
    return std::optional(std::move(answer));
}

sdk::Error Program::answered_error(const json::value& told) {
    sdk::Error error;
    if (const sdk::Status parsed = parse_error(told, error); !parsed) {
        return misbehaved(parsed.error().message);
    }
    in_content_ = false;
    error.message = redaction_(error.message);
    if (error.code == Errc::rate_limited) {
        host_.metrics.add("throttled", 1);
    }
    return error;
}

sdk::Status Program::take_log(const json::value& entry) {
    const json::object* const object = entry.if_object();
    const json::value* const message = object ? object->if_contains("message") : nullptr;
    if (message == nullptr || !message->is_string()) {
        return misbehaved("a log line has no message");
    }
    const json::value* const level = object->if_contains("level");
    const auto is = [level](const char* name) {
        return level != nullptr && *level == json::value(name);
    };
    host_.logger.log(is("error")     ? sdk::LogLevel::error
                     : is("warning") ? sdk::LogLevel::warning
                     : is("debug")   ? sdk::LogLevel::debug
                                     : sdk::LogLevel::info,
                     redaction_(std::string_view(message->get_string()).substr(0, 2048)));
    return {};
}

sdk::Status Program::take_secret(const json::value& entry) {
    const json::object* const object = entry.if_object();
    const json::value* const name = object ? object->if_contains("name") : nullptr;
    const json::value* const value = object ? object->if_contains("value") : nullptr;
    if (name == nullptr || value == nullptr || !name->is_string() || !value->is_string()) {
        return misbehaved("a secret has no name or no value");
    }
    const auto known = std::ranges::find(settings_.secrets, std::string_view(name->get_string()));
    if (known == settings_.secrets.end()) {
        return misbehaved("it renewed a secret that the configuration does not have");
    }
    const auto index = static_cast<std::size_t>(known - settings_.secrets.begin());
    return host_.secrets.update(secret_pointer(index), std::string(value->get_string()));
}

// Contents

sdk::Status Program::begin_content(json::object parameters, const std::stop_token& stop) {
    OPENARCHIVER_CHECK(send("content", std::move(parameters), stop));
    in_content_ = true;
    content_size_ = 0;
    return next_piece(stop);
}

sdk::Status Program::next_piece(const std::stop_token& stop) {
    deadline_ = std::chrono::steady_clock::now() + settings_.answer_time;
    OPENARCHIVER_TRY(const Answer answer, next_answer(stop));
    if (!answer.result) {
        piece_left_ = answer.piece;
        content_size_ += answer.piece;
        return {};
    }
    const json::value* const size = answer.result->if_contains("size");
    if (size == nullptr || *size != json::value(content_size_)) {
        return misbehaved("it says that a content has " +
                          (size == nullptr ? "no size" : json::serialize(*size).substr(0, 40)) +
                          ", and sent " + std::to_string(content_size_) + " bytes of it");
    }
    in_content_ = false;
    return {};
}

sdk::Result<std::size_t> Program::read_content(std::span<std::byte> buffer,
                                               const std::stop_token& stop) {
    if (in_content_ && piece_left_ == 0) {
        OPENARCHIVER_CHECK(next_piece(stop));
    }
    if (!in_content_) {
        return std::size_t{0};
    }
    if (at_ == buffer_.size()) {
        deadline_ = std::chrono::steady_clock::now() + settings_.answer_time;
        while (at_ == buffer_.size()) {
            OPENARCHIVER_CHECK(fill(stop));
        }
    }
    const std::size_t count =
        std::min({buffer.size(), buffer_.size() - at_,
                  static_cast<std::size_t>(std::min<std::uint64_t>(piece_left_, kMaxPiece))});
    std::memcpy(buffer.data(), buffer_.data() + at_, count);
    at_ += count;
    piece_left_ -= count;
    host_.metrics.add("bytes_downloaded", count);
    return count;
}

}  // namespace openarchiver::subprocess
