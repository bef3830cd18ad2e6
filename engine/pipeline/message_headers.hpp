#pragma once

#include <cstddef>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <span>
#include <string>

namespace openarchiver::pipeline {

/// What lists and searches show of a message. All texts are valid UTF-8 without control characters,
/// at most kMaxHeaderValue bytes; empty where the message does not say.
struct MessageHeaders {
    std::string message_id;  ///< with its angle brackets
    std::string subject;
    std::string from;
    std::optional<sdk::Timestamp> date;
};

inline constexpr std::size_t kMaxHeaderValue = 998;

/// Reads the header block of a message/rfc822 content from its beginning, which may be cut off
/// anywhere. Never fails: what is broken is empty. Safe for concurrent use.
[[nodiscard]] MessageHeaders read_headers(std::span<const std::byte> head);

}  // namespace openarchiver::pipeline
