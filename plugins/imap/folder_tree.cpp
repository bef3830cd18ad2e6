#include "folder_tree.hpp"

#include <algorithm>
#include <array>
#include <map>

#include "mailbox_name.hpp"
#include "scanner.hpp"

namespace openarchiver::imap {

namespace {

constexpr std::size_t kMaxName = 1500;

struct Role {
    std::string_view attribute;  // RFC 6154 section 2, RFC 8457
    std::string_view name;
    std::string_view usual_name;  // where the server tells no roles
};

constexpr std::array kRoles = {
    Role{"\\SENT", "sentitems", "Sent"},      Role{"\\DRAFTS", "drafts", "Drafts"},
    Role{"\\TRASH", "deleteditems", "Trash"}, Role{"\\JUNK", "junkemail", "Junk"},
    Role{"\\ARCHIVE", "archive", "Archive"},  Role{"\\ALL", "all", ""},
    Role{"\\FLAGGED", "flagged", ""},         Role{"\\IMPORTANT", "important", ""},
};

/// What is being written, and what shows messages of other folders once more.
constexpr std::array<std::string_view, 3> kLeftOutByDefault = {"drafts", "flagged", "important"};

/// Whether `text` matches `pattern`, in which `*` stands for any characters.
bool matches(std::string_view pattern, std::string_view text) {
    const std::size_t star = pattern.find('*');
    if (star == std::string_view::npos) {
        return equal_ignoring_case(pattern, text);
    }
    if (text.size() < star || !equal_ignoring_case(pattern.substr(0, star), text.substr(0, star))) {
        return false;
    }
    const std::string_view rest = pattern.substr(star + 1);
    if (rest.find('*') == std::string_view::npos) {
        return text.size() >= star + rest.size() &&
               equal_ignoring_case(rest, text.substr(text.size() - rest.size()));
    }
    for (std::size_t at = star; at <= text.size(); ++at) {
        if (matches(rest, text.substr(at))) {
            return true;
        }
    }
    return false;
}

class Builder {
public:
    Builder(const Connection::Listing& listing, const StableNames& names, bool roles_are_told,
            const FolderSelection& selection)
        : listing_(listing),
          names_(names),
          roles_are_told_(roles_are_told),
          selection_(selection) {}

    FolderTree build() {
        for (const ListedMailbox& mailbox : listing_.mailboxes) {
            if (mailbox.name.size() <= kMaxName) {
                by_name_.emplace(key_of(mailbox.name), &mailbox);
            }
        }
        // Servers may leave out a parent that holds no messages.
        for (const ListedMailbox& mailbox : listing_.mailboxes) {
            if (by_name_.contains(key_of(mailbox.name))) {
                add_parents(mailbox);
            }
        }
        for (const auto& [name, mailbox] : by_name_) {
            add(name, *mailbox);
        }
        return std::move(tree_);
    }

private:
    static std::string key_of(const std::string& name) {
        return equal_ignoring_case(name, "INBOX") ? "INBOX" : name;
    }

    static std::string parent_of(const ListedMailbox& mailbox) {
        const std::size_t at =
            mailbox.separator.empty() ? std::string::npos : mailbox.name.rfind(mailbox.separator);
        return at == std::string::npos || at == 0 ? std::string()
                                                  : key_of(mailbox.name.substr(0, at));
    }

    void add_parents(const ListedMailbox& mailbox) {
        std::string parent = parent_of(mailbox);
        while (!parent.empty() && !by_name_.contains(parent)) {
            auto made = std::make_unique<ListedMailbox>();
            made->attributes = {"\\NONEXISTENT"};
            made->separator = mailbox.separator;
            made->name = parent;
            by_name_.emplace(parent, made.get());
            parent = parent_of(*made);
            made_.push_back(std::move(made));
        }
    }

    std::string id_of(const std::string& name) {
        if (const auto status = listing_.statuses.find(name);
            status != listing_.statuses.end() && !names_.folder.empty()) {
            const auto id = status->second.items.find(names_.folder);
            if (id != status->second.items.end() && !id->second.empty()) {
                return id->second;
            }
        }
        return "/" + escape_id(name);
    }

    [[nodiscard]] std::string role_of(const std::string& name, const ListedMailbox& mailbox) const {
        if (name == "INBOX") {
            return "inbox";
        }
        for (const Role& role : kRoles) {
            if (mailbox.attributes.contains(std::string(role.attribute)) ||
                (!roles_are_told_ && equal_ignoring_case(name, role.usual_name))) {
                return std::string(role.name);
            }
        }
        return {};
    }

    /// Names, roles and paths of a folder and those above it, outermost first.
    struct Place {
        std::vector<std::string> roles;
        std::vector<std::string> paths;
    };

