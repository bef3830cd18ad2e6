#include "folder_tree.hpp"

#include <algorithm>
#include <set>

#include "file_kind.hpp"
#include "folder_contents.hpp"
#include "names.hpp"
#include "place.hpp"

namespace openarchiver::mailfiles {

namespace {

constexpr std::size_t kMaxIdLength = 2048;

/// Its children are not known then, and sync_folder() says what is wrong.
bool is_own_fault(const sdk::Error& error) {
    return error.code == sdk::Errc::unsupported || error.code == sdk::Errc::corrupt;
}

class TreeReader {
public:
    TreeReader(const AccountLayout& account, const TreeServices& services,
               const std::stop_token& stop)
        : account_(account), services_(services), stop_(stop) {}

    sdk::Result<FolderTree> read() {
        for (const Root& root : account_.roots) {
            OPENARCHIVER_TRY(const FileDescriptor folder, open_root(root.path));
            OPENARCHIVER_CHECK(read_below(root, folder, {}));
        }
        std::ranges::sort(tree_.folders, {}, &sdk::Folder::id);
        return std::move(tree_);
    }

private:
    struct Pending {
        std::string below;
        std::string parent_id;
    };

    sdk::Status read_below(const Root& root, const FileDescriptor& root_folder, Pending first) {
        std::vector<Pending> pending{std::move(first)};
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
            if (!is_own_fault(status.error())) {
                return status;
            }
            tree_.complete = false;
            ++tree_.unreadable;
        }
        return {};
    }

    sdk::Status read_folder(const Root& root, const FileDescriptor& root_folder, const Pending& at,
                            std::vector<Pending>& pending) {
        sdk::Folder folder = folder_at(root, at);
        if (folder.id.size() > kMaxIdLength) {
            return sdk::Error{.code = sdk::Errc::unsupported,
                              .message = "the path of a mail folder is too long"};
        }
        const sdk::Result<Place> place =
            open_place(root, root_folder, at.below, services_.unpacking, stop_);
        if (!place) {
            if (is_own_fault(place.error())) {
                tree_.folders.push_back(folder);
            }
            return place.error();
        }
        if (place->kind != Place::Kind::folder) {
            return {};  // another one by now
        }
        const FileDescriptor& opened = place->opened;
        const bool on_disk = place->unpacked == nullptr;
        const bool whole = !on_disk || root.scope == Root::Scope::tree;
        const bool maildir = whole && is_maildir(opened);
        // The inbox of an account's only Maildir stands beside its subfolders, as IMAP servers show
        // it.
        const bool inbox = maildir && at.below.empty() && account_.roots.size() == 1;
        if (inbox) {
            folder.display_name = "INBOX";
            folder.well_known_name = "inbox";
        }
        OPENARCHIVER_CHECK(add_with_count(folder, opened, maildir, on_disk ? root : whole_));
        if (on_disk && services_.on_folder) {
            services_.on_folder(opened);
        }
        std::vector<std::string> files;
        std::set<std::string> subfolders;  // of the Maildir, sorted: parents before children
        OPENARCHIVER_CHECK(for_each_entry(
            opened, stop_, [&](std::string_view name, EntryKind kind) -> sdk::Status {
                if (kind == EntryKind::file) {
                    if (!maildir && name.front() != '.' &&
                        kind_by_name(name) != FileKind::message) {
                        files.emplace_back(name);
                    }
                    return {};
                }
                if (!whole || (maildir && (name == "cur" || name == "new" || name == "tmp"))) {
                    return {};
                }
                if (name.front() != '.') {
                    pending.push_back({join_path(at.below, name), folder.id});
                    return {};
                }
                const sdk::Result<FileDescriptor> child = open_folder(opened, name);
                if (child && is_maildir(*child)) {
                    if (maildir) {
                        subfolders.emplace(name);
                    } else {
                        pending.push_back({join_path(at.below, name), folder.id});
                    }
                } else if (!child && child.error().code == sdk::Errc::unsupported && maildir) {
                    tree_.complete = false;
                    ++tree_.unreadable;
                }
                return {};
            }));
        for (const std::string& name : files) {
            const bool named = on_disk && root.scope == Root::Scope::named_files;
            if (!named || std::ranges::find(root.files, name) != root.files.end()) {
                OPENARCHIVER_CHECK(read_file(root, root_folder, *place, named,
                                             {join_path(at.below, name), folder.id}, pending));
            }
        }
        return read_maildir_subfolders(root, opened, on_disk, at.below, inbox ? "" : folder.id,
                                       subfolders);
    }

