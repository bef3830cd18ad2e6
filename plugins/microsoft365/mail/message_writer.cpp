#include "mail/message_writer.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace openarchiver::microsoft365 {

namespace {

constexpr std::size_t kLine = 76;          // RFC 5322, 2.1.1: SHOULD
constexpr std::size_t kLongestLine = 900;  // ... and 998: MUST, with room for a header's name
constexpr std::size_t kWordBytes = 45;     // 60 characters of base64 in an encoded word
constexpr std::size_t kLineBytes = 57;     // 76 characters of base64

bool is_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string lowered(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), lower);
    return result;
}

std::string base64(std::string_view bytes) {
    std::string text((bytes.size() + 2) / 3 * 4 + 1, '\0');
    const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
    text.resize(static_cast<std::size_t>(size));
    return text;
}

/// Without what would end the header or the line.
std::string one_line(std::string_view text) {
    std::string result;
    for (const char c : text) {
        const bool control = (c >= '\0' && c < ' ' && c != '\t') || c == '\x7f';
        if (!control) {
            result += c;
        } else if (!result.empty() && result.back() != ' ') {
            result += ' ';
        }
    }
    return result;
}

/// RFC 2047, where the text needs it.
std::string encoded_words(std::string_view given) {
    const std::string text = one_line(given);
    if (is_ascii(text) && text.find("=?") == std::string::npos) {
        return text;
    }
    std::string result;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = std::min(at + kWordBytes, text.size());
        // Not within a character of several bytes.
        while (end < text.size() && end > at + 1 && (text[end] & '\xC0') == '\x80') {
            --end;
        }
        result += (result.empty() ? "=?utf-8?B?" : " =?utf-8?B?") +
                  base64(std::string_view(text).substr(at, end - at)) + "?=";
        at = end;
    }
    return result;
}

std::string quoted(std::string_view text) {
    std::string result = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            result += '\\';
        }
        result += c;
    }
    return result + "\"";
}

/// A parameter of Content-Type and the like, RFC 2231 where it needs it.
std::string parameter(std::string_view name, std::string_view given) {
    const std::string value = one_line(given);
    if (is_ascii(value)) {
        return ";\r\n " + std::string(name) + "=" + quoted(value);
    }
    std::string encoded;
    for (const char c : value) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
        if (plain) {
            encoded += c;
            continue;
        }
        static constexpr char kHex[] = "0123456789ABCDEF";
        const auto byte = static_cast<unsigned char>(c);
        encoded += {'%', kHex[byte >> 4U], kHex[byte & 15U]};
    }
    return ";\r\n " + std::string(name) + "*=utf-8''" + encoded;
}

/// "Name: value", folded before white space, which stays as it is.
std::string field(std::string_view name, std::string_view given) {
    const std::string value = one_line(given);
    std::string result = std::string(name) + ":";
    std::size_t column = result.size();
    std::string space = " ";
    for (std::size_t at = std::min(value.find_first_not_of(" \t"), value.size());
         at < value.size();) {
        const std::size_t end = std::min(value.find_first_of(" \t", at), value.size());
        std::string_view word = std::string_view(value).substr(at, end - at);
        at = std::min(value.find_first_not_of(" \t", end), value.size());
        if (column + space.size() + word.size() > kLine && column > name.size() + 1) {
            result += "\r\n";
            column = 0;
        }
        while (word.size() > kLongestLine) {
            result += " " + std::string(word.substr(0, kLongestLine)) + "\r\n";
            word.remove_prefix(kLongestLine);
            column = 0;
        }
        result += space;
        result += word;
        column += space.size() + word.size();
        space = at - end < kLine ? value.substr(end, at - end) : " ";
    }
    return result + "\r\n";
}

std::string address_list(const std::vector<Correspondent>& list) {
    std::string result;
    for (const Correspondent& one : list) {
        std::string address;
        for (const char c : one_line(one.address)) {
            if (c != '<' && c != '>' && c != ' ' && c != '\t') {
                address += c;
            }
        }
        const std::string name = one_line(one.name);
        std::string text = "<" + address + ">";
        if (!name.empty() && name != address) {
            text = (is_ascii(name) && name.find("=?") == std::string::npos ? quoted(name)
                                                                           : encoded_words(name)) +
                   " " + text;
        }
        result += (result.empty() ? "" : ", ") + text;
    }
    return result;
}

