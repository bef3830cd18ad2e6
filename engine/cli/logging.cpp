#include "cli/logging.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <mutex>
#include <string>

#include "cli/screen.hpp"

namespace openarchiver::cli {

namespace {

class ScreenSink final : public spdlog::sinks::base_sink<std::mutex> {
public:
    explicit ScreenSink(Screen& screen) : screen_(screen) {}

protected:
    void sink_it_(const spdlog::details::log_msg& message) override {
        spdlog::memory_buf_t text;
        formatter_->format(message, text);
        screen_.print({text.data(), text.size()});
    }

    void flush_() override {}

private:
    Screen& screen_;
};

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(Screen& screen, std::string_view level) {
    auto logger = std::make_shared<spdlog::logger>("engine", std::make_shared<ScreenSink>(screen));
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n: %v", spdlog::pattern_time_type::utc);
    logger->set_level(spdlog::level::from_str(std::string(level)));
    return logger;
}

}  // namespace openarchiver::cli
