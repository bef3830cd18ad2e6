#include "http/body_decoder.hpp"

#include <algorithm>
#include <cstring>

#include "http/failure.hpp"

namespace openarchiver::http {

namespace {

/// Extensions of one size line, and all trailers together: more is an attack, not a response.
constexpr std::uint32_t kMaxOverhead = 16 * 1024;
constexpr std::uint32_t kMaxSizeDigits = 15;

sdk::Error damaged() {
    return failure(sdk::Errc::unavailable, "the response's chunked framing is damaged");
}

int hex_value(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

}  // namespace

BodyDecoder BodyDecoder::with_length(std::uint64_t length) {
    BodyDecoder decoder(length == 0 ? State::done : State::counted);
    decoder.remaining_ = length;
    decoder.length_ = length;
    return decoder;
}

BodyDecoder BodyDecoder::chunked() {
    return BodyDecoder(State::size);
}

BodyDecoder BodyDecoder::until_close() {
    return BodyDecoder(State::open);
}

sdk::Result<BodyDecoder::Step> BodyDecoder::decode(std::span<const std::byte> input,
                                                   std::span<std::byte> output) {
    Step step;
    while (state_ != State::done && step.consumed < input.size()) {
        if (state_ == State::counted || state_ == State::data || state_ == State::open) {
            std::size_t count =
                std::min(input.size() - step.consumed, output.size() - step.produced);
            if (state_ != State::open) {
                count = static_cast<std::size_t>(std::min<std::uint64_t>(count, remaining_));
            }
            if (count == 0) {
                break;  // the output is full
            }
            std::memcpy(output.data() + step.produced, input.data() + step.consumed, count);
            step.consumed += count;
            step.produced += count;
            produced_ += count;
            if (state_ != State::open) {
                remaining_ -= count;
                if (remaining_ == 0) {
                    state_ = state_ == State::counted ? State::done : State::data_end_cr;
                }
            }
            continue;
        }

        const char c = static_cast<char>(input[step.consumed]);
        ++step.consumed;
        switch (state_) {
            case State::size: {
                const int value = hex_value(c);
                if (value >= 0) {
                    if (++digits_ > kMaxSizeDigits) {
                        return damaged();
                    }
                    remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(value);
                } else if (digits_ == 0) {
                    return damaged();
                } else if (c == '\r') {
                    state_ = State::size_line_end;
                } else if (c == ';' || c == ' ' || c == '\t') {
                    state_ = State::extension;
                } else {
                    return damaged();
                }
                break;
            }
            case State::extension:
                if (c == '\r') {
                    state_ = State::size_line_end;
                } else if (c == '\n' || ++overhead_ > kMaxOverhead) {
                    return damaged();
                }
                break;
            case State::size_line_end:
                if (c != '\n') {
                    return damaged();
                }
                overhead_ = 0;
                state_ = remaining_ == 0 ? State::trailer_start : State::data;
                break;
            case State::data_end_cr:
                if (c != '\r') {
                    return damaged();
                }
                state_ = State::data_end_lf;
                break;
            case State::data_end_lf:
                if (c != '\n') {
                    return damaged();
                }
                digits_ = 0;
                state_ = State::size;
                break;
            case State::trailer_start:
                if (c == '\r') {
                    state_ = State::final_lf;
                    break;
                }
                state_ = State::trailer;
                [[fallthrough]];
            case State::trailer:
                if (c == '\r') {
                    state_ = State::trailer_lf;
                } else if (c == '\n' || ++overhead_ > kMaxOverhead) {
                    return damaged();
                }
                break;
            case State::trailer_lf:
                if (c != '\n') {
                    return damaged();
                }
                state_ = State::trailer_start;
                break;
            case State::final_lf:
                if (c != '\n') {
                    return damaged();
                }
                state_ = State::done;
                break;
            case State::counted:
            case State::open:
            case State::data:
            case State::done:
                break;
        }
    }
    return step;
}

}  // namespace openarchiver::http
