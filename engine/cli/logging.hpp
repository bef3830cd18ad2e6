#pragma once

#include <memory>
#include <string_view>

namespace spdlog {
class logger;
}

namespace openarchiver::cli {

class Screen;

/// The program's logger: lines with time, level and name on the screen, which outlives it. `level`
/// is one of kLogLevels, `format` one of kLogFormats.
std::shared_ptr<spdlog::logger> make_logger(Screen& screen, std::string_view level,
                                            std::string_view format);

/// What --log-level takes.
inline constexpr std::string_view kLogLevels[] = {"trace",   "debug", "info",
                                                  "warning", "error", "off"};

/// What --log-format takes.
inline constexpr std::string_view kLogFormats[] = {"text", "json"};

}  // namespace openarchiver::cli
