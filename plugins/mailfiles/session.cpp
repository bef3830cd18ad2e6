#include "session.hpp"

#include <fcntl.h>

#include <algorithm>

#include "content_reader.hpp"
#include "estimate.hpp"
#include "file_access.hpp"
#include "names.hpp"

namespace openarchiver::mailfiles {

namespace {

constexpr std::uint32_t kCursorFormat = 1;
constexpr std::size_t kMaxIdLength = 2048;

sdk::Timestamp timestamp(std::int64_t nanoseconds) {
    return sdk::Timestamp(
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::nanoseconds(nanoseconds)));
}

std::string join(std::string_view folder, std::string_view name) {
    return folder.empty() ? std::string(name) : std::string(folder) + "/" + std::string(name);
}

/// An id that is too long for the model, shortened so that it can be reported.
std::string shortened(const std::string& id) {
    return id.substr(0, 1900) + "~" + std::to_string(std::hash<std::string>()(id));
}

sdk::Error item_gone() {
    return {.code = sdk::Errc::not_found, .message = "the file of an item is gone"};
}

}  // namespace

struct Session::OpenFolder {
    const std::string& account_id;
    RelativePath path;
    FileDescriptor descriptor;
    bool maildir = false;
};

sdk::SessionLimits Session::limits() const {
    return {.accounts_in_parallel = 2, .readers_per_account = 4};
}

sdk::Result<std::shared_ptr<const Session::Accounts>> Session::refresh() {
    OPENARCHIVER_TRY(Accounts accounts, resolve_accounts(config_));
    auto shared = std::make_shared<const Accounts>(std::move(accounts));
    const std::lock_guard lock(mutex_);
    accounts_ = shared;
    return shared;
}

sdk::Result<std::shared_ptr<const AccountLayout>> Session::layout_of(
    const std::string& account_id) {
    std::shared_ptr<const Accounts> accounts;
    {
        const std::lock_guard lock(mutex_);
        accounts = accounts_;
    }
    for (int attempt = 0; attempt < 2; ++attempt) {
        if (accounts) {
            const auto found = std::ranges::find(*accounts, account_id, &AccountLayout::id);
            if (found != accounts->end()) {
                return std::shared_ptr<const AccountLayout>(accounts, &*found);
            }
        }
        if (attempt == 0) {
            OPENARCHIVER_TRY(accounts, refresh());
        }
    }
    return sdk::Error{.code = sdk::Errc::not_found,
                      .message = "the configured paths have no such account (any more)"};
}

sdk::Result<std::vector<sdk::Check>> Session::check(std::stop_token stop) {
    return guarded([&]() -> sdk::Result<std::vector<sdk::Check>> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        std::vector<sdk::Check> checks;
        sdk::Check& readable = checks.emplace_back();
        readable.name = "paths readable";
        const auto accounts = refresh();
        if (!accounts) {
            readable.outcome = sdk::CheckOutcome::fail;
            readable.code = accounts.error().code;
            readable.detail = accounts.error().message;
            readable.remedy = "correct \"paths\" or the rights to read them";
            return checks;
        }
        readable.outcome = sdk::CheckOutcome::pass;
        readable.detail = std::to_string(config_.paths.size()) + " paths";
        const std::size_t count = (*accounts)->size();
        sdk::Check& found = checks.emplace_back();
        found.name = "accounts found";
        found.outcome = sdk::CheckOutcome::pass;
        found.detail = std::to_string(count) + (count == 1 ? " account" : " accounts");
        return checks;
    });
}

