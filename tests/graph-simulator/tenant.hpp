// The state of the simulated tenant: users, folders, messages and what changed since when.
//
// Every folder keeps an append-only log. A delta round is a walk through that log; an entry is
// reported only while it is the last word on its message, so the initial round is the same walk
// from the beginning.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "content.hpp"
#include "ids.hpp"

namespace graph_simulator {

inline constexpr std::uint32_t kNone = 0xFFFFFFFFU;

enum class ChangeKind : std::uint8_t {
    Created,   // new in this folder
    Updated,   // same folder, other flags or content
    Removed,   // left the folder
    Returned,  // came back but is not reported by later rounds (immutable_loss)
};

struct LogEntry {
    std::uint32_t message = 0;
    std::uint32_t arrival = 0;  // Removed: the entry with which it had come
    std::int64_t time_ms = 0;
    ChangeKind kind = ChangeKind::Created;
};

// What Exchange fails to convert of a message, however often it is asked.
struct Damage {
    bool mime = false;     // $value
    bool body = false;     // the message with its body or headers
    bool fields = false;   // every page that shows more of it than its id
    bool listing = false;  // every page that it is on
};

struct Message {
    std::uint32_t number = 0;
    std::uint32_t folder = 0;
    std::uint32_t moves = 0;
    std::uint32_t version = 1;     // change key
    std::uint32_t last_entry = 0;  // in the log of its folder
    std::uint32_t arrival = 0;     // likewise, the entry of its arrival
    std::int64_t received = 0;
    std::int64_t modified = 0;
    Content content;
    std::vector<Content> earlier;  // contents it had before, oldest first
    bool draft = false;
    bool read = false;
    bool flagged = false;
    bool deleted = false;
    Damage damage;
};

struct Folder {
    std::uint32_t number = 0;
    std::uint32_t parent = kNone;
    std::string name;
    std::string well_known;
    bool hidden = false;
    bool search = false;  // shows some of its parent's messages
    bool outside_root = false;
    bool deleted = false;
    std::uint32_t generation = 1;  // delta tokens of older generations are refused
    std::uint32_t last_change = 0;
    std::vector<LogEntry> log;
    std::vector<std::uint32_t> items;  // in order of arrival
    std::uint64_t items_version = 0;
    std::uint32_t unread = 0;
    // Sorted by receivedDateTime, ascending; kept until the items change.
    mutable std::vector<std::uint32_t> sorted;
    mutable std::uint64_t sorted_version = ~0ULL;
};

enum class MailboxState { Enabled, None, Invalid, Policy, Quota };

struct User {
    User(std::string guid, bool awkward_ids) : id(std::move(guid)), ids(id, awkward_ids) {}

    std::uint32_t number = 0;
    std::string id;
    MailboxIds ids;
    std::string upn;
    std::string mail;
    std::string name;
    std::string department = "Operations";
    std::string original_address;  // generated mail keeps it after a rename
    std::string original_name;
    bool enabled = true;
    std::string type = "Member";  // empty: null
    std::string purpose = "user";
    MailboxState mailbox = MailboxState::Enabled;
    bool licensed = true;
    bool removed = false;
    bool removed_for_good = false;
    std::int64_t created = 0;
    std::uint32_t last_change = 0;  // in the tenant's user log
    std::vector<Folder> folders;
    std::vector<Message> messages;
    std::vector<std::uint32_t> folder_log;  // folder numbers
    std::uint32_t folders_generation = 1;
};

struct Group {
    std::string id;
    std::string name;
    std::vector<std::uint32_t> users;
    std::vector<std::uint32_t> groups;
    bool removed = false;
};

struct TenantPlan {
    std::uint64_t users = 3;
    std::uint64_t messages = 20;
    std::uint64_t folders = 2;
    std::uint64_t large_bytes = 0;
    std::uint64_t seed = 1;
    std::string mail_directory;
    bool extras = false;
    bool awkward_ids = false;
    std::uint64_t median_bytes = 0;
};

class Tenant {
public:
    explicit Tenant(const TenantPlan& plan);

    // Reading
    const std::vector<std::unique_ptr<User>>& users() const { return users_; }

    const std::vector<std::uint32_t>& user_log() const { return user_log_; }

    const std::vector<Group>& groups() const { return groups_; }

    std::vector<Group>& groups() { return groups_; }

    // By id or user principal name, both without regard to case; removed users too.
    User* find_user(std::string_view id_or_upn);
    static Folder* find_folder(User& user, std::string_view id_or_well_known);
    // For the control endpoint: also by display name or path.
    static Folder* find_folder_by_any(User& user, std::string_view text);
    static Message* find_message(User& user, std::string_view id);
    static std::string message_id(const User& user, const Message& message, bool immutable);
    static std::string folder_path(const User& user, const Folder& folder);

    static bool in_search_folder(const Message& message) { return message.number % 5 == 0; }

    static std::uint32_t child_count(const User& user, const Folder& folder, bool hidden);
    static bool inside_deleted(const User& user, const Folder& folder);
    static const std::vector<std::uint32_t>& by_received(const User& user, const Folder& folder);

    ContentOwner owner(const User& user) const;

    ContentStore& contents() { return contents_; }

    const ContentStore& contents() const { return contents_; }

    Random& random() { return random_; }

    // Called with every change of a message from now on.
    using Observer = std::function<void(const User&, const Message&, ChangeKind)>;

    void observe(Observer observer) { observer_ = std::move(observer); }

    // Changing
    User& add_user(std::string name, std::string upn, MailboxState mailbox);
    void build_folders(User& user);
    void fill_mailbox(User& user, std::uint64_t messages);
    void remove_user(User& user, bool for_good);
    void restore_user(User& user);
    void user_changed(User& user);
    Folder& add_folder(User& user, std::string name, std::uint32_t parent,
                       std::string well_known = {});
    void folder_changed(User& user, Folder& folder);
    void delete_folder(User& user, Folder& folder);
    Message& deliver(User& user, Folder& folder, Content content, std::int64_t received,
                     bool draft);
    void move(User& user, Message& message, Folder& target, bool lose_return);
    void remove(User& user, Message& message);
    void touch(User& user, Message& message);
    void send_draft(User& user, Message& message);
    void expire_delta(User& user, Folder* folder);

    void expire_users_delta() { users_generation_ += 35; }

    std::uint32_t users_generation() const { return users_generation_; }

private:
    void build_extras();
    void load_directory(const std::string& directory);
    void append(User& user, Folder& folder, Message& message, ChangeKind kind);
    void leave(User& user, Message& message);

    TenantPlan plan_;
    Random random_;
    ContentStore contents_;
    std::vector<std::unique_ptr<User>> users_;
    std::vector<std::uint32_t> user_log_;
    std::uint32_t users_generation_ = 1;
    std::vector<Group> groups_;
    std::unordered_map<std::string, std::uint32_t> by_id_;
    Observer observer_;
};

}  // namespace graph_simulator
