// Generated mail: a plan of segments computed from a seed. The plan is small and knows the exact
// size; the bytes are produced while they are read, so a message of any size needs no memory.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "http_types.hpp"

namespace graph_simulator {

struct MailRequest {
    std::uint64_t seed = 0;
    std::string owner_name;
    std::string owner_address;
    std::int64_t received = 0;
    bool draft = false;
    bool sent_by_owner = false;
    std::uint64_t exact_size = 0;  // 0: a realistic size
};

struct Envelope {
    std::string from_name;
    std::string from_address;
    std::string to_name;
    std::string to_address;
    std::string subject;  // UTF-8
    std::string message_id;
    std::string in_reply_to;
    std::int64_t sent = 0;
    bool attachments = false;
};

struct Segment {
    enum class Kind { Literal, Words, Base64 };
    Kind kind = Kind::Literal;
    std::string text;          // Literal
    std::uint64_t seed = 0;    // Words, Base64
    std::uint64_t length = 0;  // bytes in the message
};

struct MailPlan {
    std::vector<Segment> segments;
    std::uint64_t size = 0;
};

Envelope make_envelope(const MailRequest& request);
MailPlan make_mail(const MailRequest& request);
std::unique_ptr<BodySource> open_mail(MailPlan plan);

std::string person_name(std::uint64_t index);

}  // namespace graph_simulator