    static sdk::Folder folder_at(const Root& root, const Pending& at) {
        sdk::Folder folder;
        folder.id = id_of(root, at.below);
        folder.parent_id = at.parent_id;
        folder.display_name =
            display_text(at.below.empty() ? root.name : at.below.substr(at.below.rfind('/') + 1));
        return folder;
    }

    /// A file that is a folder for us.
    sdk::Status read_file(const Root& root, const FileDescriptor& root_folder, const Place& place,
                          bool named, const Pending& at, std::vector<Pending>& pending) {
        const std::string_view name = std::string_view(at.below).substr(at.below.rfind('/') + 1);
        FileKind kind = kind_by_name(name);
        if (kind == FileKind::other) {
            const auto file = open_entry(place.opened, name);
            if (file) {
                kind = kind_of(*file, name);
            } else if (!named && file.error().code == sdk::Errc::unsupported) {
                tree_.complete = false;  // nobody knows whether it is mail
                ++tree_.unreadable;
                return {};
            }
        }
        if (kind == FileKind::mbox || (named && kind == FileKind::other)) {
            tree_.folders.push_back(folder_at(root, at));
        } else if (is_container(kind) && place.unpacked) {
            pending.push_back(at);
        } else if (is_container(kind)) {
            return read_container(root, root_folder, place, at);
        }
        return {};
    }

    /// Of an archive that is as it was, the folders are known.
    sdk::Status read_container(const Root& root, const FileDescriptor& root_folder,
                               const Place& place, const Pending& at) {
        const sdk::Folder folder = folder_at(root, at);
        const auto file =
            open_entry(place.opened, std::string_view(at.below).substr(at.below.rfind('/') + 1));
        if (!file) {
            if (file.error().code == sdk::Errc::unsupported) {
                tree_.folders.push_back(folder);
                tree_.complete = false;
                ++tree_.unreadable;
                return {};
            }
            return file.error().code == sdk::Errc::not_found ? sdk::Status() : file.error();
        }
        OPENARCHIVER_TRY(const bool settled,
                         wait_until_settled(*file, services_.settings.settle, stop_));
        if (!settled) {
            tree_.folders.push_back(folder);
            tree_.complete = false;  // what it held before is not gone
            return {};
        }
        OPENARCHIVER_TRY(const struct stat status, status_of(*file));
        const std::string stamp = stamp_of(status);
        if (auto known = services_.container_trees.find(folder.id, stamp)) {
            std::ranges::move(*known, std::back_inserter(tree_.folders));
            return {};
        }
        const auto first = static_cast<std::ptrdiff_t>(tree_.folders.size());
        const std::uint64_t unreadable = tree_.unreadable;
        OPENARCHIVER_CHECK(read_below(root, root_folder, at));
        if (tree_.unreadable == unreadable) {
            services_.container_trees.keep(folder.id, stamp,
                                           {tree_.folders.begin() + first, tree_.folders.end()});
        }
        return {};
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
                                        bool on_disk, const std::string& below,
                                        const std::string& top_id,
                                        const std::set<std::string>& names) {
        for (const std::string& name : names) {
            sdk::Folder folder;
            folder.id = id_of(root, join_path(below, name));
            folder.parent_id = top_id;
            std::size_t start = 1;
            for (std::size_t dot = name.rfind('.'); dot != 0; dot = name.rfind('.', dot - 1)) {
                if (names.contains(name.substr(0, dot))) {
                    folder.parent_id = id_of(root, join_path(below, name.substr(0, dot)));
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
            const sdk::Status added = add_with_count(folder, *opened, true, whole_);
            if (!added && added.error().code != sdk::Errc::not_found) {
                return added;
            }
            if (on_disk && services_.on_folder) {
                services_.on_folder(*opened);
            }
        }
        return {};
    }

    const Root whole_;
    const AccountLayout& account_;
    const TreeServices& services_;
    const std::stop_token& stop_;
    FolderTree tree_;
};

}  // namespace

sdk::Result<FolderTree> read_folder_tree(const AccountLayout& account, const TreeServices& services,
                                         const std::stop_token& stop) {
    return TreeReader(account, services, stop).read();
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
