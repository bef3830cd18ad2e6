#include "cli/screen.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <limits>
#include <utility>

#include "cli/table.hpp"

namespace openarchiver::cli {

namespace {

using namespace std::chrono_literals;

constexpr auto kLiveEvery = 200ms;
constexpr auto kPlainEvery = 5s;
constexpr auto kAnyLength = std::numeric_limits<std::size_t>::max();
constexpr std::string_view kEraseLine = "\r\x1b[K";

void write_all(std::string_view text) {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
}

}  // namespace

Screen::Screen() : terminal_(::isatty(STDERR_FILENO) == 1) {}

std::size_t Screen::columns() const {
    winsize size{};
    if (!terminal_ || ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return terminal_ ? 80 : 0;
    }
    return size.ws_col;
}

void Screen::print(std::string_view text) {
    const std::lock_guard lock(mutex_);
    if (line_.empty()) {
        write_all(text);
        return;
    }
    std::string all(kEraseLine);
    all += text;
    all += line_;
    write_all(all);
}

void Screen::progress(std::string_view line) {
    const std::lock_guard lock(mutex_);
    if (!terminal_ || (line.empty() && line_.empty())) {
        return;
    }
    // One column less than there is: a full line would wrap and stay.
    const std::size_t room = columns();
    line_ = fit(line, room > 1 ? room - 1 : room);
    std::string all(kEraseLine);
    all += line_;
    write_all(all);
}

ProgressDisplay::ProgressDisplay(Screen* screen, std::function<std::string(std::size_t)> render)
    : screen_(screen), render_(std::move(render)) {
    if (screen_ != nullptr) {
        thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
    }
}

ProgressDisplay::~ProgressDisplay() {
    if (screen_ != nullptr) {
        thread_.request_stop();
        thread_.join();
        screen_->progress({});
    }
}

void ProgressDisplay::run(const std::stop_token& stop) {
    const bool live = screen_->terminal();
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        if (live) {
            screen_->progress(render_(screen_->columns()));
        }
        const std::chrono::milliseconds every = live ? kLiveEvery : kPlainEvery;
        wake_.wait_for(lock, stop, every, [] { return false; });
        if (!live && !stop.stop_requested()) {
            screen_->print(render_(kAnyLength) + "\n");
        }
    }
}

}  // namespace openarchiver::cli
