#include "scanner.hpp"

#include <algorithm>
#include <charconv>

namespace openarchiver::imap {

namespace {

constexpr int kMaxDepth = 64;

char upper(char c) {
    return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
}

/// More lenient than RFC 9051's ATOM-CHAR: `\`, `]`, `%` and `*` come in flags, mailboxes and ids.
bool is_atom_char(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte > 0x20 && byte != 0x7F && c != '(' && c != ')' && c != '"' && c != '{';
}

}  // namespace

bool equal_ignoring_case(std::string_view a, std::string_view b) {
    return std::ranges::equal(
        a, b, {}, [](char c) { return upper(c); }, [](char c) { return upper(c); });
}

std::string upper(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(), [](char c) { return upper(c); });
    return result;
}

void Scanner::fail() {
    failed_ = true;
    text_ = {};
}

bool Scanner::accept(char c) {
    if (!text_.starts_with(c)) {
        return false;
    }
    text_.remove_prefix(1);
    return true;
}

void Scanner::expect(char c) {
    if (!accept(c)) {
        fail();
    }
}

void Scanner::spaces() {
    while (accept(' ')) {
    }
}

std::string Scanner::word() {
    std::size_t end = 0;
    bool bracket = false;
    // BODY[HEADER.FIELDS (DATE FROM)]<0> is one word.
    while (end < text_.size() && (bracket || is_atom_char(text_[end]))) {
        bracket = text_[end] == '[' || (bracket && text_[end] != ']');
        ++end;
    }
    if (end == 0) {
        fail();
        return {};
    }
    const std::string result = upper(text_.substr(0, end));
    text_.remove_prefix(end);
    return result;
}

std::uint64_t Scanner::number() {
    std::uint64_t value = 0;
    const auto [at, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc()) {
        fail();
        return 0;
    }
    text_.remove_prefix(static_cast<std::size_t>(at - text_.data()));
    return value;
}

std::optional<std::string> Scanner::string() {
    std::string result;
    if (accept('"')) {
        while (!accept('"')) {
            accept('\\');
            if (text_.empty()) {
                fail();
                return std::nullopt;
            }
            result += text_.front();
            text_.remove_prefix(1);
        }
        return result;
    }
    accept('~');  // literal8 (RFC 3516)
    if (accept('{')) {
        const std::uint64_t size = number();
        accept('+');
        expect('}');
        expect('\r');
        expect('\n');
        if (failed_ || size > text_.size()) {
            fail();
            return std::nullopt;
        }
        result = text_.substr(0, size);
        text_.remove_prefix(size);
        return result;
    }
    while (!text_.empty() && is_atom_char(text_.front())) {
        result += text_.front();
        text_.remove_prefix(1);
    }
    if (result.empty()) {
        fail();
        return std::nullopt;
    }
    return equal_ignoring_case(result, "NIL") ? std::nullopt : std::optional(result);
}

void Scanner::skip() {
    int depth = 0;
    do {
        spaces();
        if (accept('(')) {
            if (++depth > kMaxDepth) {
                fail();
            }
        } else if (depth > 0 && accept(')')) {
            --depth;
        } else if (text_.starts_with('"') || text_.starts_with('{') || text_.starts_with("~{")) {
            (void)string();
        } else {
            (void)word();
        }
    } while (depth > 0 && !failed_);
}

}  // namespace openarchiver::imap
