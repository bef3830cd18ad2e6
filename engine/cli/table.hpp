#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <string>
#include <string_view>
#include <vector>

/// Text for people.
namespace openarchiver::cli {

/// How many columns a UTF-8 text takes on a terminal.
[[nodiscard]] std::size_t display_width(std::string_view text);
/// The front of `text` that fits, ending with an ellipsis where something was cut. Control
/// characters become spaces: what a service sends must not steer the terminal.
[[nodiscard]] std::string fit(std::string_view text, std::size_t columns);

/// "1.4 GiB"
[[nodiscard]] std::string size_text(std::uint64_t bytes);
/// "1,234,567"
[[nodiscard]] std::string count_text(std::uint64_t count);
/// "45s", "12m 05s", "3h 20m", "2d 4h"
[[nodiscard]] std::string duration_text(std::chrono::milliseconds duration);
/// "2026-03-01 14:05:09" in UTC; "never" for 0.
[[nodiscard]] std::string time_text(sdk::Timestamp time);
/// Id, address or path for people: as fit(), unlimited.
[[nodiscard]] std::string plain(std::string_view text);

/// Columns aligned by display width, two spaces apart, headed by their names.
class Table {
public:
    enum class Align : std::uint8_t { left, right };

    struct Column {
        std::string name;
        Align align = Align::left;
        /// Longer values are cut; 0: never.
        std::size_t limit = 0;
    };

    explicit Table(std::vector<Column> columns);
    void row(std::vector<std::string> cells);

    [[nodiscard]] bool empty() const { return rows_.empty(); }

    [[nodiscard]] std::string text() const;

private:
    std::vector<Column> columns_;
    std::vector<std::vector<std::string>> rows_;
};

}  // namespace openarchiver::cli
