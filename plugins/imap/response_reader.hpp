#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <span>
#include <string>

namespace openarchiver::imap {

/// One response of a server (RFC 3501 section 7), without its last line end. Literals are in it as
/// they came: `{5}`, line end, bytes.
struct Response {
    std::string text;
    /// The content of a message begins here and is this long: read_literal() gives it, then rest()
    /// what follows in the response.
    std::optional<std::uint64_t> content_size = {};
};

/// Takes a server's bytes apart into responses. Bounded: what is larger than a server has reason to
/// send is an error, and the connection is of no use afterwards.
class ResponseReader {
public:
    /// Gives at least one byte; 0: the connection ended.
    using Source = std::function<sdk::Result<std::size_t>(std::span<std::byte>)>;

    /// `stop_at_content`: the literal after `BODY[]` is left to read_literal().
    sdk::Result<Response> next(const Source& source, bool stop_at_content = false);
    sdk::Result<std::size_t> read_literal(const Source& source, std::span<std::byte> buffer);
    sdk::Result<Response> rest(const Source& source);

    /// Whether bytes wait that nobody asked for.
    [[nodiscard]] bool has_more() const { return at_ < buffer_.size(); }

private:
    sdk::Status fill(const Source& source);
    sdk::Status append_line(const Source& source, std::string& text);
    sdk::Status append_bytes(const Source& source, std::string& text, std::uint64_t count);
    sdk::Result<Response> complete(const Source& source, Response response, bool stop_at_content);

    std::string buffer_;
    std::size_t at_ = 0;
    std::uint64_t literal_left_ = 0;
};

}  // namespace openarchiver::imap
