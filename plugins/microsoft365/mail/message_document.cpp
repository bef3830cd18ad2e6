#include "mail/message_document.hpp"

#include <boost/json.hpp>

#include "failure.hpp"
#include "graph/graph_documents.hpp"

namespace openarchiver::microsoft365 {

namespace {

namespace json = boost::json;

std::string text_of(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

const json::object* object_of(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    return value != nullptr ? value->if_object() : nullptr;
}

template <typename Visit>
void each_object(const json::object& object, std::string_view name, Visit visit) {
    const json::value* value = object.if_contains(name);
    const json::array* list = value != nullptr ? value->if_array() : nullptr;
    if (list == nullptr) {
        return;
    }
    for (const json::value& entry : *list) {
        if (entry.is_object()) {
            visit(entry.get_object());
        }
    }
}

void add_correspondent(const json::object& recipient, std::vector<Correspondent>& to) {
    const json::object* address = object_of(recipient, "emailAddress");
    if (address == nullptr) {
        return;
    }
    Correspondent one{text_of(*address, "name"), text_of(*address, "address")};
    if (!one.name.empty() || !one.address.empty()) {
        to.push_back(std::move(one));
    }
}

std::vector<Correspondent> one_of(const json::object& object, std::string_view name) {
    std::vector<Correspondent> result;
    if (const json::object* recipient = object_of(object, name); recipient != nullptr) {
        add_correspondent(*recipient, result);
    }
    return result;
}

std::vector<Correspondent> all_of(const json::object& object, std::string_view name) {
    std::vector<Correspondent> result;
    each_object(object, name, [&](const json::object& each) { add_correspondent(each, result); });
    return result;
}

sdk::Result<json::object> parse_object(std::string_view text) {
    json::error_code error;
    json::value document = json::parse(text, error);
    if (error || !document.is_object()) {
        return failure(sdk::Errc::unavailable, "the service's answer is not the expected JSON");
    }
    return std::move(document.get_object());
}

}  // namespace

sdk::Result<MessageDocument> parse_message(std::string_view text) {
    OPENARCHIVER_TRY(const json::object object, parse_object(text));
    MessageDocument message;
    each_object(object, "internetMessageHeaders", [&](const json::object& header) {
        message.headers.emplace_back(text_of(header, "name"), text_of(header, "value"));
    });
    message.subject = text_of(object, "subject");
    message.from = one_of(object, "from");
    message.sender = one_of(object, "sender");
    message.to = all_of(object, "toRecipients");
    message.cc = all_of(object, "ccRecipients");
    message.bcc = all_of(object, "bccRecipients");
    message.reply_to = all_of(object, "replyTo");
    for (const std::string_view name : {"sentDateTime", "receivedDateTime", "createdDateTime"}) {
        if (!message.date) {
            message.date = parse_timestamp(text_of(object, name));
        }
    }
    message.message_id = text_of(object, "internetMessageId");
    if (const json::object* body = object_of(object, "body"); body != nullptr) {
        message.html = text_of(*body, "contentType") != "text";
        message.body = text_of(*body, "content");
    }
    return message;
}

sdk::Result<AttachmentPage> parse_attachments(std::string_view text) {
    OPENARCHIVER_TRY(const json::object object, parse_object(text));
    AttachmentPage page;
    page.next_link = text_of(object, "@odata.nextLink");
    each_object(object, "value", [&](const json::object& each) {
        AttachmentEntry entry;
        const std::string type = text_of(each, "@odata.type");
        entry.kind = type.ends_with("fileAttachment")   ? AttachmentEntry::Kind::file
                     : type.ends_with("itemAttachment") ? AttachmentEntry::Kind::item
                                                        : AttachmentEntry::Kind::other;
        entry.id = text_of(each, "id");
        entry.name = text_of(each, "name");
        entry.content_type = text_of(each, "contentType");
        entry.content_id = text_of(each, "contentId");
        const json::value* shown = each.if_contains("isInline");
        entry.is_inline = shown != nullptr && shown->is_bool() && shown->get_bool();
        if (!entry.id.empty()) {
            page.attachments.push_back(std::move(entry));
        }
    });
    return page;
}

}  // namespace openarchiver::microsoft365
