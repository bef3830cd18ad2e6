#include "account.hpp"

#include <algorithm>

namespace openarchiver::imap {

namespace {

/// More than the engine has on its way for an account.
constexpr std::size_t kMaxPlaces = 8192;

}  // namespace

sdk::Result<Account::Lease> Account::acquire(const std::string& mailbox,
                                             const std::stop_token& stop) {
    if (stop.stop_requested()) {
        return cancelled();
    }
    {
        const std::lock_guard lock(mutex_);
        std::erase_if(idle_, [](const auto& connection) { return !connection->usable(); });
        auto found = std::ranges::find_if(idle_, [&](const auto& connection) {
            return connection->mailbox() && connection->mailbox()->name == mailbox;
        });
        if (found == idle_.end() && !idle_.empty()) {
            found = std::prev(idle_.end());
        }
        if (found != idle_.end()) {
            std::unique_ptr<Connection> connection = std::move(*found);
            idle_.erase(found);
            return Lease(*this, std::move(connection));
        }
    }
    OPENARCHIVER_TRY(auto connection, Connection::reach(shared_, stop));
    OPENARCHIVER_CHECK(connection->sign_in(name_, stop));
    return Lease(*this, std::move(connection));
}

void Account::give_back(std::unique_ptr<Connection> connection) {
    if (!connection->usable()) {
        return;
    }
    const std::lock_guard lock(mutex_);
    if (idle_.size() < shared_.settings.connections_per_account) {
        idle_.push_back(std::move(connection));
    }
}

sdk::Result<std::shared_ptr<const FolderTree>> Account::folders(const std::stop_token& stop) {
    {
        const std::lock_guard lock(mutex_);
        if (folders_) {
            return folders_;
        }
    }
    return list_folders(stop);
}

sdk::Result<std::shared_ptr<const FolderTree>> Account::list_folders(const std::stop_token& stop) {
    using Tree = std::shared_ptr<const FolderTree>;
    OPENARCHIVER_TRY(
        Tree tree, with_connection("", stop, [&](Connection& connection) -> sdk::Result<Tree> {
            OPENARCHIVER_TRY(const auto listing, connection.list(stop));
            return std::make_shared<const FolderTree>(
                make_folder_tree(listing, connection.stable_names(), connection.can("SPECIAL-USE"),
                                 shared_.settings.folders));
        }));
    const std::lock_guard lock(mutex_);
    folders_ = tree;
    states_.clear();
    for (const FolderEntry& entry : tree->entries) {
        if (entry.state) {
            states_.emplace(entry.folder.id, *entry.state);
        }
    }
    return tree;
}

std::optional<MailboxState> Account::take_state(const std::string& folder_id) {
    const std::lock_guard lock(mutex_);
    const auto node = states_.extract(folder_id);
    return node.empty() ? std::nullopt : std::optional(node.mapped());
}

void Account::remember(const std::string& item_id, MessagePlace place) {
    const std::lock_guard lock(mutex_);
    if (!places_.insert_or_assign(item_id, std::move(place)).second) {
        return;
    }
    order_.push_back(item_id);
    if (order_.size() > kMaxPlaces) {
        places_.erase(order_.front());
        order_.pop_front();
    }
}

std::optional<MessagePlace> Account::place_of(const std::string& item_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(item_id);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace openarchiver::imap
