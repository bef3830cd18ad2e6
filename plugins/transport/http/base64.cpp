#include "http/base64.hpp"

#include <cstdint>

namespace openarchiver::http {

namespace {

constexpr char kStandard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kUrl[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string encode(std::string_view bytes, const char* alphabet) {
    std::string result;
    result.reserve((bytes.size() + 2) / 3 * 4);
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char byte : bytes) {
        bits = (bits << 8U) | static_cast<unsigned char>(byte);
        count += 8;
        while (count >= 6) {
            count -= 6;
            result += alphabet[(bits >> count) & 63U];
        }
    }
    if (count > 0) {
        result += alphabet[(bits << (6 - count)) & 63U];
    }
    return result;
}

std::optional<std::uint32_t> value_of(char c) {
    if (c >= 'A' && c <= 'Z') {
        return static_cast<std::uint32_t>(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return static_cast<std::uint32_t>(c - 'a') + 26;
    }
    if (c >= '0' && c <= '9') {
        return static_cast<std::uint32_t>(c - '0') + 52;
    }
    if (c == '-' || c == '+') {
        return 62;
    }
    if (c == '_' || c == '/') {
        return 63;
    }
    return std::nullopt;
}

}  // namespace

std::string encode_base64(std::string_view bytes) {
    std::string result = encode(bytes, kStandard);
    result.append((4 - result.size() % 4) % 4, '=');
    return result;
}

std::string encode_base64url(std::string_view bytes) {
    return encode(bytes, kUrl);
}

std::optional<std::string> decode_base64url(std::string_view text) {
    std::string result;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : text) {
        if (c == '=') {
            break;
        }
        const auto value = value_of(c);
        if (!value) {
            return std::nullopt;
        }
        bits = (bits << 6U) | *value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            result += static_cast<char>((bits >> count) & 0xffU);
        }
    }
    return result;
}

}  // namespace openarchiver::http
