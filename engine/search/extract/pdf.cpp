#include "search/extract/pdf.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>

#include "search/words.hpp"

namespace openarchiver::search::extract {

namespace {

constexpr const char* kProgram = "/usr/bin/pdftotext";
constexpr rlim_t kSeconds = 8;  // of processor time; the engine gives up on us soon after
constexpr std::size_t kMaxMessages = 4096;

struct Output {
    std::string text;
    std::string messages;
    int status = 0;
};

[[noreturn]] void become_pdftotext(int pdf, int text, int messages) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit limits{.rlim_cur = kSeconds, .rlim_max = kSeconds};
    ::setrlimit(RLIMIT_CPU, &limits);
    ::dup2(pdf, STDIN_FILENO);
    ::dup2(text, STDOUT_FILENO);
    ::dup2(messages, STDERR_FILENO);
    // Not our socket to the engine, whose number is that of standard input, nor anything else.
    ::close_range(STDERR_FILENO + 1, ~0U, 0);
    ::execl(kProgram, "pdftotext", "-q", "-enc", "UTF-8", "-eol", "unix", "/proc/self/fd/0", "-",
            nullptr);
    ::_exit(127);
}

/// Reads both pipes to their ends; what is more than wanted is read and dropped.
void read_both(int text, int messages, Output& output) {
    std::array<pollfd, 2> pipes{{{text, POLLIN, 0}, {messages, POLLIN, 0}}};
    std::array<char, 16384> piece;  // NOLINT: written before it is read
    while (pipes[0].fd >= 0 || pipes[1].fd >= 0) {
        if (::poll(pipes.data(), pipes.size(), -1) < 0 && errno != EINTR) {
            return;
        }
        for (std::size_t i = 0; i < pipes.size(); ++i) {
            if (pipes.at(i).fd < 0 || pipes.at(i).revents == 0) {
                continue;
            }
            const auto got = ::read(pipes.at(i).fd, piece.data(), piece.size());
            if (got <= 0) {
                pipes.at(i).fd = -1;
                continue;
            }
            auto& target = i == 0 ? output.text : output.messages;
            const std::size_t most = i == 0 ? kMaxAttachments + 1 : kMaxMessages;
            target.append(piece.data(),
                          std::min(static_cast<std::size_t>(got), most - target.size()));
        }
    }
}

bool run(std::string_view bytes, Output& output) {
    const int pdf = ::memfd_create("pdf", MFD_CLOEXEC);
    std::array<int, 2> text{-1, -1};
    std::array<int, 2> messages{-1, -1};
    bool ready = pdf >= 0 && ::pipe2(text.data(), O_CLOEXEC) == 0 &&
                 ::pipe2(messages.data(), O_CLOEXEC) == 0;
    while (ready && !bytes.empty()) {
        const auto written = ::write(pdf, bytes.data(), bytes.size());
        ready = written > 0;
        bytes.remove_prefix(ready ? static_cast<std::size_t>(written) : 0);
    }
    const pid_t child = ready ? ::fork() : -1;
    if (child == 0) {
        become_pdftotext(pdf, text[1], messages[1]);
    }
    for (const int end : {pdf, text[1], messages[1]}) {
        ::close(end);
    }
    if (child > 0) {
        read_both(text[0], messages[0], output);
        while (::waitpid(child, &output.status, 0) < 0 && errno == EINTR) {
        }
    }
    ::close(text[0]);
    ::close(messages[0]);
    return child > 0;
}

bool has_words(std::string_view text) {
    bool any = false;
    for_each_word(text, WordsOf::text, [&](const Word&) {
        any = true;
        return false;
    });
    return any;
}

}  // namespace

void pdf_text(std::string_view bytes, std::string_view name, TextSink& sink) {
    if (::access(kProgram, X_OK) != 0) {
        sink.gap(GapReason::unsupported, name);
        return;
    }
    Output output;
    const bool ran = run(bytes, output);
    sink.text(Field::attachment, output.text);
    if (output.messages.find("ncorrect password") != std::string::npos) {
        sink.gap(GapReason::encrypted, name);
    } else if (!ran || !WIFEXITED(output.status) || WEXITSTATUS(output.status) != 0) {
        sink.gap(GapReason::failed, name);
    } else if (!has_words(output.text)) {
        sink.gap(GapReason::no_text, name);
    }
}

}  // namespace openarchiver::search::extract
