#include "folder_tree.hpp"

#include <algorithm>
#include <set>

#include "file_access.hpp"
#include "folder_contents.hpp"
#include "names.hpp"

namespace openarchiver::mailfiles {

namespace {

constexpr std::size_t kMaxIdLength = 2048;

std::string join(std::string_view folder, std::string_view name) {
    return folder.empty() ? std::string(name) : std::string(folder) + "/" + std::string(name);
}

class TreeReader {
public:
    TreeReader(const AccountLayout& account, const std::stop_token& stop)
        : account_(account), stop_(stop) {}

    sdk::Result<FolderTree> read() {
        for (const Root& root : account_.roots) {
            OPENARCHIVER_TRY(const FileDescriptor folder, open_root(root.path));
            OPENARCHIVER_CHECK(read_root(root, folder));
        }
        std::ranges::sort(tree_.folders, {}, &sdk::Folder::id);
        return std::move(tree_);
    }

private:
    struct Pending {
        std::string below;
        std::string parent_id;
    };

    sdk::Status read_root(const Root& root, const FileDescriptor& root_folder) {
        std::vector<Pending> pending{{}};
        while (!pending.empty()) {
            if (stop_.stop_requested()) {
                return cancelled();
            }
            const Pending next = std::move(pending.back());
            pending.pop_back();
            const sdk::Status status = read_folder(root, root_folder, next, pending);
            if (status || status.error().code == sdk::Errc::not_found) {
                continue;
            }
            if (status.error().code != sdk::Errc::unsupported) {
                return status;
            }
            tree_.complete = false;
            ++tree_.unreadable;
        }
        return {};
    }

    sdk::Status read_folder(const Root& root, const FileDescriptor& root_folder,
                            const Pending& place, std::vector<Pending>& pending) {
        sdk::Folder folder;
        folder.id = id_of(root, place.below);
        folder.parent_id = place.parent_id;
        folder.display_name = display_text(
            place.below.empty() ? root.name : place.below.substr(place.below.rfind('/') + 1));
        if (folder.id.size() > kMaxIdLength) {
            return sdk::Error{.code = sdk::Errc::unsupported,
                              .message = "the path of a mail folder is too long"};
        }
        const sdk::Result<FileDescriptor> opened = open_folder(root_folder, place.below);
        if (!opened) {
            if (opened.error().code == sdk::Errc::unsupported) {
                tree_.folders.push_back(folder);  // known, and sync_folder() says what is wrong
            }
            return opened.error();
        }
        const bool maildir = is_maildir(*opened) && root.scope == Root::Scope::tree;
        // The inbox of an account's only Maildir stands beside its subfolders, as IMAP servers show
        // it.
        const bool inbox = maildir && place.below.empty() && account_.roots.size() == 1;
        if (inbox) {
            folder.display_name = "INBOX";
            folder.well_known_name = "inbox";
        }
        OPENARCHIVER_CHECK(add_with_count(folder, *opened, maildir, root));
        if (root.scope != Root::Scope::tree) {
            return {};
        }
        std::set<std::string> subfolders;  // of the Maildir, sorted: parents before children
        OPENARCHIVER_CHECK(for_each_entry(
            *opened, stop_, [&](std::string_view name, EntryKind kind) -> sdk::Status {
                if (kind == EntryKind::file ||
                    (maildir && (name == "cur" || name == "new" || name == "tmp"))) {
                    return {};
                }
                if (name.front() != '.') {
                    pending.push_back({join(place.below, name), folder.id});
                    return {};
                }
                const sdk::Result<FileDescriptor> child = open_folder(*opened, name);
                if (child && is_maildir(*child)) {
                    if (maildir) {
                        subfolders.emplace(name);
                    } else {
                        pending.push_back({join(place.below, name), folder.id});
                    }
                } else if (!child && child.error().code == sdk::Errc::unsupported && maildir) {
                    tree_.complete = false;
                    ++tree_.unreadable;
                }
                return {};
            }));
        return read_maildir_subfolders(root, *opened, place.below, inbox ? "" : folder.id,
                                       subfolders);
    }

    /// A folder whose messages can't be listed is a folder all the same; sync_folder() says why.
    sdk::Status add_with_count(sdk::Folder& folder, const FileDescriptor& opened, bool maildir,
                               const Root& root) {
        const sdk::Result<std::uint64_t> count = count_messages(opened, maildir, root, stop_);
        if (count) {
            folder.item_count = *count;
        } else if (count.error().code != sdk::Errc::unsupported) {
            return count.error();
        }
        tree_.folders.push_back(folder);
        return {};
    }

    /// `.Projects.Rome` lies below `.Projects` where that exists, otherwise beside it under its
    /// whole name.
    sdk::Status read_maildir_subfolders(const Root& root, const FileDescriptor& maildir,
                                        const std::string& below, const std::string& top_id,
                                        const std::set<std::string>& names) {
        for (const std::string& name : names) {
            sdk::Folder folder;
            folder.id = id_of(root, join(below, name));
            folder.parent_id = top_id;
            std::size_t start = 1;
            for (std::size_t dot = name.rfind('.'); dot != 0; dot = name.rfind('.', dot - 1)) {
                if (names.contains(name.substr(0, dot))) {
                    folder.parent_id = id_of(root, join(below, name.substr(0, dot)));
                    start = dot + 1;
                    break;
                }
            }
            folder.display_name = maildir_level_name(std::string_view(name).substr(start));
            if (folder.display_name.empty()) {
                folder.display_name = display_text(name);
            }
            const sdk::Result<FileDescriptor> opened = open_folder(maildir, name);
            if (!opened) {
                continue;  // gone since it was found
            }
            const sdk::Status added = add_with_count(folder, *opened, true, root);
            if (!added && added.error().code != sdk::Errc::not_found) {
                return added;
            }
        }
        return {};
    }

    const AccountLayout& account_;
    const std::stop_token& stop_;
    FolderTree tree_;
};

}  // namespace

sdk::Result<FolderTree> read_folder_tree(const AccountLayout& account,
                                         const std::stop_token& stop) {
    return TreeReader(account, stop).read();
}

std::optional<RelativePath> resolve_id(const AccountLayout& account, std::string_view id) {
    const std::optional<std::string> path = unescape_id(id);
    if (!path || !is_plain_relative_path(*path)) {
        return std::nullopt;
    }
    const std::size_t slash = path->find('/');
    const std::string_view name = std::string_view(*path).substr(0, slash);
    for (const Root& root : account.roots) {
        if (root.name == name) {
            return RelativePath{
                .root = &root,
                .below = slash == std::string::npos ? std::string() : path->substr(slash + 1)};
        }
    }
    return std::nullopt;
}

std::string id_of(const Root& root, std::string_view below) {
    return escape_id(below.empty() ? root.name : root.name + "/" + std::string(below));
}

}  // namespace openarchiver::mailfiles
