#include "mail/message_report.hpp"

#include "mail/content_tag.hpp"

namespace openarchiver::microsoft365 {

sdk::Flow report(const Page<MessageEntry>& page, sdk::ItemSink& sink) {
    for (const MessageEntry& message : page.entries) {
        sdk::Flow flow = sdk::Flow::proceed;
        if (message.removed) {
            flow = sink.item_left(message.id);
        } else {
            sdk::Item item;
            item.id = message.id;
            item.content_tag = content_tag(message);
            item.received_at = message.received_at ? message.received_at : message.created_at;
            flow = sink.item(item);
        }
        if (flow == sdk::Flow::stop) {
            return flow;
        }
    }
    return sdk::Flow::proceed;
}

}  // namespace openarchiver::microsoft365
