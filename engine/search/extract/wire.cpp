#include "search/extract/wire.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <utility>

namespace openarchiver::search::wire {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr std::string_view kMark = "openarchiver-part:";
constexpr std::size_t kHeader = 5;
constexpr std::size_t kBuffer = std::size_t{64} << 10;

Error gone() {
    return {Errc::unavailable, "the extractor is gone"};
}

/// Waits until the socket can be read from or written to.
Status wait(int socket, short events, std::int64_t deadline) {
    while (true) {
        int timeout = -1;
        if (deadline != 0) {
            timeout = static_cast<int>(std::clamp<std::int64_t>(deadline - now(), 0, 1 << 30));
        }
        pollfd polled{.fd = socket, .events = events, .revents = 0};
        const int ready = ::poll(&polled, 1, timeout);
        if (ready > 0) {
            return {};
        }
        if (ready == 0) {
            return Error{Errc::timed_out, "the extractor took too long"};
        }
        if (errno != EINTR) {
            return gone();
        }
    }
}

Status write_all(int socket, std::string_view bytes, std::int64_t deadline) {
    while (!bytes.empty()) {
        const auto sent = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            bytes.remove_prefix(static_cast<std::size_t>(sent));
        } else if (errno == EAGAIN) {
            OPENARCHIVER_CHECK(wait(socket, POLLOUT, deadline));
        } else if (errno != EINTR) {
            return gone();
        }
    }
    return {};
}

}  // namespace

std::int64_t now() {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

std::string part_mark(std::uint32_t index) {
    return std::string(kMark) + std::to_string(index);
}

std::int64_t marked_part(std::string_view bytes) {
    if (!bytes.starts_with(kMark) || bytes.size() > kMark.size() + 10) {
        return -1;
    }
    std::uint32_t index = 0;
    const char* const end = bytes.data() + bytes.size();
    const auto parsed = std::from_chars(bytes.data() + kMark.size(), end, index);
    return parsed.ec == std::errc() && parsed.ptr == end ? std::int64_t{index} : -1;
}

std::string encode(std::uint32_t number) {
    std::string bytes;
    for (unsigned shift = 0; shift < 32; shift += 8) {
        bytes += static_cast<char>((number >> shift) & 0xFFU);
    }
    return bytes;
}

std::uint32_t decode_number(std::string_view bytes) {
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(bytes.size(), 4); ++i) {
        number |= std::uint32_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
    }
    return number;
}

std::string encode(const Entry& entry) {
    std::string bytes = encode(entry.number) + encode(entry.size);
    for (const auto* const text :
         {&entry.media_type, &entry.disposition, &entry.content_id, &entry.name}) {
        bytes += encode(static_cast<std::uint32_t>(text->size())) + *text;
    }
    return bytes;
}

Entry decode_entry(std::string_view bytes) {
    constexpr std::size_t kNumber = 4;
    const auto number = [&] {
        const std::uint32_t value = decode_number(bytes);
        bytes.remove_prefix(std::min(kNumber, bytes.size()));
        return value;
    };
    Entry entry;
    entry.number = number();
    entry.size = number();
    for (auto* const text :
         {&entry.media_type, &entry.disposition, &entry.content_id, &entry.name}) {
        const std::uint32_t size = number();
        *text = bytes.substr(0, size);
        bytes.remove_prefix(text->size());
    }
    return entry;
}

std::string encode(const Request& request) {
    return (request.attachments ? '\1' : '\0') + encode(request.first_attachment);
}

Request decode_request(std::string_view bytes) {
    return {
        .attachments = !bytes.empty() && bytes.front() != '\0',
        .first_attachment = decode_number(bytes.substr(std::min<std::size_t>(1, bytes.size())))};
}

Status Channel::put(Kind kind, std::string_view first, std::string_view second,
                    std::int64_t deadline) {
    out_ += static_cast<char>(kind);
    out_ += encode(static_cast<std::uint32_t>(first.size() + second.size()));
    out_ += first;  // small wherever there is a second
    if (out_.size() + second.size() <= kBuffer) {
        out_ += second;
        return {};
    }
    OPENARCHIVER_CHECK(flush(deadline));
    return write_all(socket_, second, deadline);
}

Status Channel::flush(std::int64_t deadline) {
    OPENARCHIVER_CHECK(write_all(socket_, out_, deadline));
    out_.clear();
    return {};
}

/// Makes in_ hold at least `size` bytes that were not taken.
Status Channel::fill(std::size_t size, std::int64_t deadline) {
    std::size_t held = in_.size() - taken_;
    if (held >= size) {
        return {};
    }
    in_.erase(0, std::exchange(taken_, 0));
    in_.resize(std::max(size, kBuffer));
    while (held < size) {
        const auto got = ::recv(socket_, in_.data() + held, in_.size() - held, MSG_DONTWAIT);
        if (got > 0) {
            held += static_cast<std::size_t>(got);
        } else if (got < 0 && errno == EAGAIN) {
            OPENARCHIVER_CHECK(wait(socket_, POLLIN, deadline));
        } else if (got == 0 || errno != EINTR) {
            return gone();
        }
    }
    in_.resize(held);
    return {};
}

Result<Record> Channel::receive(std::int64_t deadline) {
    OPENARCHIVER_CHECK(fill(kHeader, deadline));
    const std::string_view header = std::string_view(in_).substr(taken_, kHeader);
    const auto kind = static_cast<Kind>(header[0]);
    const std::uint32_t size = decode_number(header.substr(1));
    if (size > kMaxRecord) {
        return Error{Errc::corrupt,
                     "the extractor sent " + std::to_string(size) + " bytes at once"};
    }
    taken_ += kHeader;
    OPENARCHIVER_CHECK(fill(size, deadline));
    Record record{.kind = kind, .bytes = in_.substr(taken_, size)};
    taken_ += size;
    if (in_.capacity() > kBuffer && taken_ == in_.size()) {
        in_ = std::string();  // one large record must not be kept for all that follow
        taken_ = 0;
    }
    return record;
}

}  // namespace openarchiver::search::wire
