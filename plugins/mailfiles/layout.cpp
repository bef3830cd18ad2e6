#include "layout.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>
#include <system_error>

#include "file_access.hpp"
#include "file_kind.hpp"
#include "names.hpp"

namespace openarchiver::mailfiles {

namespace {

sdk::Error bad_config(std::string message) {
    return {.code = sdk::Errc::invalid_config, .message = std::move(message)};
}

struct PathParts {
    std::string folder;
    std::string name;
};

PathParts split(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return {.folder = path.substr(0, std::max<std::size_t>(slash, 1)),
            .name = path.substr(slash + 1)};
}

struct SpoolFolders {
    std::vector<std::string> names;
    bool has_maildir = false;
    bool has_files = false;
};

sdk::Result<SpoolFolders> look_for_spool(const FileDescriptor& folder) {
    SpoolFolders found;
    OPENARCHIVER_CHECK(for_each_entry(
        folder, std::stop_token(), [&](std::string_view name, EntryKind kind) -> sdk::Status {
            if (kind == EntryKind::file) {
                found.has_files = found.has_files ||
                                  (name.front() != '.' && kind_in(folder, name) != FileKind::other);
            } else if (name.front() != '.') {
                found.names.emplace_back(name);
                const sdk::Result<FileDescriptor> child = open_folder(folder, name);
                found.has_maildir = found.has_maildir || (child && is_maildir(*child));
            }
            return {};
        }));
    std::ranges::sort(found.names);
    return found;
}

class Resolver {
public:
    explicit Resolver(const Settings& settings) : settings_(settings) {}

    sdk::Status add(const std::string& path) {
        struct stat status{};
        if (::stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode)) {
            return add_file(path, S_ISREG(status.st_mode));
        }
        OPENARCHIVER_TRY(const FileDescriptor folder, open_root(path));
        const std::string name = split(path).name;
        if (name.empty()) {
            return bad_config("\"paths\" has the root of the file system; name folders of mail");
        }
        if (settings_.account.empty() && !is_maildir(folder)) {
            OPENARCHIVER_TRY(const SpoolFolders spool, look_for_spool(folder));
            if (spool.has_maildir) {
                const std::string folder_of_users = path + "/";
                for (const std::string& user : spool.names) {
                    OPENARCHIVER_CHECK(add_root({.path = folder_of_users + user, .name = user}));
                }
                if (spool.has_files) {
                    return add_root({.path = path, .name = name, .scope = Root::Scope::files_only});
                }
                return {};
            }
        }
        return add_root({.path = path, .name = name});
    }

    std::vector<AccountLayout> take() {
        std::vector<AccountLayout> accounts;
        for (auto& [name, roots] : accounts_) {
            AccountLayout account;
            account.id = escape_id(name);
            account.name = name;
            account.roots = std::move(roots);
            accounts.push_back(std::move(account));
        }
        return accounts;
    }

private:
    static bool is_mail(const std::string& path) {
        const PathParts parts = split(path);
        const auto folder = open_root(parts.folder);
        if (!folder || kind_in(*folder, parts.name) != FileKind::other) {
            return true;  // or nobody can tell now
        }
        const auto file = open_entry(*folder, parts.name);
        const auto status = file ? status_of(*file) : sdk::Result<struct stat>(file.error());
        return !status || status->st_size == 0;  // an inbox without mail is an mbox, too
    }

    sdk::Status add_file(const std::string& path, bool regular) {
        const PathParts parts = split(path);
        struct stat status{};
        if (::lstat(path.c_str(), &status) == 0 && S_ISLNK(status.st_mode)) {
            return bad_config(path + " in \"paths\" is a symbolic link; name the file itself");
        }
        if (!regular || !is_mail(path)) {
            return bad_config(path +
                              " in \"paths\" is neither a folder nor a file of mail (.eml, mbox, "
                              "zip, tar, pst)");
        }
        const std::string folder_name = split(parts.folder).name;
        if (folder_name.empty()) {
            return bad_config(path + " lies in the root of the file system; move it to a folder");
        }
        std::vector<Root>& roots = roots_of(folder_name);
        const auto same_folder = std::ranges::find_if(roots, [&](const Root& root) {
            return root.path == parts.folder && root.scope == Root::Scope::named_files;
        });
        if (same_folder != roots.end()) {
            same_folder->files.push_back(parts.name);
            return {};
        }
        return add_root({.path = parts.folder,
                         .name = folder_name,
                         .scope = Root::Scope::named_files,
                         .files = {parts.name}});
    }

    std::vector<Root>& roots_of(const std::string& name) {
        return accounts_[settings_.account.empty() ? name : settings_.account];
    }

    sdk::Status add_root(Root root) {
        std::vector<Root>& roots = roots_of(root.name);
        const auto same =
            std::ranges::find_if(roots, [&](const Root& other) { return other.name == root.name; });
        if (same == roots.end()) {
            roots.push_back(std::move(root));
            return {};
        }
        if (settings_.account.empty()) {
            return bad_config(same->path + " and " + root.path + " would both be the account \"" +
                              display_text(root.name) +
                              "\"; make them two sources, each with its \"account\"");
        }
        return bad_config(same->path + " and " + root.path +
                          " have the same name, so that the ids of their mail would mix; make them "
                          "two sources");
    }

    const Settings& settings_;
    std::map<std::string, std::vector<Root>> accounts_;
};

sdk::Status refuse_overlaps(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
        const std::string below = path + "/";
        for (const std::string& other : paths) {
            if (&path != &other && (path == other || other.starts_with(below))) {
                return bad_config(other + " lies in " + path +
                                  ": its mail would be archived twice; leave one of them out of "
                                  "\"paths\"");
            }
        }
    }
    return {};
}

}  // namespace

sdk::Result<std::vector<AccountLayout>> resolve_accounts(const Settings& settings) {
    OPENARCHIVER_CHECK(refuse_overlaps(settings.paths));
    Resolver resolver(settings);
    for (const std::string& path : settings.paths) {
        OPENARCHIVER_CHECK(resolver.add(path));
    }
    return resolver.take();
}

}  // namespace openarchiver::mailfiles
