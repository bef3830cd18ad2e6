#include "mail/message_listing.hpp"

#include <algorithm>
#include <unordered_set>

#include "failure.hpp"
#include "graph/link_guard.hpp"
#include "mail/message_report.hpp"
#include "mail/plain_listing.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;
using sdk::Flow;

constexpr std::uint32_t kCursorFormat = 1;
constexpr std::string_view kListing = "listing the messages of a folder";
/// The largest that delta is known to serve; a page that fails is asked for in smaller ones.
constexpr std::uint32_t kPageSize = 500;
constexpr std::uint32_t kSmallPage = 25;
/// So many small pages after one that failed, pages are large again.
constexpr std::uint32_t kSmallPages = 50;
/// A service that keeps sending empty pages, or the same page, is not getting anywhere.
constexpr std::uint32_t kMaxEmptyPages = 1000;
constexpr std::uint32_t kMaxSamePages = 20;

sdk::Error expired(std::string_view why) {
    return failure(Errc::cursor_expired, "the folder has to be listed anew: " + std::string(why));
}

/// Tells walks that get nowhere, whatever their links say.
class Progress {
public:
    sdk::Status page(const Page<MessageEntry>& page) {
        std::size_t digest = 0;
        for (const MessageEntry& message : page.entries) {
            digest = digest * 31 + std::hash<std::string>{}(message.id) + (message.removed ? 1 : 0);
        }
        same_ = !page.entries.empty() && digest == last_ ? same_ + 1 : 0;
        empty_ = page.entries.empty() ? empty_ + 1 : 0;
        last_ = digest;
        if (same_ > kMaxSamePages || empty_ > kMaxEmptyPages) {
            return failure(
                Errc::internal,
                std::string(kListing) + (empty_ > 0 ? ": the service sends empty pages without "
                                                      "end"
                                                    : ": the service sends the same page "
                                                      "without end"));
        }
        return {};
    }

private:
    std::size_t last_ = 0;
    std::uint32_t same_ = 0;
    std::uint32_t empty_ = 0;
};

class DeltaWalk {
public:
    DeltaWalk(GraphClient& graph, RequestLimiter& mailbox, const std::string& account_id,
              const std::string& folder_id, sdk::Logger& logger, sdk::ItemSink& sink,
              const std::stop_token& stop)
        : graph_(graph),
          mailbox_(mailbox),
          account_(account_id),
          folder_(folder_id),
          logger_(logger),
          sink_(sink),
          stop_(stop) {
        request_.what = kListing;
        request_.subject = Subject::folder;
        request_.page_size = kPageSize;
    }

    sdk::Status run(const std::optional<sdk::Cursor>& cursor) {
        OPENARCHIVER_CHECK(begin(cursor));
        bool fresh = !cursor;
        TokenOrigin origin = cursor ? TokenOrigin::stored : TokenOrigin::this_walk;
        for (;;) {
            Page<MessageEntry> page;
            {
                OPENARCHIVER_TRY(const GraphAnswer answer,
                                 graph_.fetch(mailbox_, request_, Patience::wait, stop_));
                if (answer.failure) {
                    const GraphFailure& refused = *answer.failure;
                    if (refuses_changes(refused)) {
                        return fresh ? list_whole(refused) : expired(refused.service_code());
                    }
                    if (!fresh && is_expired_token(refused, origin)) {
                        return expired("the service no longer knows its change token (" +
                                       refused.service_code() + ")");
                    }
                    // Of a message on the page, or (504) of the page's size.
                    const bool of_the_page = refused.status == 500 || refused.status == 504;
                    if (of_the_page && smaller_pages()) {
                        continue;
                    }
                    if (refused.status == 500) {
                        return list_around(refused);
                    }
                    return to_error(refused, Subject::folder, kListing);
                }
                OPENARCHIVER_TRY(page, parse_messages(answer.body));
            }
            // Neither permit nor response is held from here on: the sink may block for long.
            fresh = false;
            origin = TokenOrigin::this_walk;
            OPENARCHIVER_CHECK(settle_contradictions(page));
            if (page.unusable > 0) {
                logger_.log(sdk::LogLevel::warning, "OA-8306 messages without an id were left out",
                            {{"account", account_}, {"count", std::to_string(page.unusable)}});
            }
            if (report(page, sink_) == Flow::stop || stop_.stop_requested()) {
                return cancelled();
            }
            const bool more = !page.next_link.empty();
            const std::string& link = more ? page.next_link : page.delta_link;
            if (link.empty()) {
                return failure(Errc::internal, std::string(kListing) +
                                                   ": a page has no link to go on from, though "
                                                   "every page must");
            }
            // Checked before it is kept: a cursor that can't be followed helps nobody.
            OPENARCHIVER_TRY(request_.target, follow_link(graph_.origin(), link));
            if (more) {
                auto onward = guard_.enter(link);
                if (onward) {
                    onward = progress_.page(page);
                }
                if (!onward) {
                    // From a circle that is stored there is no way but to begin again.
                    return cursor ? expired(onward.error().message) : std::move(onward);
                }
            }
            if (sink_.checkpoint(sdk::Cursor{kCursorFormat, link}) == Flow::stop) {
                return cancelled();
            }
            if (!more) {
                return {};
            }
            larger_pages();
        }
    }

private:
    sdk::Status begin(const std::optional<sdk::Cursor>& cursor) {
        if (!cursor) {
            request_.target = "/v1.0/users/" + percent_encode(account_) + "/mailFolders/" +
                              percent_encode(folder_) +
                              "/messages/delta?$select=" + std::string(kListedFields);
            return {};
        }
        if (cursor->format != kCursorFormat) {
            return expired("its cursor is of another version");
        }
        // A cursor made for another endpoint is of no use here, and must not be followed.
        auto target = follow_link(graph_.origin(), cursor->value);
        if (!target) {
            return expired("its cursor is not of this service");
        }
        request_.target = std::move(*target);
        return guard_.enter(cursor->value);
    }

