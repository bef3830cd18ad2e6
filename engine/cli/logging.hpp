#pragma once

#include <memory>
#include <string_view>

namespace spdlog {
class logger;
}

namespace openarchiver::cli {

class Screen;

/// The program's logger: lines with time, level and name on the screen, which outlives it. `level`
/// is one of kLogLevels.
std::shared_ptr<spdlog::logger> make_logger(Screen& screen, std::string_view level);

/// What --log-level takes.
inline constexpr std::string_view kLogLevels[] = {"trace",   "debug", "info",
                                                  "warning", "error", "off"};

}  // namespace openarchiver::cli