sdk::Result<sdk::Listing> Session::discover(const std::optional<sdk::Cursor>& cursor,
                                            sdk::AccountSink& sink, std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::Listing> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        if (cursor) {
            return sdk::Error{.code = sdk::Errc::cursor_expired,
                              .message = "listing accounts has no cursors here"};
        }
        OPENARCHIVER_TRY(const std::shared_ptr<const Accounts> accounts, refresh());
        for (const AccountLayout& layout : *accounts) {
            sdk::Account account;
            account.id = layout.id;
            account.address = display_text(layout.name);
            account.display_name = account.address;
            if (stop.stop_requested() || sink.account(account) == sdk::Flow::stop) {
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
            return sdk::Error{.code = sdk::Errc::cursor_expired,
                              .message = "listing folders has no cursors here"};
        }
        OPENARCHIVER_TRY(const std::shared_ptr<const AccountLayout> account, layout_of(account_id));
        OPENARCHIVER_TRY(const FolderTree tree, read_folder_tree(*account, stop));
        for (const sdk::Folder& folder : tree.folders) {
            if (stop.stop_requested() || sink.folder(folder) == sdk::Flow::stop) {
                return cancelled();
            }
        }
        if (tree.unreadable > 0) {
            logger_.log(sdk::LogLevel::warning,
                        "folders can't be read; let the user that runs the engine read them",
                        {{"folders", std::to_string(tree.unreadable)}});
        }
        sdk::FolderListing listing;
        listing.complete = tree.complete;
        return listing;
    });
}

sdk::Status Session::sync_folder(const std::string& account_id, const std::string& folder_id,
                                 const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                                 std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        if (stop.stop_requested()) {
            return cancelled();
        }
        const sdk::Error changed{.code = sdk::Errc::cursor_expired,
                                 .message = "the folder changed since the cursor"};
        if (cursor && cursor->format != kCursorFormat) {
            return changed;
        }
        OPENARCHIVER_TRY(const std::shared_ptr<const AccountLayout> account, layout_of(account_id));
        const std::optional<RelativePath> path = resolve_id(*account, folder_id);
        if (!path) {
            return sdk::Error{.code = sdk::Errc::not_found, .message = "a mail folder is gone"};
        }
        OPENARCHIVER_TRY(const FileDescriptor root, open_root(path->root->path));
        OPENARCHIVER_TRY(FileDescriptor descriptor, open_folder(root, path->below));
        OpenFolder folder{
            .account_id = account_id, .path = *path, .descriptor = std::move(descriptor)};
        folder.maildir = path->root->scope == Root::Scope::tree && is_maildir(folder.descriptor);
        OPENARCHIVER_TRY(
            const FolderContents contents,
            FolderContents::read(folder.descriptor, folder.maildir, *path->root, stop));
        const sdk::Cursor now{.format = kCursorFormat, .value = contents.digest()};
        if (cursor && *cursor != now) {
            return changed;
        }
        if (!cursor) {
            OPENARCHIVER_CHECK(report(folder, contents, sink, stop));
        }
        if (stop.stop_requested() || sink.checkpoint(now) == sdk::Flow::stop) {
            return cancelled();
        }
        return {};
    });
}

sdk::Status Session::report(const OpenFolder& folder, const FolderContents& contents,
                            sdk::ItemSink& sink, const std::stop_token& stop) {
    for (std::size_t i = 0; i < contents.size(); ++i) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::optional<sdk::Item> item,
                         describe(folder, contents.at(i), stop));
        if (!item) {
            continue;
        }
        sdk::Flow flow = sdk::Flow::proceed;
        if (item->id.size() > kMaxIdLength) {
            flow = sink.item_failed(shortened(item->id),
                                    {.code = sdk::Errc::unsupported,
                                     .message = "the path of a message is too long; move it up"});
        } else {
            flow = sink.item(*item);
        }
        if (flow == sdk::Flow::stop) {
            return cancelled();
        }
    }
    return {};
}