    /// One message that can't be converted makes the page fail that holds it: smaller ones get as
    /// near to it as can be. False: the page could not be smaller.
    bool smaller_pages() {
        if (request_.page_size == 1) {
            return false;
        }
        request_.page_size = request_.page_size > kSmallPage ? kSmallPage : 1;
        request_.attempts = 1;  // it was waited out once
        small_pages_ = 0;
        return true;
    }

    void larger_pages() {
        if (request_.page_size != kPageSize && ++small_pages_ > kSmallPages) {
            request_.page_size = kPageSize;
            request_.attempts = 0;
        }
    }

    sdk::Status list_whole(const GraphFailure& refused) {
        const bool full = refused.has_code("ErrorQuotaExceeded");
        sink_.remark(full ? "the mailbox is over its storage quota and does not tell what changed: "
                            "its folders are listed whole in each run; free space in it or raise "
                            "its quota"
                          : "the service does not tell what changed in this mailbox: its folders "
                            "are listed whole in each run");
        log("its changes are refused", refused);
        return list_messages(graph_, mailbox_, account_, folder_, sink_, false, stop_);
    }

    sdk::Status list_around(const GraphFailure& refused) {
        log("a page of its changes can't be read", refused);
        return list_messages(graph_, mailbox_, account_, folder_, sink_, true, stop_);
    }

    void log(const std::string& why, const GraphFailure& refused) {
        logger_.log(sdk::LogLevel::warning, "OA-8307 listing a folder whole: " + why,
                    {{"account", account_},
                     {"folder", folder_},
                     {"code", refused.service_code()},
                     {"request_id", refused.request_id}});
    }

    /// A page that says of a message both that it is here and that it left, in whatever order: the
    /// message itself tells where it is.
    sdk::Status settle_contradictions(Page<MessageEntry>& page) {
        std::unordered_set<std::string> gone;
        std::unordered_set<std::string> both;
        for (const MessageEntry& message : page.entries) {
            if (message.removed) {
                gone.insert(message.id);
            }
        }
        for (const MessageEntry& message : page.entries) {
            if (!message.removed && gone.contains(message.id)) {
                both.insert(message.id);
            }
        }
        for (const std::string& id : both) {
            GraphRequest request;
            request.what = "finding out where a message is";
            request.subject = Subject::item;
            request.target = "/v1.0/users/" + percent_encode(account_) + "/messages/" +
                             percent_encode(id) + "?$select=id,parentFolderId";
            OPENARCHIVER_TRY(const GraphAnswer answer,
                             graph_.fetch(mailbox_, request, Patience::wait, stop_));
            bool here = false;
            if (answer.failure) {
                const auto error = to_error(*answer.failure, Subject::item, request.what);
                if (error.code != Errc::not_found) {
                    continue;  // the order in the page decides
                }
            } else {
                OPENARCHIVER_TRY(const FolderEntry place, parse_folder(answer.body));
                here = place.parent_id == folder_;
            }
            std::erase_if(page.entries, [&](const MessageEntry& message) {
                return message.id == id && message.removed == here;
            });
        }
        return {};
    }

    GraphClient& graph_;
    RequestLimiter& mailbox_;
    const std::string& account_;
    const std::string& folder_;
    sdk::Logger& logger_;
    sdk::ItemSink& sink_;
    const std::stop_token& stop_;
    GraphRequest request_;
    WalkGuard guard_;
    Progress progress_;
    std::uint32_t small_pages_ = 0;
};

}  // namespace

sdk::Status sync_messages(GraphClient& graph, RequestLimiter& mailbox,
                          const std::string& account_id, const std::string& folder_id,
                          const std::optional<sdk::Cursor>& cursor, sdk::Logger& logger,
                          sdk::ItemSink& sink, const std::stop_token& stop) {
    return DeltaWalk(graph, mailbox, account_id, folder_id, logger, sink, stop).run(cursor);
}

}  // namespace openarchiver::microsoft365