    [[nodiscard]] Place place_of(const std::string& name) const {
        std::vector<std::string> chain;
        for (std::string at = name; !at.empty(); at = parent_of(*by_name_.at(at))) {
            chain.insert(chain.begin(), at);
        }
        Place place;
        std::string path;
        for (const std::string& step : chain) {
            const ListedMailbox& mailbox = *by_name_.at(step);
            path += (path.empty() ? "" : "/") + leaf_of(mailbox);
            place.paths.push_back(path);
            place.roles.push_back(role_of(step, mailbox));
        }
        return place;
    }

    static std::string leaf_of(const ListedMailbox& mailbox) {
        const std::string parent = parent_of(mailbox);
        const std::string leaf = display_name(
            std::string_view(mailbox.name)
                .substr(parent.empty() ? 0 : parent.size() + mailbox.separator.size()));
        return leaf.empty() ? mailbox.name : leaf;
    }

    /// Whether an entry of the configuration names the folder, or one above it.
    static bool is_named(const Place& place, const std::string& entry) {
        return std::ranges::any_of(place.roles,
                                   [&](const std::string& role) {
                                       return !role.empty() && equal_ignoring_case(entry, role);
                                   }) ||
               std::ranges::any_of(place.paths,
                                   [&](const std::string& path) { return matches(entry, path); });
    }

    [[nodiscard]] bool is_archived(const std::string& name, const ListedMailbox& mailbox,
                                   const Place& place) const {
        if (mailbox.attributes.contains("\\NOSELECT") ||
            mailbox.attributes.contains("\\NONEXISTENT")) {
            return false;
        }
        const auto named = [&](const std::string& entry) { return is_named(place, entry); };
        if (std::ranges::any_of(selection_.exclude, named)) {
            return false;
        }
        const bool left_out =
            std::ranges::any_of(place.roles,
                                [](const std::string& role) {
                                    return std::ranges::find(kLeftOutByDefault, role) !=
                                           kLeftOutByDefault.end();
                                }) ||
            std::ranges::any_of(listing_.foreign_prefixes, [&](const std::string& prefix) {
                return name.starts_with(prefix) || name + mailbox.separator == prefix;
            });
        if (selection_.include.empty()) {
            return !left_out;
        }
        // Only an entry without wildcards speaks of a folder that is left out by default.
        return std::ranges::any_of(selection_.include, [&](const std::string& entry) {
            return named(entry) && (!left_out || entry.find('*') == std::string::npos);
        });
    }

    void add(const std::string& name, const ListedMailbox& mailbox) {
        const Place place = place_of(name);
        FolderEntry entry;
        entry.mailbox = name;
        entry.folder.id = id_of(name);
        const std::string parent = parent_of(mailbox);
        entry.folder.parent_id = parent.empty() ? std::string() : id_of(parent);
        entry.folder.display_name = leaf_of(mailbox);
        entry.folder.well_known_name = place.roles.back();
        entry.folder.archived = is_archived(name, mailbox, place);
        entry.watched = entry.folder.archived &&
                        std::ranges::any_of(selection_.watch, [&](const std::string& wanted) {
                            return is_named(place, wanted);
                        });
        if (const auto status = listing_.statuses.find(name); status != listing_.statuses.end()) {
            const auto number = [&](const char* item) {
                const auto found = status->second.items.find(item);
                Scanner scanner(found == status->second.items.end() ? "" : found->second);
                return scanner.number();
            };
            entry.state = {.uid_validity = static_cast<std::uint32_t>(number("UIDVALIDITY")),
                           .uid_next = static_cast<std::uint32_t>(number("UIDNEXT")),
                           .messages = number("MESSAGES")};
            entry.folder.item_count = entry.state->messages;
        }
        if (tree_.find(entry.folder.id) != nullptr) {
            entry.folder.id = "/" + escape_id(name);  // two names of one mailbox
        }
        tree_.entries.push_back(std::move(entry));
    }

    const Connection::Listing& listing_;
    const StableNames& names_;
    const bool roles_are_told_;
    const FolderSelection& selection_;
    std::map<std::string, const ListedMailbox*> by_name_;
    std::vector<std::unique_ptr<ListedMailbox>> made_;
    FolderTree tree_;
};

}  // namespace

const FolderEntry* FolderTree::find(const std::string& folder_id) const {
    const auto found = std::ranges::find(entries, folder_id,
                                         [](const FolderEntry& entry) { return entry.folder.id; });
    return found == entries.end() ? nullptr : &*found;
}

FolderTree make_folder_tree(const Connection::Listing& listing, const StableNames& names,
                            bool roles_are_told, const FolderSelection& selection) {
    return Builder(listing, names, roles_are_told, selection).build();
}

}  // namespace openarchiver::imap
