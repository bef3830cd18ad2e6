#include "notify/plain_text.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "export/utf8.hpp"

namespace openarchiver::notify {

std::string one_line(std::string_view text, std::size_t limit) {
    std::string line = exporter::valid_utf8(text.substr(0, limit));
    std::ranges::replace_if(
        line, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
    return line;
}

std::string plain_text(std::string_view text, std::size_t limit) {
    std::string line = one_line(text, limit);
    constexpr std::string_view kAround = " <>()[]\"',;:";
    for (std::size_t at = line.find('@'); at != std::string::npos; at = line.find('@', at)) {
        const std::size_t before = line.find_last_of(kAround, at);
        const std::size_t begin = before == std::string::npos ? 0 : before + 1;
        const std::size_t end = std::min(line.find_first_of(kAround, at), line.size());
        line.replace(begin, end - begin, "(address)");
        at = begin;
    }
    return line;
}

std::string size_text(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> kUnits{"bytes", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    for (; unit + 1 < kUnits.size() && bytes >= 10 * 1024; ++unit) {
        bytes /= 1024;
    }
    return std::to_string(bytes) + " " + std::string(kUnits[unit]);
}

}  // namespace openarchiver::notify
