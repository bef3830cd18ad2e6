#include "search/extractor.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <optional>
#include <utility>

#include "search/extract/wire.hpp"
#include "search/words.hpp"

namespace openarchiver::search {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

/// For the message's own text, then for each attachment.
constexpr std::int64_t kTime = 10'000;
constexpr std::size_t kMaxMessage = std::size_t{48} << 20;
/// Memory that libraries never gave back goes with the process.
constexpr int kMessagesEach = 5000;
constexpr int kMaxDeaths = 8;  // of one message
constexpr std::size_t kMaxGaps = 100;
constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxId = 998;

}  // namespace

Result<std::filesystem::path> extractor_program() {
    std::error_code failure;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", failure);
    const auto program = self.parent_path() / "openarchiver-extract";
    if (failure || ::access(program.c_str(), X_OK) != 0) {
        return Error{Errc::not_found,
                     "the program that reads texts for the search index is not "
                     "at " +
                         program.string() + ": install it beside this one"};
    }
    return program;
}

/// What is there of a message, over all processes that tried.
struct Extractor::Attempt {
    wire::Request request;
    Document document;
    std::string attachments;  ///< text of those before the current one
    std::optional<std::uint32_t> current;
    std::string name;  ///< of the current attachment
    bool done = false;
    std::vector<Gap> gaps;  ///< of attachments before the current one

    /// What came of the message itself comes again.
    void begin_again() {
        document = {};
        document[Field::attachment] = attachments;
    }
};

Extractor::~Extractor() {
    end();
}

Status Extractor::start() {
    if (process_ > 0 && messages_ >= kMessagesEach) {
        end();
    }
    if (process_ > 0) {
        return {};
    }
    std::array<int, 2> sockets{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) {
        return Error{Errc::resource_exhausted,
                     std::string("no sockets for the extractor: ") + std::strerror(errno)};
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, sockets[1], STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t signals;
    sigemptyset(&signals);
    posix_spawnattr_setsigmask(&attributes, &signals);
    sigfillset(&signals);
    posix_spawnattr_setsigdefault(&attributes, &signals);
    // A group of its own: an interrupt from the terminal is the engine's to handle.
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(
        &attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::string program = program_.string();
    std::array<char*, 2> arguments{program.data(), nullptr};
    // No environment: it may have secrets.
    std::array<char*, 1> environment{nullptr};
    const int failure = ::posix_spawn(&process_, program.c_str(), &actions, &attributes,
                                      arguments.data(), environment.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    ::close(sockets[1]);
    if (failure != 0) {
        ::close(sockets[0]);
        process_ = -1;
        return Error{Errc::unavailable, "can't start " + program + ": " + std::strerror(failure)};
    }
    socket_ = sockets[0];
    channel_.emplace(socket_);
    messages_ = 0;
    return {};
}

void Extractor::end() noexcept {
    if (socket_ >= 0) {
        ::close(std::exchange(socket_, -1));
    }
    if (process_ > 0) {
        ::kill(process_, SIGKILL);
        while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
        }
        process_ = -1;
    }
}

/// Errors of the process are unavailable, timed_out and corrupt; others are `part`'s.
Status Extractor::run(const std::string& message, Attempt& attempt, const ReadPart& part) {
    Document& document = attempt.document;
    std::int64_t deadline = wire::now() + kTime;
    OPENARCHIVER_CHECK(
        channel_->put(wire::Kind::message, wire::encode(attempt.request), message, deadline));
    OPENARCHIVER_CHECK(channel_->flush(deadline));
    while (true) {
        OPENARCHIVER_TRY(const wire::Record record, channel_->receive(deadline));
        const std::string_view bytes = record.bytes;
        switch (record.kind) {
            case wire::Kind::text: {
                const auto field = bytes.empty() ? kFields : static_cast<unsigned char>(bytes[0]);
                if (field >= kFields) {
                    return Error{Errc::corrupt, "the extractor named a field that there is not"};
                }
                document.fields.at(field) += plain_utf8(bytes.substr(1));
                break;
            }
            case wire::Kind::attachment:
                attempt.attachments = document[Field::attachment];
                attempt.gaps = document.gaps;
                attempt.current = wire::decode_number(bytes);
                attempt.name = plain_utf8(bytes.substr(std::min<std::size_t>(4, bytes.size())));
                deadline = wire::now() + kTime;
                break;
            case wire::Kind::gap:
                if (!bytes.empty() && static_cast<unsigned char>(bytes[0]) <= 4 &&
                    document.gaps.size() < kMaxGaps) {
                    document.gaps.push_back(
                        {static_cast<GapReason>(bytes[0]), plain_utf8(bytes.substr(1, kMaxName))});
                }
                break;
            case wire::Kind::need: {
                auto content = part(wire::decode_number(bytes));
                if (!content) {
                    end();  // it waits for an answer
                    return content.error();
                }
                deadline = wire::now() + kTime;
                OPENARCHIVER_CHECK(channel_->put(wire::Kind::part, "", *content, deadline));
                OPENARCHIVER_CHECK(channel_->flush(deadline));
                break;
            }
            case wire::Kind::message_id:
                document.message_id = bytes.substr(0, kMaxId);
                break;
            case wire::Kind::reference:
                document.references.emplace_back(bytes.substr(0, kMaxId));
                break;
            case wire::Kind::has_attachment:
                document.has_attachment = true;
                break;
            case wire::Kind::end:
                attempt.done = true;
                return {};
            default:
                return Error{Errc::corrupt, "the extractor sent what there is not"};
        }
    }
}

Result<Document> Extractor::extract(const std::string& message, bool attachments,
                                    const ReadPart& part, const std::stop_token& stop) {
    Attempt attempt;
    attempt.request.attachments = attachments;
    const bool too_large = message.size() > kMaxMessage;
    const std::string beginning = too_large ? message.substr(0, kMaxMessage) : std::string();
    std::vector<Gap> deaths;
    for (int death = 0; !attempt.done && death < kMaxDeaths; ++death) {
        if (stop.stop_requested()) {
            return Error{Errc::cancelled, "stopped"};
        }
        OPENARCHIVER_CHECK(start());
        attempt.begin_again();
        attempt.current.reset();
        const bool fresh = messages_++ == 0;
        Status ran;
        {
            const std::stop_callback killer(stop, [this] { ::kill(process_, SIGKILL); });
            ran = run(too_large ? beginning : message, attempt, part);
        }
        if (ran) {
            break;
        }
        const auto code = ran.error().code;
        end();
        if (stop.stop_requested()) {
            return Error{Errc::cancelled, "stopped"};
        }
        if (code != Errc::unavailable && code != Errc::timed_out && code != Errc::corrupt) {
            return ran.error();
        }
        if (!fresh && code == Errc::unavailable) {
            continue;  // it may have died of what it read before
        }
        if (!attempt.current) {
            break;
        }
        deaths.insert(deaths.end(), attempt.gaps.begin(), attempt.gaps.end());
        deaths.push_back({GapReason::failed, attempt.name});
        attempt.request.first_attachment = *attempt.current + 1;
    }
    Document document = std::move(attempt.document);
    if (!attempt.done) {
        document.gaps.push_back({GapReason::failed, ""});
    }
    for (auto& gap : deaths) {
        if (std::ranges::find(document.gaps, gap) == document.gaps.end()) {
            document.gaps.push_back(std::move(gap));
        }
    }
    if (too_large) {
        document.gaps.push_back({GapReason::too_large, ""});
    }
    return document;
}

}  // namespace openarchiver::search