/// RFC 5322, 3.3.
std::string date_text(sdk::Timestamp time) {
    static constexpr std::array kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr std::array kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const auto day = std::chrono::floor<std::chrono::days>(time);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
    std::array<char, 64> text{};
    const int size = std::snprintf(
        text.data(), text.size(), "%s, %02u %s %04d %02d:%02d:%02d +0000",
        kDays.at(std::chrono::weekday(day).c_encoding()), static_cast<unsigned>(date.day()),
        kMonths.at(static_cast<unsigned>(date.month()) - 1), static_cast<int>(date.year()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()));
    return {text.data(), static_cast<std::size_t>(size)};
}

bool is_field_name(std::string_view name) {
    return !name.empty() && name.size() < kLine &&
           std::ranges::all_of(name, [](char c) { return c > ' ' && c <= '~' && c != ':'; });
}

/// "text/plain" and the like; anything else is not believed.
std::string media_type(std::string_view given) {
    const std::string_view type = given.substr(0, given.find(';'));
    const auto token = [](std::string_view part) {
        return !part.empty() && std::ranges::all_of(part, [](char c) {
            return c > ' ' && c <= '~' &&
                   std::string_view("()<>@,;:\\\"/[]?=").find(c) == std::string_view::npos;
        });
    };
    const std::size_t slash = type.find('/');
    const bool good = slash != std::string_view::npos && token(type.substr(0, slash)) &&
                      token(type.substr(slash + 1)) && !lowered(type).starts_with("multipart/");
    return good ? std::string(type) : "application/octet-stream";
}

std::string disposition(const AttachmentEntry& attachment) {
    return std::string("Content-Disposition: ") + (attachment.is_inline ? "inline" : "attachment") +
           (attachment.name.empty() ? std::string() : parameter("filename", attachment.name)) +
           "\r\n";
}

}  // namespace

std::string write_message_headers(const MessageDocument& message, std::string_view why) {
    std::string result = field("X-OpenArchiver-Reconstructed", why);
    std::vector<std::string> written;
    for (const auto& [name, value] : message.headers) {
        const std::string key = lowered(name);
        // What describes the body that can't be had does not describe the one that is written.
        if (is_field_name(name) && !key.starts_with("content-") && key != "mime-version" &&
            !key.starts_with("x-openarchiver-")) {
            result += field(name, value);
            written.push_back(key);
        }
    }
    const auto add = [&](std::string_view name, const std::string& value) {
        if (!value.empty() && std::ranges::find(written, lowered(name)) == written.end()) {
            result += field(name, value);
        }
    };
    add("From", address_list(message.from));
    const bool other_sender =
        !message.sender.empty() && !message.from.empty() &&
        lowered(message.sender.front().address) != lowered(message.from.front().address);
    add("Sender", other_sender ? address_list(message.sender) : std::string());
    add("Reply-To", address_list(message.reply_to));
    add("To", address_list(message.to));
    add("Cc", address_list(message.cc));
    add("Bcc", address_list(message.bcc));
    add("Subject", encoded_words(message.subject));
    add("Date", message.date ? date_text(*message.date) : std::string());
    add("Message-ID", message.message_id);
    return result + "MIME-Version: 1.0\r\n";
}

std::string write_text_part_headers(bool html) {
    return std::string("Content-Type: ") + (html ? "text/html" : "text/plain") +
           "; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n";
}

std::string write_attachment_headers(const AttachmentEntry& attachment) {
    // RFC 2046, 5.2.1: a message within a message is not encoded.
    const bool item = attachment.kind == AttachmentEntry::Kind::item;
    std::string result =
        "Content-Type: " + (item ? "message/rfc822" : media_type(attachment.content_type));
    if (!attachment.name.empty()) {
        result += parameter("name", attachment.name);
    }
    result += std::string("\r\nContent-Transfer-Encoding: ") + (item ? "8bit" : "base64") + "\r\n";
    result += disposition(attachment);
    if (!attachment.content_id.empty()) {
        result += field("Content-ID", attachment.content_id.starts_with('<')
                                          ? attachment.content_id
                                          : "<" + attachment.content_id + ">");
    }
    return result + "\r\n";
}

std::string write_missing_attachment(const AttachmentEntry& attachment, std::string_view code) {
    return "Content-Type: text/plain; charset=us-ascii\r\n" + disposition(attachment) +
           field("X-OpenArchiver-Missing", code) +
           "\r\nThis attachment could not be had from the mailbox.\r\n";
}

std::string Base64Lines::encode(std::string_view bytes, bool last) {
    rest_ += bytes;
    std::string_view left = rest_;
    std::string result;
    while (left.size() >= kLineBytes || (last && !left.empty())) {
        const auto line = left.substr(0, kLineBytes);
        result += base64(line) + "\r\n";
        left.remove_prefix(line.size());
    }
    rest_ = std::string(left);
    return result;
}

}  // namespace openarchiver::microsoft365
