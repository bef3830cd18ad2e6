#include "mail/content_tag.hpp"

#include "mail/digest.hpp"

namespace openarchiver::microsoft365 {

std::string content_tag(const MessageEntry& message) {
    if (!message.draft || !message.internet_message_id) {
        return {};
    }
    if (!*message.draft) {
        return short_digest("message\n" + *message.internet_message_id);
    }
    return message.etag.empty()
               ? std::string()
               : short_digest("draft\n" + *message.internet_message_id + "\n" + message.etag);
}

}  // namespace openarchiver::microsoft365