sdk::Result<std::optional<sdk::Item>> Session::describe(const OpenFolder& folder,
                                                        const FolderContents::File& file,
                                                        const std::stop_token& stop) {
    sdk::Item item;
    if (!folder.maildir) {
        item.id = id_of(*folder.path.root, join(folder.path.below, file.name));
        item.content_tag = std::to_string(file.size) + "-" + std::to_string(file.modified_ns);
        item.received_at = timestamp(file.modified_ns);
        item.size_hint = file.size;
        return item;
    }
    const std::string_view unique_name = maildir_unique_name(file.name);
    item.id = escape_id(unique_name);
    std::string relative = std::string(subfolder_of(file.place)) + std::string(file.name);
    struct stat status{};
    if (::fstatat(folder.descriptor.get(), relative.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
        OPENARCHIVER_TRY(relative, find_in_maildir(folder.descriptor, unique_name, stop));
        if (relative.empty() || ::fstatat(folder.descriptor.get(), relative.c_str(), &status,
                                          AT_SYMLINK_NOFOLLOW) != 0) {
            return std::optional<sdk::Item>();
        }
    }
    item.content_tag = std::to_string(status.st_size);
    item.received_at = timestamp(modified_ns(status));
    item.size_hint = static_cast<std::uint64_t>(status.st_size);
    places_.remember(
        folder.account_id, item.id,
        {.root_name = folder.path.root->name, .file = join(folder.path.below, relative)});
    return item;
}

sdk::Result<std::unique_ptr<sdk::ByteReader>> Session::open_content(const std::string& account_id,
                                                                    const std::string& item_id,
                                                                    std::stop_token stop) {
    return guarded([&]() -> sdk::Result<std::unique_ptr<sdk::ByteReader>> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::shared_ptr<const AccountLayout> account, layout_of(account_id));
        if (item_id.find('/') == std::string::npos) {
            OPENARCHIVER_TRY(FileDescriptor file, find_message(*account, item_id, stop));
            return ContentReader::open(std::move(file), metrics_);
        }
        const std::optional<RelativePath> path = resolve_id(*account, item_id);
        if (!path || !is_eml_name(path->below)) {
            return item_gone();
        }
        OPENARCHIVER_TRY(const FileDescriptor root, open_root(path->root->path));
        OPENARCHIVER_TRY(FileDescriptor file, open_mail(root, path->below));
        return ContentReader::open(std::move(file), metrics_);
    });
}

sdk::Result<FileDescriptor> Session::find_message(const AccountLayout& account,
                                                  const std::string& item_id,
                                                  const std::stop_token& stop) {
    if (const auto place = places_.find(account.id, item_id)) {
        const auto root = std::ranges::find(account.roots, place->root_name, &Root::name);
        if (root != account.roots.end()) {
            OPENARCHIVER_TRY(const FileDescriptor folder, open_root(root->path));
            sdk::Result<FileDescriptor> file = open_mail(folder, place->file);
            if (file || file.error().code != sdk::Errc::not_found) {
                return file;
            }
        }
    }
    const std::optional<std::string> unique_name = unescape_id(item_id);
    if (!unique_name || unique_name->empty() || !is_plain_relative_path(*unique_name)) {
        return item_gone();
    }
    OPENARCHIVER_TRY(const FolderTree tree, read_folder_tree(account, stop));
    for (const sdk::Folder& folder : tree.folders) {
        const std::optional<RelativePath> path = resolve_id(account, folder.id);
        if (!path || path->root->scope != Root::Scope::tree) {
            continue;
        }
        OPENARCHIVER_TRY(const FileDescriptor root, open_root(path->root->path));
        const sdk::Result<FileDescriptor> opened = open_folder(root, path->below);
        if (!opened || !is_maildir(*opened)) {
            continue;
        }
        const sdk::Result<std::string> found = find_in_maildir(*opened, *unique_name, stop);
        if (!found || found->empty()) {
            continue;
        }
        sdk::Result<FileDescriptor> file = open_mail(*opened, *found);
        if (file || file.error().code != sdk::Errc::not_found) {
            return file;
        }
    }
    if (stop.stop_requested()) {
        return cancelled();
    }
    return item_gone();
}

sdk::Status Session::probe(const std::string& account_id, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::shared_ptr<const AccountLayout> account, layout_of(account_id));
        for (const Root& root : account->roots) {
            OPENARCHIVER_CHECK(open_root(root.path));
        }
        return {};
    });
}

sdk::Result<sdk::Estimate> Session::estimate(std::stop_token stop) {
    return guarded([&] { return estimate_source(*this, stop); });
}

}  // namespace openarchiver::mailfiles
