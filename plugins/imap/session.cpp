#include "session.hpp"

#include "content_reader.hpp"
#include "estimate.hpp"
#include "failure.hpp"
#include "folder_sync.hpp"
#include "item_id.hpp"
#include "preflight.hpp"

namespace openarchiver::imap {

namespace {

using sdk::Errc;

template <typename Body>
auto guarded(Body body) {
    return sdk::without_exceptions("the imap provider", std::move(body));
}

sdk::Error message_gone() {
    return failure(Errc::not_found, "a message is gone");
}

bool is_refusal(const sdk::Error& error) {
    return error.code == Errc::unauthenticated || error.code == Errc::permission_denied;
}

}  // namespace

Session::Session(Settings settings, const sdk::HostServices& host)
    : shared_(std::move(settings), host), watches_(shared_) {
    const Settings& parsed = shared_.settings;
    const std::vector<std::string> own = {parsed.user};
    for (const std::string& name : parsed.delegated() ? parsed.accounts : own) {
        accounts_.try_emplace(name, std::make_unique<Account>(shared_, name));
    }
}

sdk::Result<Account*> Session::account(const std::string& account_id) {
    const auto found = accounts_.find(account_id);
    if (found == accounts_.end()) {
        return failure(Errc::not_found, "the configuration has no such account (any more)");
    }
    return found->second.get();
}

sdk::SessionLimits Session::limits() const {
    const Settings& settings = shared_.settings;
    return {.accounts_in_parallel = settings.accounts_in_parallel,
            .readers_per_account = settings.connections_per_account - 1};
}

sdk::Result<std::vector<sdk::Check>> Session::check(std::stop_token stop) {
    return guarded([&] { return run_preflight(shared_, accounts_.begin()->first, stop); });
}

sdk::Result<sdk::Listing> Session::discover(const std::optional<sdk::Cursor>& cursor,
                                            sdk::AccountSink& sink, std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::Listing> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        if (cursor) {
            return failure(Errc::cursor_expired, "listing accounts has no cursors here");
        }
        // A server that does not answer, or knows this user no more, is told of before any account.
        if (shared_.settings.delegated()) {
            OPENARCHIVER_CHECK(Connection::reach(shared_, stop));
        } else {
            OPENARCHIVER_CHECK(probe(accounts_.begin()->first, stop));
        }
        for (const auto& [name, account] : accounts_) {
            sdk::Account reported;
            reported.id = name;
            reported.address = name;
            reported.display_name = name;
            if (sink.account(reported) == sdk::Flow::stop || stop.stop_requested()) {
                return cancelled();
            }
        }
        return sdk::Listing{};
    });
}

sdk::Result<sdk::FolderListing> Session::list_folders(const std::string& account_id,
                                                      const std::optional<sdk::Cursor>& cursor,
                                                      sdk::FolderSink& sink, std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::FolderListing> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        if (cursor) {
            return failure(Errc::cursor_expired, "listing folders has no cursors here");
        }
        OPENARCHIVER_TRY(Account* const owner, account(account_id));
        const auto tree = owner->list_folders(stop);
        if (!tree && shared_.settings.delegated() && is_refusal(tree.error())) {
            // Of one mailbox of several: the others may be open to this user.
            sdk::FolderListing closed;
            closed.complete = false;
            closed.account_state = sdk::AccountState::closed_by_policy;
            closed.reason = tree.error().message;
            return closed;
        }
        if (!tree) {
            return tree.error();
        }
        for (const FolderEntry& entry : (*tree)->entries) {
            if (sink.folder(entry.folder) == sdk::Flow::stop || stop.stop_requested()) {
                return cancelled();
            }
        }
        watches_.watch(account_id, **tree);
        return sdk::FolderListing{};
    });
}

