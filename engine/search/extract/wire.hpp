#pragma once

#include <cstddef>
#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What engine and extractor say to each other over a pair of sockets: records of a kind, a length
/// (32 bits, little endian) and so many bytes.
namespace openarchiver::search::wire {

enum class Kind : std::uint8_t {
    // to the extractor
    message = 1,  ///< Request, then the message; large base64 parts replaced by part_mark()
    part,         ///< answers `need`
    piece,        ///< some of the message that `attachments` is about
    attachments,  ///< the number of the one that is wanted; 0: a list of all
    // from it
    text,        ///< a Field, then UTF-8 that goes on where the field ended
    attachment,  ///< number and name of the one that is read from now on
    gap,         ///< a GapReason, then the attachment's name
    need,        ///< the number of a part
    message_id,
    reference,
    has_attachment,
    entry,  ///< an Entry
    bytes,  ///< some of the attachment that is wanted
    cut,    ///< there are more attachments than are looked at
    end,
};

/// An attachment, as the message describes it.
struct Entry {
    std::uint32_t number = 0;  ///< from 1 on
    std::uint32_t size = 0;    ///< decoded
    std::string media_type;
    std::string disposition;
    std::string content_id;
    std::string name;
};

struct Request {
    bool attachments = true;             ///< their text, too
    std::uint32_t first_attachment = 0;  ///< those before it are left out
};

inline constexpr std::size_t kRequestSize = 5;

/// Longer ones are not sent and not believed.
inline constexpr std::size_t kMaxRecord = std::size_t{64} << 20;

/// Stands in a message in place of a part's bytes.
[[nodiscard]] std::string part_mark(std::uint32_t index);
/// The part that the decoded bytes of a MIME part stand for; -1: they stand for themselves.
[[nodiscard]] std::int64_t marked_part(std::string_view bytes);

[[nodiscard]] std::string encode(const Request& request);
[[nodiscard]] Request decode_request(std::string_view bytes);
[[nodiscard]] std::string encode(const Entry& entry);
[[nodiscard]] Entry decode_entry(std::string_view bytes);
[[nodiscard]] std::string encode(std::uint32_t number);
[[nodiscard]] std::uint32_t decode_number(std::string_view bytes);

struct Record {
    Kind kind = Kind::end;
    std::string bytes;
};

/// One end. Deadlines are milliseconds of CLOCK_MONOTONIC, 0: none. Errors: unavailable (the other
/// end is gone), timed_out.
class Channel {
public:
    /// Doesn't own the socket.
    explicit Channel(int socket) : socket_(socket) {}

    /// Adds a record whose bytes are those of `first` and `second`: it goes out with the next
    /// flush().
    sdk::Status put(Kind kind, std::string_view first, std::string_view second = {},
                    std::int64_t deadline = 0);
    sdk::Status flush(std::int64_t deadline = 0);
    sdk::Result<Record> receive(std::int64_t deadline = 0);

private:
    sdk::Status fill(std::size_t size, std::int64_t deadline);

    int socket_;
    std::string out_;
    std::string in_;         ///< what was received and not yet asked for
    std::size_t taken_ = 0;  ///< of in_
};

/// Milliseconds of CLOCK_MONOTONIC.
[[nodiscard]] std::int64_t now();

}  // namespace openarchiver::search::wire
