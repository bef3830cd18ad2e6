#include "error_lines.hpp"

namespace openarchiver::subprocess {

namespace {

constexpr std::size_t kMaxLine = 2048;
/// Shorter ones would take words apart.
constexpr std::size_t kLeastSecret = 4;

}  // namespace

std::string Redaction::operator()(std::string_view text) const {
    std::string plain(text);
    for (const std::string& secret : secrets_) {
        if (secret.size() < kLeastSecret) {
            continue;
        }
        for (std::size_t at = plain.find(secret); at != std::string::npos;
             at = plain.find(secret, at)) {
            plain.replace(at, secret.size(), "***");
            at += 3;
        }
    }
    return plain;
}

void ErrorLines::take(std::string_view bytes) {
    for (const char c : bytes) {
        if (c == '\n') {
            flush();
        } else if (line_.size() < kMaxLine) {
            line_ += c;
        } else {
            cut_ = true;
        }
    }
}

void ErrorLines::flush() {
    // First the secrets, which may have any characters.
    std::string line = redaction_(line_);
    for (char& c : line) {
        const auto byte = static_cast<unsigned char>(c);
        c = byte >= 0x7F || (byte < 0x20 && c != '\t') ? '?' : c;
    }
    if (line.find_first_not_of(" \t?") != std::string::npos) {
        logger_.log(sdk::LogLevel::warning,
                    "OA-8401 the program says: " + line + (cut_ ? " [the rest was left out]" : ""));
    }
    line_.clear();
    cut_ = false;
}

}  // namespace openarchiver::subprocess
