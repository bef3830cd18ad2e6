#include "cli/logging.hpp"

#include <spdlog/formatter.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <mutex>
#include <string>

#include "catalog/iso_time.hpp"
#include "cli/screen.hpp"
#include "export/utf8.hpp"

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

/// "OA-1203", with which messages begin (docs/messages.md); empty where there is none.
std::string_view id_of(std::string_view message) {
    constexpr std::string_view kPrefix = "OA-";
    constexpr std::size_t kDigits = 4;
    const std::size_t end = kPrefix.size() + kDigits;
    const bool has_id = message.starts_with(kPrefix) && message.size() > end &&
                        message[end] == ' ' &&
                        std::ranges::all_of(message.substr(kPrefix.size(), kDigits),
                                            [](char c) { return c >= '0' && c <= '9'; });
    return has_id ? message.substr(0, end) : std::string_view();
}

/// A JSON object on each line.
class JsonFormatter final : public spdlog::formatter {
public:
    void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& line) override {
        const std::string_view text(message.payload.data(), message.payload.size());
        const std::string_view id = id_of(text);
        const auto level = spdlog::level::to_string_view(message.level);
        boost::json::object object{
            {"time", catalog::iso_time(
                         std::chrono::time_point_cast<std::chrono::milliseconds>(message.time))},
            {"level", std::string_view(level.data(), level.size())},
            {"name", std::string_view(message.logger_name.data(), message.logger_name.size())},
            {"id", nullptr},
            {"message", exporter::valid_utf8(id.empty() ? text : text.substr(id.size() + 1))}};
        if (!id.empty()) {
            object["id"] = id;
        }
        const std::string all = boost::json::serialize(object) + "\n";
        line.append(all.data(), all.data() + all.size());
    }

    [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
        return std::make_unique<JsonFormatter>();
    }
};

}  // namespace

std::shared_ptr<spdlog::logger> make_logger(Screen& screen, std::string_view level,
                                            std::string_view format) {
    auto logger = std::make_shared<spdlog::logger>("engine", std::make_shared<ScreenSink>(screen));
    if (format == "json") {
        logger->set_formatter(std::make_unique<JsonFormatter>());
    } else {
        logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %n: %v", spdlog::pattern_time_type::utc);
    }
    logger->set_level(spdlog::level::from_str(std::string(level)));
    return logger;
}

}  // namespace openarchiver::cli
