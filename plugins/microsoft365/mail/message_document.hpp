#pragma once

#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What Graph tells of a single message and its attachments.
namespace openarchiver::microsoft365 {

struct Correspondent {
    std::string name;
    std::string address;
};

struct MessageDocument {
    /// As they came, top first; empty for what was never transported (drafts, the sender's copy).
    std::vector<std::pair<std::string, std::string>> headers;
    std::string subject;
    std::vector<Correspondent> from;
    std::vector<Correspondent> sender;
    std::vector<Correspondent> to;
    std::vector<Correspondent> cc;
    std::vector<Correspondent> bcc;
    std::vector<Correspondent> reply_to;
    std::optional<sdk::Timestamp> date;
    std::string message_id;
    bool html = false;
    std::string body;
};

struct AttachmentEntry {
    enum class Kind : std::uint8_t { file, item, other };
    Kind kind = Kind::other;
    std::string id;
    std::string name;
    std::string content_type;
    std::string content_id;
    bool is_inline = false;
};

struct AttachmentPage {
    std::vector<AttachmentEntry> attachments;
    std::string next_link;
};

/// unavailable: the text is not such a document.
sdk::Result<MessageDocument> parse_message(std::string_view json);
sdk::Result<AttachmentPage> parse_attachments(std::string_view json);

}  // namespace openarchiver::microsoft365