sdk::Status Session::sync_folder(const std::string& account_id, const std::string& folder_id,
                                 const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                                 std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        if (stop.stop_requested()) {
            return cancelled();
        }
        std::optional<FolderCursor> since;
        if (cursor) {
            since = FolderCursor::parse(*cursor);
            if (!since) {
                return failure(Errc::cursor_expired, "the cursor is of another version");
            }
        }
        OPENARCHIVER_TRY(Account* const owner, account(account_id));
        OPENARCHIVER_TRY(auto tree, owner->folders(stop));
        for (bool listed = false;; listed = true) {
            const FolderEntry* const entry = tree->find(folder_id);
            sdk::Status status = failure(Errc::not_found, "a folder is gone");
            if (entry != nullptr) {
                status = FolderSync(*owner, *entry, sink, stop).run(since);
            }
            if (listed || status || status.error().code != Errc::not_found) {
                return status;
            }
            // Made or renamed since the folders were listed?
            OPENARCHIVER_TRY(tree, owner->list_folders(stop));
        }
    });
}

sdk::Result<std::unique_ptr<sdk::ByteReader>> Session::open_at(Account& account,
                                                               const MessagePlace& place,
                                                               const std::stop_token& stop) {
    OPENARCHIVER_TRY(Account::Lease lease, account.acquire(place.mailbox, stop));
    if (!lease->mailbox() || lease->mailbox()->name != place.mailbox) {
        OPENARCHIVER_CHECK(lease->examine(place.mailbox, stop));
    }
    if (lease->mailbox()->uid_validity != place.uid_validity) {
        return message_gone();
    }
    OPENARCHIVER_CHECK(lease->begin_content(place.uid, stop));
    return std::make_unique<ContentReader>(std::move(lease), stop);
}

sdk::Result<MessagePlace> Session::find(Account& account, const std::string& item_id,
                                        const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto tree, account.folders(stop));
    if (const auto by_uid = parse_uid_item_id(item_id)) {
        const FolderEntry* const entry = tree->find(by_uid->folder_id);
        if (entry == nullptr) {
            return message_gone();
        }
        return MessagePlace{
            .mailbox = entry->mailbox, .uid_validity = by_uid->uid_validity, .uid = by_uid->uid};
    }
    for (const FolderEntry& entry : tree->entries) {
        if (!entry.folder.archived) {
            continue;
        }
        OPENARCHIVER_TRY(
            const MessagePlace place,
            account.with_connection(
                entry.mailbox, stop, [&](Connection& connection) -> sdk::Result<MessagePlace> {
                    if (item_id.size() < 2 ||
                        item_id.front() != scheme_of(connection.stable_names())) {
                        return MessagePlace();
                    }
                    const auto mailbox = connection.examine(entry.mailbox, stop);
                    if (!mailbox && mailbox.error().code != Errc::not_found) {
                        return mailbox.error();
                    }
                    if (!mailbox || mailbox->messages == 0) {
                        return MessagePlace();
                    }
                    OPENARCHIVER_TRY(const UidSet found, connection.find(item_id.substr(1), stop));
                    return MessagePlace{.mailbox = entry.mailbox,
                                        .uid_validity = mailbox->uid_validity,
                                        .uid = found.last()};
                }));
        if (place.uid != 0) {
            return place;
        }
    }
    return message_gone();
}

sdk::Result<std::unique_ptr<sdk::ByteReader>> Session::open_content(const std::string& account_id,
                                                                    const std::string& item_id,
                                                                    std::stop_token stop) {
    return guarded([&]() -> sdk::Result<std::unique_ptr<sdk::ByteReader>> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(Account* const owner, account(account_id));
        if (const auto place = owner->place_of(item_id)) {
            auto reader = open_at(*owner, *place, stop);
            if (reader || reader.error().code != Errc::not_found) {
                return reader;
            }
            // Moved since it was listed?
        }
        OPENARCHIVER_TRY(const MessagePlace place, find(*owner, item_id, stop));
        return open_at(*owner, place, stop);
    });
}

sdk::Status Session::probe(const std::string& account_id, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(Account* const owner, account(account_id));
        return owner->with_connection(
            "", stop, [&](Connection& connection) { return connection.noop(stop); });
    });
}

sdk::Result<sdk::Estimate> Session::estimate(std::stop_token stop) {
    return guarded([&] {
        std::vector<Account*> all;
        for (const auto& [name, account] : accounts_) {
            all.push_back(account.get());
        }
        return estimate_accounts(all, shared_.host.clock, stop);
    });
}

}  // namespace openarchiver::imap
