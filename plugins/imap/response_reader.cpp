#include "response_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "failure.hpp"
#include "scanner.hpp"

namespace openarchiver::imap {

namespace {

using sdk::Errc;

constexpr std::size_t kBuffer = 64 * 1024;
/// UIDs of a folder with some million messages, from a server without ESEARCH.
constexpr std::size_t kMaxResponse = 64 * 1024 * 1024;
/// Names, addresses, whatever is not a message.
constexpr std::uint64_t kMaxLiteral = 1024 * 1024;

struct Literal {
    std::uint64_t size = 0;
    /// Where its `{` stands.
    std::size_t at = 0;
};

/// A line that ends with `{123}` (or `{123+}`) goes on after so many bytes (RFC 3501 section 4.3).
std::optional<Literal> literal_at_end(std::string_view text) {
    if (!text.ends_with('}')) {
        return std::nullopt;
    }
    const std::size_t open = text.rfind('{');
    if (open == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view digits = text.substr(open + 1, text.size() - open - 2);
    if (digits.ends_with('+')) {
        digits.remove_suffix(1);
    }
    Literal literal{.at = open};
    const char* const end = digits.data() + digits.size();
    const auto [at, error] = std::from_chars(digits.data(), end, literal.size);
    return error == std::errc() && at == end && !digits.empty() ? std::optional(literal)
                                                                : std::nullopt;
}

/// `* OK ...`, `a1 NO ...`, `+ ...` end in words for people, which may look like anything.
bool is_status(std::string_view text) {
    if (text.starts_with('+')) {
        return true;
    }
    const std::size_t space = text.find(' ');
    if (space == std::string_view::npos) {
        return false;
    }
    const std::string_view word = text.substr(space + 1, text.find(' ', space + 1) - space - 1);
    return std::ranges::any_of(
        std::initializer_list<std::string_view>{"OK", "NO", "BAD", "BYE", "PREAUTH"},
        [&](std::string_view known) { return equal_ignoring_case(word, known); });
}

bool ends_with_body(std::string_view text) {
    constexpr std::string_view kBody = "BODY[] ";
    return text.size() > kBody.size() &&
           equal_ignoring_case(text.substr(text.size() - kBody.size()), kBody);
}

sdk::Error garbage(const char* what) {
    return failure(Errc::unavailable,
                   std::string("the server does not speak IMAP as it should: ") + what);
}

}  // namespace

sdk::Status ResponseReader::fill(const Source& source) {
    buffer_.resize(kBuffer);
    at_ = 0;
    const auto count = source(std::as_writable_bytes(std::span(buffer_)));
    buffer_.resize(count ? std::min(*count, kBuffer) : 0);
    if (!count) {
        return count.error();
    }
    if (buffer_.empty()) {
        return failure(Errc::unavailable, "the server ended the connection");
    }
    return {};
}

sdk::Status ResponseReader::append_line(const Source& source, std::string& text) {
    for (;;) {
        if (!has_more()) {
            OPENARCHIVER_CHECK(fill(source));
        }
        const char* const from = buffer_.data() + at_;
        const std::size_t left = buffer_.size() - at_;
        const auto* const end = static_cast<const char*>(std::memchr(from, '\n', left));
        const std::size_t count = end == nullptr ? left : static_cast<std::size_t>(end - from);
        if (text.size() + count > kMaxResponse) {
            return garbage("a response without an end");
        }
        text.append(from, count);
        at_ += count;
        if (end != nullptr) {
            ++at_;
            if (text.ends_with('\r')) {
                text.pop_back();
            }
            return {};
        }
    }
}

sdk::Status ResponseReader::append_bytes(const Source& source, std::string& text,
                                         std::uint64_t count) {
    while (count > 0) {
        if (!has_more()) {
            OPENARCHIVER_CHECK(fill(source));
        }
        const std::size_t part =
            static_cast<std::size_t>(std::min<std::uint64_t>(count, buffer_.size() - at_));
        text.append(buffer_, at_, part);
        at_ += part;
        count -= part;
    }
    return {};
}

sdk::Result<Response> ResponseReader::complete(const Source& source, Response response,
                                               bool stop_at_content) {
    for (;;) {
        OPENARCHIVER_CHECK(append_line(source, response.text));
        const auto literal = literal_at_end(response.text);
        if (!literal || is_status(response.text)) {
            return response;
        }
        if (stop_at_content &&
            ends_with_body(std::string_view(response.text).substr(0, literal->at))) {
            response.text.resize(literal->at);
            response.content_size = literal->size;
            literal_left_ = literal->size;
            return response;
        }
        if (literal->size > kMaxLiteral || response.text.size() + literal->size > kMaxResponse) {
            return garbage("a literal that is too large");
        }
        response.text += "\r\n";
        OPENARCHIVER_CHECK(append_bytes(source, response.text, literal->size));
    }
}

sdk::Result<Response> ResponseReader::next(const Source& source, bool stop_at_content) {
    return complete(source, {}, stop_at_content);
}

sdk::Result<std::size_t> ResponseReader::read_literal(const Source& source,
                                                      std::span<std::byte> buffer) {
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), literal_left_));
    if (wanted == 0) {
        return std::size_t{0};
    }
    std::size_t count = std::min(wanted, buffer_.size() - at_);
    if (count > 0) {
        std::memcpy(buffer.data(), buffer_.data() + at_, count);
        at_ += count;
    } else {
        OPENARCHIVER_TRY(count, source(buffer.first(wanted)));
        if (count == 0) {
            return failure(Errc::unavailable, "the server ended the connection within a message");
        }
    }
    literal_left_ -= count;
    return count;
}

sdk::Result<Response> ResponseReader::rest(const Source& source) {
    // What is left of the response is read as a list that was opened before.
    return complete(source, {}, false);
}

}  // namespace openarchiver::imap
