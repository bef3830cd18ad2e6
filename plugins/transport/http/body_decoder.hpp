#pragma once

#include <cstddef>
#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <span>

namespace openarchiver::http {

/// Takes the framing off a response body and knows whether the body is whole. Poco's body streams
/// end in the same state for a body that was cut as for a complete one; an archive has to tell
/// them apart.
///
/// A body counts as complete only when its Content-Length was reached, or the last chunk with the
/// empty line after its trailers was seen. A body with neither (delimited by the end of the
/// connection) is never complete.
class BodyDecoder {
public:
    static BodyDecoder with_length(std::uint64_t length);
    static BodyDecoder chunked();
    static BodyDecoder until_close();

    struct Step {
        std::size_t consumed = 0;
        std::size_t produced = 0;
    };

    /// Decodes from the front of `input` to the front of `output`, as much as either allows.
    /// unavailable: the framing is damaged.
    sdk::Result<Step> decode(std::span<const std::byte> input, std::span<std::byte> output);

    [[nodiscard]] bool complete() const { return state_ == State::done; }

    /// Bytes of the content so far.
    [[nodiscard]] std::uint64_t produced() const { return produced_; }

    /// The announced length, where there was one.
    [[nodiscard]] std::optional<std::uint64_t> length() const { return length_; }

private:
    enum class State : std::uint8_t {
        counted,        // within a body of known length
        open,           // until the connection ends
        size,           // within the digits of a chunk's size
        extension,      // after the digits, up to CR
        size_line_end,  // expecting LF
        data,           // within a chunk
        data_end_cr,    // after a chunk, expecting CR
        data_end_lf,    //   and LF
        trailer_start,  // at the beginning of a trailer line
        trailer,        // within a trailer line
        trailer_lf,     // expecting the LF of a trailer line
        final_lf,       // expecting the LF of the empty line
        done,
    };

    explicit BodyDecoder(State state) : state_(state) {}

    State state_;
    std::uint64_t remaining_ = 0;
    std::uint64_t produced_ = 0;
    std::optional<std::uint64_t> length_;
    std::uint32_t digits_ = 0;
    std::uint32_t overhead_ = 0;
};

}  // namespace openarchiver::http
