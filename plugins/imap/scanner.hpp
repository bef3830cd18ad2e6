#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace openarchiver::imap {

[[nodiscard]] bool equal_ignoring_case(std::string_view a, std::string_view b);
[[nodiscard]] std::string upper(std::string_view text);

/// Reads the grammar of responses (RFC 9051 section 9) from one of them. After what does not fit it
/// has failed, and gives nothing more.
class Scanner {
public:
    explicit Scanner(std::string_view text) : text_(text) {}

    [[nodiscard]] bool failed() const { return failed_; }

    [[nodiscard]] bool at_end() const { return failed_ || text_.empty(); }

    [[nodiscard]] std::string_view left() const { return text_; }

    /// The character, if it is next.
    bool accept(char c);
    /// The character has to be next.
    void expect(char c);
    void spaces();
    /// An atom in upper case; with `[...]` where a FETCH item has it.
    std::string word();
    std::uint64_t number();
    /// A string, quoted or literal, or an atom as it is; nothing: NIL.
    std::optional<std::string> string();
    /// Any value: what this program does not know.
    void skip();

    /// `(` was read: calls `element()` for each element up to `)`.
    template <typename Element>
    void list(Element element) {
        spaces();
        while (!failed_ && !accept(')')) {
            if (text_.empty()) {
                fail();
                return;
            }
            const std::size_t before = text_.size();
            element();
            if (text_.size() == before) {
                fail();  // an element that nobody can read
            }
            spaces();
        }
    }

    void fail();

private:
    std::string_view text_;
    bool failed_ = false;
};

}  // namespace openarchiver::imap
