#include "api/attachment_names.hpp"

#include <algorithm>
#include <array>

#include "export/utf8.hpp"

namespace openarchiver::api {

namespace {

constexpr std::size_t kMaxName = 150;
constexpr std::size_t kMaxEnding = 20;

bool is_alphanumeric(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Characters that are not seen, or change the direction of what follows: "gpj.exe" that looks like
/// "exe.jpg".
bool is_hidden(std::string_view character) {
    constexpr std::array<std::string_view, 4> kBegin{"\xE2\x80\x8B", "\xE2\x80\xA8", "\xE2\x81\xA0",
                                                     "\xEF\xBB\xBF"};
    constexpr std::array<std::string_view, 4> kLast{"\xE2\x80\x8F", "\xE2\x80\xAE", "\xE2\x81\xAF",
                                                    "\xEF\xBB\xBF"};
    if (character.size() == 2 && character >= "\xC2\x80" && character < "\xC2\xA0") {
        return true;  // C1 controls
    }
    for (std::size_t i = 0; i < kBegin.size(); ++i) {
        if (character >= kBegin[i] && character <= kLast[i]) {
            return true;
        }
    }
    return false;
}

std::string harmless(std::string_view name) {
    name.remove_prefix(name.find_last_of("/\\") + 1);
    std::string text;
    while (!name.empty()) {
        const std::size_t length = std::max<std::size_t>(exporter::utf8_length(name), 1);
        const std::string_view character = name.substr(0, length);
        name.remove_prefix(length);
        if (length == 1) {
            const char c = character.front();
            const bool control = static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
            const bool refused = std::string_view("\"*:<>?|").find(c) != std::string_view::npos ||
                                 static_cast<unsigned char>(c) >= 0x80;
            text += control || refused ? '_' : c;
        } else if (!is_hidden(character)) {
            text += character;
        }
    }
    // Hidden files, and what Windows leaves out at the end.
    text.erase(0, std::min(text.find_first_not_of(" ."), text.size()));
    text.erase(text.find_last_not_of(" .") + 1);
    return text;
}

/// At the end of a character.
std::string_view beginning(std::string_view text, std::size_t most) {
    std::size_t end = 0;
    while (end < text.size()) {
        const std::size_t length =
            std::max<std::size_t>(exporter::utf8_length(text.substr(end)), 1);
        if (end + length > most) {
            break;
        }
        end += length;
    }
    return text.substr(0, end);
}

bool is_device(std::string_view name) {
    std::string stem(name.substr(0, name.find('.')));
    std::ranges::transform(stem, stem.begin(), [](char c) {
        return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
    });
    const bool numbered = stem.size() == 4 && (stem.starts_with("COM") || stem.starts_with("LPT"));
    return stem == "CON" || stem == "PRN" || stem == "AUX" || stem == "NUL" || numbered;
}

}  // namespace

std::string file_name_of(const search::Attachment& attachment) {
    std::string name = harmless(attachment.name);
    if (name.empty()) {
        name = "attachment-" + std::to_string(attachment.number) +
               (attachment.media_type == "message/rfc822" ? ".eml" : "");
    }
    if (is_device(name)) {
        name.insert(0, "_");
    }
    if (name.size() > kMaxName) {
        const auto dot = name.rfind('.');
        const std::string ending =
            dot != std::string::npos && name.size() - dot <= kMaxEnding ? name.substr(dot) : "";
        name = std::string(beginning(name, kMaxName - ending.size())) + ending;
    }
    return name;
}

std::string media_type_of(const search::Attachment& attachment) {
    const std::string& type = attachment.media_type;
    constexpr std::size_t kLongest = 127;  // RFC 6838, 4.2
    const auto slash = type.find('/');
    const bool plain = slash != std::string::npos && slash > 0 && slash + 1 < type.size() &&
                       type.size() <= kLongest && std::ranges::count(type, '/') == 1 &&
                       std::ranges::all_of(type, [](char c) {
                           return is_alphanumeric(c) ||
                                  std::string_view("/!#$&-^_.+").find(c) != std::string_view::npos;
                       });
    return plain ? type : "application/octet-stream";
}

std::string content_disposition(std::string_view file_name) {
    std::string ascii;
    std::string all;
    for (const char c : file_name) {
        const auto byte = static_cast<unsigned char>(c);
        // Some browsers decode '%' in it (RFC 6266, appendix D).
        const bool plain = byte >= 0x20 && byte < 0x7F && c != '"' && c != '\\' && c != '%';
        ascii += plain ? c : '_';
        // attr-char of RFC 8187, 3.2.1.
        if (is_alphanumeric(c) || std::string_view("!#$&+-.^_`|~").find(c) != std::string::npos) {
            all += c;
        } else {
            constexpr std::string_view kDigits = "0123456789ABCDEF";
            all += {'%', kDigits[byte >> 4U], kDigits[byte & 0x0FU]};
        }
    }
    return "attachment; filename=\"" + ascii + "\"; filename*=UTF-8''" + all;
}

}  // namespace openarchiver::api
