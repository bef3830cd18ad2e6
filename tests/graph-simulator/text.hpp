// String helpers: case folding, splitting and percent-coding.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace graph_simulator {

std::string lower(std::string_view text);
bool iequals(std::string_view a, std::string_view b);
bool istarts_with(std::string_view text, std::string_view prefix);
std::string_view trim(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);

// Nothing for a broken escape.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);
std::string percent_encode(std::string_view text);

bool is_guid(std::string_view text);

// Replaces what is not valid UTF-8, so that it may enter JSON.
std::string valid_utf8(std::string_view text);

}  // namespace graph_simulator
