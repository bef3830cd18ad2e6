#pragma once

#include <cstdint>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <vector>

/// The attachments of a message, taken out by a process of its own (extract/main.cpp).
namespace openarchiver::search {

/// A longer message is not looked at.
inline constexpr std::uint64_t kLargestMessage = std::uint64_t{160} << 20;

struct Attachment {
    std::uint32_t number = 0;  ///< from 1 on
    std::string name;          ///< as the message says, UTF-8; may be empty
    std::string media_type;    ///< lower case; as the message says
    std::string disposition;   ///< lower case; may be empty
    std::string content_id;
    std::uint64_t size = 0;  ///< decoded
};

struct Attachments {
    std::vector<Attachment> list;
    bool complete = true;  ///< false: there are more than are looked at
};

/// resource_exhausted: the message is longer than kLargestMessage; corrupt: it
/// can't be read; unavailable: the program can't be started; cancelled.
sdk::Result<Attachments> list_attachments(sdk::ByteSource& message, const std::stop_token& stop);

/// One of them, its bytes into `sink`; discard them on an error. Also not_found.
sdk::Result<Attachment> read_attachment(sdk::ByteSource& message, std::uint32_t number,
                                        sdk::ByteSink& sink, const std::stop_token& stop);

}  // namespace openarchiver::search
