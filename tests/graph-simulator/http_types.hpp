// Requests and replies as the simulator sees them, free of any network library.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace graph_simulator {

// A body produced while it is being sent.
class BodySource {
public:
    BodySource() = default;
    virtual ~BodySource() = default;
    BodySource(const BodySource&) = delete;
    BodySource& operator=(const BodySource&) = delete;
    // Fills up to `room` bytes; 0 means the end.
    virtual std::size_t read(char* out, std::size_t room) = 0;
};

struct Header {
    std::string name;
    std::string value;
};

class Headers {
public:
    void add(std::string name, std::string value) {
        list_.push_back({std::move(name), std::move(value)});
    }

    void set(std::string_view name, std::string value);
    const std::string* find(std::string_view name) const;
    std::string joined(std::string_view name) const;  // all values, with ", " between

    const std::vector<Header>& list() const { return list_; }

private:
    std::vector<Header> list_;
};

struct Request {
    std::string method;
    std::string target;
    std::string origin;  // scheme://host:port the client used
    Headers headers;
    std::string body;
};

// What to do to the connection instead of answering properly.
struct TransportFault {
    enum class End { None, Close, Reset, Stall };
    End end = End::None;
    std::uint64_t after_bytes = 0;  // of the body
    bool before_head = false;       // not even a status line
    // Declare this many bytes more than are sent.
    std::optional<std::uint64_t> short_by;
    std::int64_t pause_in_head_ms = 0;
    bool close_silently = false;  // after a good answer that did not announce it
};

struct Reply {
    int status = 200;
    Headers headers;
    std::string body;
    std::unique_ptr<BodySource> stream;        // instead of `body`, sent chunked
    std::optional<std::uint64_t> stream_size;  // when known; used for a declared length only
    std::uint32_t chunk_size = 16384;
    bool close_connection = false;
    TransportFault fault;
    std::function<void()> before_last_write;
    std::function<void(std::uint64_t body_bytes, bool complete)> done;
};

using Responder = std::function<void(Reply&&)>;

class RequestHandler {
public:
    RequestHandler() = default;
    virtual ~RequestHandler() = default;
    RequestHandler(const RequestHandler&) = delete;
    RequestHandler& operator=(const RequestHandler&) = delete;
    virtual void handle(Request&& request, Responder respond) = 0;
};

// A request that the simulator sends itself, and what came of it.
struct OutgoingPost {
    std::string url;
    std::string content_type;
    std::string body;
    std::int64_t timeout_ms = 10'000;
};

struct Posted {
    int status = 0;  // 0: no answer
    std::string content_type;
    std::string body;
};

class Scheduler {
public:
    Scheduler() = default;
    virtual ~Scheduler() = default;
    Scheduler(const Scheduler&) = delete;
    Scheduler& operator=(const Scheduler&) = delete;
    virtual void after(std::int64_t milliseconds, std::function<void()> action) = 0;
    virtual void post(const OutgoingPost& post, std::function<void(const Posted&)> done) = 0;
    virtual void stop() = 0;
};

std::string_view reason_phrase(int status);
std::string drain(BodySource& source);

// Thrown by route handlers; becomes the error envelope.
struct GraphError {
    int status;
    std::string code;
    std::string message;
    std::vector<Header> headers;
};

}  // namespace graph_simulator
