#include "folder_sync.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "failure.hpp"
#include "item_id.hpp"
#include "mailbox_name.hpp"

namespace openarchiver::imap {

namespace {

using sdk::Errc;

constexpr std::uint64_t kPage = 500;
/// A message never changes (RFC 3501 section 2.3.1.1).
constexpr char kContentTag = '1';
/// More than this, and it is rather a new folder: servers that have forgotten a mod-sequence name
/// every UID there ever was.
constexpr std::uint64_t kMaxGone = 1'000'000;

/// What a property's text may have.
constexpr std::size_t kMaxLabels = 4096;

/// A JSON list of them, as many as there is room for: a label may have any character in it.
std::string labels_text(const std::vector<std::string>& labels) {
    std::string text;
    boost::json::array list;
    for (const std::string& label : labels) {
        list.emplace_back(display_name(label));
        std::string longer = boost::json::serialize(list);
        if (longer.size() > kMaxLabels) {
            break;
        }
        text = std::move(longer);
    }
    return text;
}

sdk::Error expired(const char* why) {
    return failure(Errc::cursor_expired, why);
}

}  // namespace

sdk::Status FolderSync::run(const std::optional<FolderCursor>& since) {
    const std::optional<MailboxState> state = account_.take_state(entry_.folder.id);
    if (since && state && state->uid_validity == since->uid_validity &&
        state->uid_next == since->next && state->messages == since->messages) {
        // No UID was given out and none is missing: all is as it was.
        return go_on(sink_.checkpoint(since->text())) ? sdk::Status() : cancelled();
    }
    OPENARCHIVER_TRY(News news,
                     account_.with_connection(entry_.mailbox, stop_, [&](Connection& connection) {
                         return look(connection, since);
                     }));
    FolderCursor& cursor = news.cursor;
    for (const UidSet::Uid uid : news.gone.uids()) {
        if (!go_on(sink_.item_left(uid_item_id(cursor.uid_validity, uid, entry_.folder.id)))) {
            return cancelled();
        }
    }
    do {
        const UidSet uids = news.fresh.take(kPage);
        if (!uids.empty()) {
            OPENARCHIVER_TRY(
                const Page page,
                account_.with_connection(entry_.mailbox, stop_, [&](Connection& connection) {
                    return describe(connection, uids, cursor);
                }));
            OPENARCHIVER_CHECK(report(page, cursor));
            cursor.messages += uids.count();
            if (cursor.known) {
                for (const UidSet::Uid uid : uids.uids()) {
                    cursor.known->add(uid);
                }
            }
        }
        cursor.next = news.fresh.empty() ? std::max(news.end, uids.last() + 1) : uids.last() + 1;
        if (!go_on(sink_.checkpoint(cursor.text()))) {
            return cancelled();
        }
    } while (!news.fresh.empty());
    return {};
}

sdk::Result<FolderSync::News> FolderSync::look(Connection& connection,
                                               const std::optional<FolderCursor>& since) {
    OPENARCHIVER_TRY(const Mailbox mailbox, connection.examine(entry_.mailbox, stop_));
    News news;
    FolderCursor& now = news.cursor;
    now.scheme = scheme_of(connection.stable_names());
    now.uid_validity = mailbox.uid_validity;
    const bool by_uid = connection.stable_names().message.empty();
    if (by_uid && !mailbox.uids_last) {
        return failure(Errc::unsupported,
                       "the server gives the messages of a folder other UIDs in each session "
                       "(UIDNOTSTICKY), so that they can't be told apart");
    }
    if (by_uid) {
        now.modseq = connection.can("QRESYNC") ? mailbox.highest_modseq : 0;
        if (now.modseq == 0) {
            now.known.emplace();
        }
    }
    if (since) {
        if (since->uid_validity != now.uid_validity) {
            return expired("the folder was made anew (UIDVALIDITY)");
        }
        if (since->scheme != now.scheme) {
            return expired("the server names its messages in another way than before");
        }
        now.next = since->next;
        OPENARCHIVER_TRY(now.messages, connection.count(1, since->next - 1, stop_));
        if (now.known) {
            now.known = since->known;
        }
        if (now.messages != since->messages) {
            OPENARCHIVER_TRY(news.gone, what_left(connection, *since, since->messages, now));
        }
    }
    if (mailbox.messages > 0 && (!since || mailbox.messages > now.messages)) {
        OPENARCHIVER_TRY(news.fresh, connection.search(now.next, 0, stop_));
    }
    news.end = std::max({now.next, mailbox.uid_next, news.fresh.last() + 1});
    return news;
}

sdk::Result<UidSet> FolderSync::what_left(Connection& connection, const FolderCursor& since,
                                          std::uint64_t left, FolderCursor& now) {
    if (since.scheme != 'U') {
        return expired("messages left the folder");
    }
    UidSet gone;
    if (since.modseq != 0 && now.modseq != 0) {
        OPENARCHIVER_TRY(gone, connection.vanished(since.next - 1, since.modseq, stop_));
    } else if (since.known) {
        OPENARCHIVER_TRY(const UidSet here, connection.search(1, since.next - 1, stop_));
        gone = since.known->without(here);
        now.known = here;
        now.messages = here.count();
    }
    // A message that came back, or a server that forgot: the numbers tell.
    if (gone.empty() || gone.count() > kMaxGone || now.messages + gone.count() < left) {
        return expired("messages left the folder");
    }
    return gone;
}

sdk::Result<FolderSync::Page> FolderSync::describe(Connection& connection, const UidSet& uids,
                                                   const FolderCursor& cursor) {
    if (!connection.mailbox() || connection.mailbox()->name != entry_.mailbox) {
        OPENARCHIVER_CHECK(connection.examine(entry_.mailbox, stop_));
    }
    if (connection.mailbox()->uid_validity != cursor.uid_validity) {
        return expired("the folder was made anew (UIDVALIDITY)");
    }
    OPENARCHIVER_TRY(auto described, connection.describe(uids, stop_));
    Page page;
    UidSet missing = uids;
    const auto take = [&](std::vector<FetchedMessage>& messages) {
        UidSet found;
        for (FetchedMessage& message : messages) {
            found.add(message.uid);
            page.messages.push_back(std::move(message));
        }
        missing = missing.without(found);
    };
    take(described.messages);
    if (missing.empty()) {
        return page;
    }
    // Gone meanwhile, or there and not described: then it stays a known failure.
    OPENARCHIVER_TRY(const UidSet here, connection.search(uids.uids().front(), uids.last(), stop_));
    for (const UidSet::Uid uid : missing.without(missing.without(here)).uids()) {
        UidSet one;
        one.add(uid);
        OPENARCHIVER_TRY(auto alone, connection.describe(one, stop_));
        take(alone.messages);
        if (missing.contains(uid)) {
            page.failed.emplace_back(
                uid, alone.refused.value_or(failure(
                         Errc::corrupt, "the server lists a message and does not describe it")));
        }
    }
    std::ranges::sort(page.messages, {}, &FetchedMessage::uid);
    return page;
}

sdk::Status FolderSync::report(const Page& page, const FolderCursor& cursor) {
    for (const FetchedMessage& message : page.messages) {
        sdk::Item item;
        item.id = cursor.scheme == 'U' || message.stable_id.empty()
                      ? uid_item_id(cursor.uid_validity, message.uid, entry_.folder.id)
                      : stable_item_id(cursor.scheme, message.stable_id);
        item.content_tag = kContentTag;
        item.received_at = message.received_at;
        item.size_hint = message.size;
        if (!message.labels.empty()) {
            item.properties.push_back({"labels", labels_text(message.labels)});
        }
        account_.remember(
            item.id,
            {.mailbox = entry_.mailbox, .uid_validity = cursor.uid_validity, .uid = message.uid});
        if (!go_on(sink_.item(item))) {
            return cancelled();
        }
    }
    for (const auto& [uid, error] : page.failed) {
        if (!go_on(sink_.item_failed(uid_item_id(cursor.uid_validity, uid, entry_.folder.id),
                                     error))) {
            return cancelled();
        }
    }
    return {};
}

}  // namespace openarchiver::imap
