#include "http/http_client.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "http/connection_pool.hpp"
#include "http/failure.hpp"

namespace openarchiver::http {

namespace {

using sdk::Errc;

constexpr std::size_t kBufferSize = 64 * 1024;
constexpr std::size_t kMaxHeadSize = 64 * 1024;
constexpr std::size_t kMaxErrorText = 64 * 1024;
constexpr std::chrono::seconds kWriteTimeout{60};
/// From this size on a body waits for the service's word, though not for long: not all give it.
constexpr std::uint64_t kLargeBody = 256 * 1024;
constexpr std::chrono::seconds kContinueTimeout{1};

bool asks_first(const HttpRequest& request) {
    return request.source != nullptr && request.source->size() >= kLargeBody;
}

std::string request_text(const Origin& origin, const HttpRequest& request) {
    std::string text = request.method + " " + request.target +
                       " HTTP/1.1\r\nHost: " + origin.host_header() + "\r\n";
    for (const auto& [name, value] : request.fields) {
        text += name + ": " + value + "\r\n";
    }
    if (request.source != nullptr) {
        text += "Content-Length: " + std::to_string(request.source->size()) + "\r\n";
        text += asks_first(request) ? "Expect: 100-continue\r\n" : "";
    } else if (!request.body.empty() || request.method == "POST") {
        text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
    }
    text += "\r\n";
    text += request.body;
    return text;
}

}  // namespace

struct HttpResponse::State {
    ConnectionPool& pool;
    Origin origin;
    std::unique_ptr<Connection> connection;
    std::stop_token stop;
    std::chrono::milliseconds stall_timeout;

    ResponseHead head;
    std::optional<BodyDecoder> decoder;
    /// Received and not yet decoded: [begin, end) of `buffer`.
    std::vector<std::byte> buffer = std::vector<std::byte>(kBufferSize);
    std::size_t begin = 0;
    std::size_t end = 0;
    bool reusable = true;

    /// Reads up to and including the empty line. `any_byte` tells whether anything arrived.
    sdk::Status receive_head(std::chrono::milliseconds timeout, bool& any_byte);
    /// As above, and an interim response is an answer, too.
    sdk::Status receive_any_head(std::chrono::milliseconds timeout, bool& any_byte);
    /// Sends the request and receives the head of its answer.
    sdk::Status exchange(const HttpRequest& request, bool& any_byte);
    sdk::Status write_source(sdk::ByteSource& source);
    void release_if_complete();
    sdk::Error truncated() const;
};

sdk::Status HttpResponse::State::receive_head(std::chrono::milliseconds timeout, bool& any_byte) {
    do {
        OPENARCHIVER_CHECK(receive_any_head(timeout, any_byte));
    } while (head.status < 200 && head.status != 101);
    return {};
}

sdk::Status HttpResponse::State::receive_any_head(std::chrono::milliseconds timeout,
                                                  bool& any_byte) {
    for (;;) {
        const std::string_view text(reinterpret_cast<const char*>(buffer.data()) + begin,
                                    end - begin);
        if (const std::size_t empty_line = text.find("\r\n\r\n");
            empty_line != std::string_view::npos) {
            OPENARCHIVER_TRY(head, parse_response_head(text.substr(0, empty_line)));
            begin += empty_line + 4;
            return {};
        }
        if (text.size() >= kMaxHeadSize) {
            return failure(Errc::unavailable, "the response's header is too long");
        }
        if (begin > 0) {
            std::memmove(buffer.data(), buffer.data() + begin, end - begin);
            end -= begin;
            begin = 0;
        }
        if (end == buffer.size()) {
            buffer.resize(buffer.size() + kBufferSize);
        }
        OPENARCHIVER_TRY(const std::size_t count,
                         connection->read_some(std::span(buffer).subspan(end), timeout, stop));
        if (count == 0) {
            return failure(Errc::unavailable,
                           origin.url() + " closed the connection instead of answering");
        }
        any_byte = true;
        end += count;
    }
}

sdk::Status HttpResponse::State::write_source(sdk::ByteSource& source) {
    std::vector<std::byte> piece(kBufferSize);
    std::uint64_t sent = 0;
    for (;;) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::size_t count, source.read(piece));
        sent += count;
        if (count == 0 || sent > source.size()) {
            break;
        }
        OPENARCHIVER_CHECK(connection->write_all(
            {reinterpret_cast<const char*>(piece.data()), count}, kWriteTimeout, stop));
    }
    if (sent != source.size()) {
        return failure(Errc::invalid_argument,
                       "a source announced " + std::to_string(source.size()) + " bytes and had " +
                           (sent > source.size() ? "more" : std::to_string(sent)));
    }
    return {};
}

sdk::Status HttpResponse::State::exchange(const HttpRequest& request, bool& any_byte) {
    OPENARCHIVER_CHECK(connection->write_all(request_text(origin, request), kWriteTimeout, stop));
    if (asks_first(request)) {
        auto asked = receive_any_head(kContinueTimeout, any_byte);
        if (asked && head.status != 100) {
            reusable = false;  // the service may wait for the body or not
            return head.status < 200 ? receive_head(request.answer_timeout, any_byte)
                                     : sdk::Status();
        }
        if (!asked && asked.error().code != Errc::timed_out) {
            return asked;
        }
    }
    sdk::Status written = request.source != nullptr ? write_source(*request.source) : sdk::Status();
    if (!written && written.error().code == Errc::unavailable) {
        // A service that refuses a request may end the connection before it has read the body.
        reusable = false;
        if (receive_head(kContinueTimeout, any_byte)) {
            return {};
        }
    }
    OPENARCHIVER_CHECK(written);
    return receive_head(request.answer_timeout, any_byte);
}

