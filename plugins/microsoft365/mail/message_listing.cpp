#include "mail/message_listing.hpp"

#include "failure.hpp"
#include "graph/link_guard.hpp"
#include "mail/content_tag.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;
using sdk::Flow;

constexpr std::uint32_t kCursorFormat = 1;
/// The largest that delta is known to serve.
constexpr std::uint32_t kPageSize = 500;
/// A service that keeps sending empty pages is not getting anywhere.
constexpr std::uint32_t kMaxEmptyPages = 10'000;

sdk::Error expired(std::string_view why) {
    return failure(Errc::cursor_expired, "the folder has to be listed anew: " + std::string(why));
}

Flow report(const Page<MessageEntry>& page, sdk::ItemSink& sink) {
    for (const MessageEntry& message : page.entries) {
        if (message.removed) {
            if (sink.item_left(message.id) == Flow::stop) {
                return Flow::stop;
            }
            continue;
        }
        sdk::Item item;
        item.id = message.id;
        item.content_tag = content_tag(message);
        item.received_at = message.received_at ? message.received_at : message.created_at;
        if (sink.item(item) == Flow::stop) {
            return Flow::stop;
        }
    }
    return Flow::proceed;
}

}  // namespace

sdk::Status sync_messages(GraphClient& graph, RequestLimiter& mailbox,
                          const std::string& account_id, const std::string& folder_id,
                          const std::optional<sdk::Cursor>& cursor, sdk::Logger& logger,
                          sdk::ItemSink& sink, const std::stop_token& stop) {
    GraphRequest request;
    request.what = "listing the messages of a folder";
    request.subject = Subject::folder;
    request.page_size = kPageSize;
    WalkGuard guard;
    TokenOrigin origin = TokenOrigin::this_walk;
    bool first = true;
    if (cursor) {
        if (cursor->format != kCursorFormat) {
            return expired("its cursor is of another version");
        }
        // A cursor made for another endpoint is of no use here, and must not be followed.
        auto target = follow_link(graph.origin(), cursor->value);
        if (!target) {
            return expired("its cursor is not of this service");
        }
        request.target = std::move(*target);
        origin = TokenOrigin::stored;
        OPENARCHIVER_CHECK(guard.enter(cursor->value));
    } else {
        request.target = "/v1.0/users/" + percent_encode(account_id) + "/mailFolders/" +
                         percent_encode(folder_id) +
                         "/messages/delta?$select=id,internetMessageId,receivedDateTime,"
                         "createdDateTime,parentFolderId,isDraft";
    }

    std::uint32_t empty_pages = 0;
    for (;;) {
        Page<MessageEntry> page;
        {
            OPENARCHIVER_TRY(const GraphAnswer answer,
                             graph.fetch(mailbox, request, Patience::wait, stop));
            if (answer.failure) {
                const bool fresh = first && !cursor;
                if (!fresh && is_expired_token(*answer.failure, origin)) {
                    return expired("the service no longer knows its change token (" +
                                   answer.failure->service_code() + ")");
                }
                return to_error(*answer.failure, Subject::folder, request.what);
            }
            OPENARCHIVER_TRY(page, parse_messages(answer.body));
        }
        // Neither permit nor response is held from here on: the sink may block for long.
        first = false;
        origin = TokenOrigin::this_walk;
        if (page.unusable > 0) {
            logger.log(sdk::LogLevel::warning, "messages without an id were left out",
                       {{"account", account_id}, {"count", std::to_string(page.unusable)}});
        }
        if (report(page, sink) == Flow::stop || stop.stop_requested()) {
            return cancelled();
        }
        const bool more = !page.next_link.empty();
        const std::string& link = more ? page.next_link : page.delta_link;
        if (link.empty()) {
            return failure(Errc::unavailable,
                           "listing the messages of a folder: the last page has no link to go on "
                           "from");
        }
        // Checked before it is kept: a cursor that can't be followed helps nobody.
        OPENARCHIVER_TRY(request.target, follow_link(graph.origin(), link));
        if (more) {
            OPENARCHIVER_CHECK(guard.enter(link));
            empty_pages = page.entries.empty() ? empty_pages + 1 : 0;
            if (empty_pages > kMaxEmptyPages) {
                return failure(Errc::internal,
                               "listing the messages of a folder: the service sends empty pages "
                               "without end");
            }
        }
        if (sink.checkpoint(sdk::Cursor{kCursorFormat, link}) == Flow::stop) {
            return cancelled();
        }
        if (!more) {
            return {};
        }
    }
}

}  // namespace openarchiver::microsoft365
