#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <unordered_map>
#include <vector>

#include "connection.hpp"
#include "folder_tree.hpp"

namespace openarchiver::imap {

/// Where a message was seen.
struct MessagePlace {
    std::string mailbox;
    std::uint32_t uid_validity = 0;
    UidSet::Uid uid = 0;
};

/// What a session keeps of an account between calls: connections that nobody uses, its folders,
/// and where the messages listed last are. Safe for concurrent use.
class Account {
public:
    Account(Shared& shared, std::string name) : shared_(shared), name_(std::move(name)) {}

    [[nodiscard]] const std::string& name() const { return name_; }

    /// A connection that is signed in; it goes back when the lease ends.
    class Lease {
    public:
        Lease(Account& account, std::unique_ptr<Connection> connection)
            : account_(&account), connection_(std::move(connection)) {}

        Lease(Lease&&) = default;
        Lease& operator=(Lease&&) = delete;

        ~Lease() {
            if (connection_) {
                account_->give_back(std::move(connection_));
            }
        }

        Connection* operator->() const { return connection_.get(); }

        Connection& operator*() const { return *connection_; }

    private:
        Account* account_;
        std::unique_ptr<Connection> connection_;
    };

    /// One that has `mailbox` open where there is one.
    sdk::Result<Lease> acquire(const std::string& mailbox, const std::stop_token& stop);

    /// Calls `body(Connection&)`; again, on another connection, where one broke.
    template <typename Body>
    auto with_connection(const std::string& mailbox, const std::stop_token& stop, Body body)
        -> decltype(body(std::declval<Connection&>())) {
        constexpr int kTries = 3;
        for (int attempt = 1;; ++attempt) {
            auto lease = acquire(mailbox, stop);
            if (!lease) {
                return std::move(lease.error());
            }
            auto result = body(**lease);
            const bool again = !result && result.error().code == sdk::Errc::unavailable &&
                               !(*lease)->usable() && attempt < kTries;
            if (!again) {
                return result;
            }
        }
    }

    /// The folders as they were listed last; listed now where they were not yet.
    sdk::Result<std::shared_ptr<const FolderTree>> folders(const std::stop_token& stop);
    sdk::Result<std::shared_ptr<const FolderTree>> list_folders(const std::stop_token& stop);
    /// How a folder stood when the folders were listed, once: it is soon out of date.
    std::optional<MailboxState> take_state(const std::string& folder_id);

    void remember(const std::string& item_id, MessagePlace place);
    [[nodiscard]] std::optional<MessagePlace> place_of(const std::string& item_id) const;

private:
    void give_back(std::unique_ptr<Connection> connection);

    Shared& shared_;
    const std::string name_;
    mutable std::mutex mutex_;  // guards the rest
    std::vector<std::unique_ptr<Connection>> idle_;
    std::shared_ptr<const FolderTree> folders_;
    std::unordered_map<std::string, MailboxState> states_;
    std::unordered_map<std::string, MessagePlace> places_;
    std::deque<std::string> order_;
};

}  // namespace openarchiver::imap