void HttpResponse::State::release_if_complete() {
    if (!connection || !decoder->complete()) {
        return;
    }
    // Bytes after the end of a response belong to nothing: such a connection is out of step.
    if (reusable && begin == end && head.keeps_connection()) {
        pool.give_back(origin, std::move(connection));
    }
    connection.reset();
}

sdk::Error HttpResponse::State::truncated() const {
    std::string text =
        "the response body was cut short after " + std::to_string(decoder->produced()) + " bytes";
    if (decoder->length()) {
        text += " of " + std::to_string(*decoder->length());
    }
    return failure(Errc::unavailable, std::move(text));
}

HttpResponse::HttpResponse(std::unique_ptr<State> state) : state_(std::move(state)) {}

HttpResponse::~HttpResponse() = default;

const ResponseHead& HttpResponse::head() const {
    return state_->head;
}

bool HttpResponse::complete() const {
    return state_->decoder->complete();
}

void HttpResponse::discard_connection() {
    state_->reusable = false;
}

sdk::Result<std::size_t> HttpResponse::read(std::span<std::byte> target) {
    State& state = *state_;
    for (;;) {
        if (state.decoder->complete()) {
            state.release_if_complete();
            return std::size_t{0};
        }
        if (!state.connection) {
            return state.truncated();
        }
        if (state.begin == state.end) {
            auto count = state.connection->read_some(state.buffer, state.stall_timeout, state.stop);
            if (!count || *count == 0) {
                state.connection.reset();
                if (!count && count.error().code != Errc::unavailable) {
                    return std::move(count.error());
                }
                return state.truncated();
            }
            state.begin = 0;
            state.end = *count;
        }
        auto step = state.decoder->decode(
            std::span(state.buffer).subspan(state.begin, state.end - state.begin), target);
        if (!step) {
            state.connection.reset();
            return std::move(step.error());
        }
        state.begin += step->consumed;
        if (step->produced > 0) {
            state.release_if_complete();
            return step->produced;
        }
    }
}

sdk::Result<std::string> HttpResponse::read_all(std::size_t limit) {
    std::string text;
    std::size_t size = 0;
    for (;;) {
        if (size > limit) {
            state_->connection.reset();
            return failure(Errc::unavailable,
                           "the response is larger than " + std::to_string(limit) + " bytes");
        }
        text.resize(std::max<std::size_t>(text.size(), size + 32 * 1024));
        OPENARCHIVER_TRY(
            const std::size_t count,
            read(std::as_writable_bytes(std::span(text.data() + size, text.size() - size))));
        if (count == 0) {
            text.resize(size);
            return text;
        }
        size += count;
        if (text.size() - size < 16 * 1024) {
            text.resize(text.size() * 2);
        }
    }
}

std::string HttpResponse::read_error_text() {
    std::string text;
    std::byte part[4096];
    while (text.size() < kMaxErrorText) {
        const auto count = read(part);
        if (!count || *count == 0) {
            break;
        }
        text.append(reinterpret_cast<const char*>(part), *count);
    }
    return text;
}

HttpClient::HttpClient(std::filesystem::path ca_file, std::optional<ProxySettings> proxy)
    : pool_(std::make_unique<ConnectionPool>(std::move(ca_file), std::move(proxy))) {}

HttpClient::~HttpClient() = default;

sdk::Result<std::unique_ptr<HttpResponse>> HttpClient::send(const Origin& origin,
                                                            const HttpRequest& request,
                                                            std::stop_token stop) {
    std::unique_ptr<Connection> connection = pool_->take_idle(origin);
    bool reused = connection != nullptr;
    for (;;) {
        if (!connection) {
            OPENARCHIVER_TRY(connection, pool_->open(origin, stop));
        }
        auto state = std::make_unique<HttpResponse::State>(
            HttpResponse::State{.pool = *pool_,
                                .origin = origin,
                                .connection = std::move(connection),
                                .stop = stop,
                                .stall_timeout = request.stall_timeout,
                                .head = {},
                                .decoder = {}});
        bool any_byte = false;
        sdk::Status status = state->exchange(request, any_byte);
        if (status) {
            if (request.method == "HEAD") {
                state->decoder = BodyDecoder::with_length(0);
            } else {
                OPENARCHIVER_TRY(state->decoder, state->head.body_decoder());
            }
            state->release_if_complete();
            return std::unique_ptr<HttpResponse>(new HttpResponse(std::move(state)));
        }
        // The service may have closed the idle connection as the request was on its way.
        if (!reused || any_byte || status.error().code != Errc::unavailable) {
            return std::move(status.error());
        }
        connection = nullptr;
        reused = false;
        if (request.source != nullptr) {
            OPENARCHIVER_CHECK(request.source->rewind());
        }
    }
}

}  // namespace openarchiver::http
