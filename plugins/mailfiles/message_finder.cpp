#include "message_finder.hpp"

#include <algorithm>

#include "content_reader.hpp"
#include "folder_contents.hpp"
#include "folder_listing.hpp"
#include "message_digest.hpp"
#include "names.hpp"
#include "place.hpp"

namespace openarchiver::mailfiles {

namespace {

constexpr std::string_view kDigestPrefix = "sha256:";
constexpr std::size_t kDigestLength = 64;

/// Takes note of where items lie, and tells nobody.
class Unheard final : public sdk::ItemSink {
public:
    explicit Unheard(const std::string& wanted) : wanted_(wanted) {}

    sdk::Flow item(const sdk::Item& item) override {
        found = found || item.id == wanted_;
        return found ? sdk::Flow::stop : sdk::Flow::proceed;
    }

    sdk::Flow item_left(std::string_view) override { return sdk::Flow::proceed; }

    sdk::Flow item_failed(std::string_view, const sdk::Error&) override {
        return sdk::Flow::proceed;
    }

    sdk::Flow checkpoint(const sdk::Cursor&) override { return sdk::Flow::proceed; }

    bool found = false;

private:
    const std::string& wanted_;
};

bool may_go_on(const sdk::Error& error) {
    return error.code == sdk::Errc::not_found || error.code == sdk::Errc::unsupported ||
           error.code == sdk::Errc::corrupt;
}

}  // namespace

MessageFinder::Reader MessageFinder::open(const std::string& item_id) {
    if (item_id.starts_with(kDigestPrefix)) {
        return open_by_digest(item_id);
    }
    return item_id.find('/') == std::string::npos ? open_in_maildir(item_id)
                                                  : open_by_path(item_id);
}

MessageFinder::Reader MessageFinder::open_by_path(const std::string& item_id) {
    const std::optional<RelativePath> path = resolve_id(account_, item_id);
    if (!path) {
        return item_gone();
    }
    OPENARCHIVER_TRY(const FileDescriptor root, open_root(path->root->path));
    if (kind_by_name(path->below) == FileKind::message) {
        auto place = open_place(*path->root, root, path->below, services_.unpacking, stop_);
        if (place && place->kind == Place::Kind::message) {
            return ContentReader::open(std::move(place->opened), metrics_);
        }
        if (!place && place.error().code != sdk::Errc::not_found) {
            return place.error();
        }
    }
    OPENARCHIVER_CHECK(failure_of(account_, item_id, services_, stop_));
    return item_gone();
}

MessageFinder::Reader MessageFinder::open_remembered(const std::string& item_id,
                                                     const std::string& digest) {
    const auto remembered = places_.find(account_.id, item_id);
    if (!remembered) {
        return item_gone();
    }
    const auto root = std::ranges::find(account_.roots, remembered->root_name, &Root::name);
    if (root == account_.roots.end()) {
        return item_gone();
    }
    OPENARCHIVER_TRY(const FileDescriptor folder, open_root(root->path));
    OPENARCHIVER_TRY(Place place,
                     open_place(*root, folder, remembered->file, services_.unpacking, stop_));
    if (place.kind == Place::Kind::folder) {
        return item_gone();
    }
    OPENARCHIVER_TRY(const struct stat status, status_of(place.opened));
    if (digest.empty()) {
        return ContentReader::open(std::move(place.opened), metrics_);
    }
    // Numbers of files in a PST, and places in an mbox, are of messages only until it is rewritten.
    const MboxPlace at = remembered->in_mbox.value_or(
        MboxPlace{.begin = 0, .end = static_cast<std::uint64_t>(status.st_size)});
    if (!remembered->in_mbox || remembered->stamp != stamp_of(status)) {
        OPENARCHIVER_TRY(const std::string there, digest_of(place.opened, at.begin, at.end, stop_));
        if (there != digest) {
            return item_gone();
        }
    }
    if (!remembered->in_mbox) {
        return ContentReader::open(std::move(place.opened), metrics_);
    }
    return std::make_unique<MboxReader>(std::move(place.opened), at, digest, metrics_);
}

MessageFinder::Reader MessageFinder::open_by_digest(const std::string& item_id) {
    const std::string digest = item_id.substr(kDigestPrefix.size(), kDigestLength);
    if (digest.size() != kDigestLength) {
        return item_gone();
    }
    Reader remembered = open_remembered(item_id, digest);
    if (remembered || remembered.error().code != sdk::Errc::not_found) {
        return remembered;
    }
    OPENARCHIVER_CHECK(search(item_id));
    return open_remembered(item_id, digest);
}

sdk::Status MessageFinder::search(const std::string& item_id) {
    OPENARCHIVER_TRY(const FolderTree tree, read_folder_tree(account_, services_, stop_));
    for (const sdk::Folder& folder : tree.folders) {
        const std::optional<RelativePath> path = resolve_id(account_, folder.id);
        if (!path) {
            continue;
        }
        OPENARCHIVER_TRY(const FileDescriptor root, open_root(path->root->path));
        const auto place = open_place(*path->root, root, path->below, services_.unpacking, stop_);
        if (!place && !may_go_on(place.error())) {
            return place.error();
        }
        if (!place || (place->kind != Place::Kind::mbox && !place->reconstructed())) {
            continue;
        }
        Unheard listed(item_id);
        sdk::Status status = list_items({.account = account_,
                                         .path = *path,
                                         .folder_id = folder.id,
                                         .services = services_,
                                         .places = places_},
                                        std::nullopt, listed, stop_);
        if (listed.found) {
            return {};
        }
        if (!status && !may_go_on(status.error())) {
            return status;
        }
    }
    return item_gone();
}

MessageFinder::Reader MessageFinder::open_in_maildir(const std::string& item_id) {
    Reader remembered = open_remembered(item_id, "");
    if (remembered || remembered.error().code != sdk::Errc::not_found) {
        return remembered;
    }
    const std::optional<std::string> unique_name = unescape_id(item_id);
    if (!unique_name || unique_name->empty() || !is_plain_relative_path(*unique_name)) {
        return item_gone();
    }
    OPENARCHIVER_TRY(const FolderTree tree, read_folder_tree(account_, services_, stop_));
    for (const sdk::Folder& folder : tree.folders) {
        const std::optional<RelativePath> path = resolve_id(account_, folder.id);
        if (!path) {
            continue;
        }
        OPENARCHIVER_TRY(const FileDescriptor root, open_root(path->root->path));
        const auto place = open_place(*path->root, root, path->below, services_.unpacking, stop_);
        const bool whole = place && (place->unpacked || path->root->scope == Root::Scope::tree);
        if (!whole || place->kind != Place::Kind::folder || !is_maildir(place->opened)) {
            continue;
        }
        const sdk::Result<std::string> found = find_in_maildir(place->opened, *unique_name, stop_);
        if (!found || found->empty()) {
            continue;
        }
        sdk::Result<FileDescriptor> file = open_mail(place->opened, *found);
        if (file) {
            return ContentReader::open(std::move(*file), metrics_);
        }
        if (file.error().code != sdk::Errc::not_found) {
            return file.error();
        }
    }
    return stop_.stop_requested() ? cancelled() : item_gone();
}

}  // namespace openarchiver::mailfiles
