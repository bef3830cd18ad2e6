#include "folder_listing.hpp"

#include <fcntl.h>

#include <charconv>

#include "folder_contents.hpp"
#include "mbox_scan.hpp"
#include "message_digest.hpp"
#include "names.hpp"
#include "place.hpp"

namespace openarchiver::mailfiles {

namespace {

constexpr std::uint32_t kCursorFormat = 2;
constexpr std::size_t kMaxIdLength = 2048;

sdk::Timestamp timestamp(std::int64_t nanoseconds) {
    return sdk::Timestamp(
        std::chrono::floor<std::chrono::milliseconds>(std::chrono::nanoseconds(nanoseconds)));
}

/// An id that is too long for the model, shortened so that it can be reported.
std::string shortened(const std::string& id) {
    return id.substr(0, 1900) + "~" + std::to_string(std::hash<std::string>()(id));
}

std::string position_id(const std::string& folder_id, std::uint64_t offset) {
    return folder_id + "@" + std::to_string(offset);
}

sdk::Error broken(const std::string& label, std::uint64_t offset, const std::string& what) {
    return {.code = sdk::Errc::corrupt,
            .message = display_text(label) + "@" + std::to_string(offset) + ": " + what};
}

std::string label_of(const Place& place, const UnpackProblem& problem) {
    return problem.path.empty() ? place.label : place.label + ":" + problem.path;
}

/// Whether the place is an archive itself.
bool is_archive(const Place& place) {
    return place.unpacked && place.kind == Place::Kind::folder && place.path_in_unpacked.empty();
}

/// What damaged an mbox in an archive, so that it ends too early.
const UnpackProblem* damage_of(const Place& place) {
    if (place.unpacked) {
        for (const UnpackProblem& problem : place.unpacked->problems) {
            if (problem.beginning_kept && problem.path == place.path_in_unpacked) {
                return &problem;
            }
        }
    }
    return nullptr;
}

class Lister {
public:
    Lister(const FolderListing& listing, sdk::ItemSink& sink, const std::stop_token& stop)
        : listing_(listing), root_(*listing.path.root), sink_(sink), stop_(stop) {}

    sdk::Status run(const std::optional<sdk::Cursor>& cursor) {
        if (cursor && cursor->format != kCursorFormat) {
            return changed();
        }
        OPENARCHIVER_TRY(const FileDescriptor root_folder, open_root(root_.path));
        OPENARCHIVER_TRY(const OuterFile outer, find_outer_file(root_folder, listing_.path.below));
        if (!is_folder(outer.file)) {
            OPENARCHIVER_TRY(settled_, wait_until_settled(outer.file, settings().settle, stop_));
            OPENARCHIVER_TRY(const struct stat status, status_of(outer.file));
            if (is_container(outer.kind) && !settled_) {
                return sdk::Error{.code = sdk::Errc::not_found,
                                  .message = "an archive is still being written"};
            }
            now_.value =
                std::to_string(static_cast<int>(settings().mbox_dialect)) + "-" + stamp_of(status);
            if (cursor) {
                return *cursor == now_ ? finish() : changed();
            }
        }
        OPENARCHIVER_TRY(Place place, open_place(root_, root_folder, listing_.path.below,
                                                 listing_.services.unpacking, stop_));
        switch (place.kind) {
            case Place::Kind::message:
                break;
            case Place::Kind::mbox:
                OPENARCHIVER_CHECK(list_mbox(place));
                return finish();
            case Place::Kind::folder:
                return list_folder(place, cursor);
        }
        return sdk::Error{.code = sdk::Errc::not_found, .message = "a mail folder is gone"};
    }

private:
    [[nodiscard]] const Settings& settings() const { return listing_.services.settings; }

    static sdk::Error changed() {
        return {.code = sdk::Errc::cursor_expired,
                .message = "the folder changed since the cursor"};
    }

    sdk::Status finish() {
        return stop_.stop_requested() || sink_.checkpoint(now_) == sdk::Flow::stop
                   ? sdk::Status(cancelled())
                   : sdk::Status();
    }

    sdk::Status report(const sdk::Item& item) {
        if (item.id.size() > kMaxIdLength) {
            return report_failed(item.id, {.code = sdk::Errc::unsupported,
                                           .message = "the path of a message is too long; move it "
                                                      "up"});
        }
        return sink_.item(item) == sdk::Flow::stop ? sdk::Status(cancelled()) : sdk::Status();
    }

    sdk::Status report_failed(const std::string& id, const sdk::Error& error) {
        const std::string fitting = id.size() > kMaxIdLength ? shortened(id) : id;
        return sink_.item_failed(fitting, error) == sdk::Flow::stop ? sdk::Status(cancelled())
                                                                    : sdk::Status();
    }

    sdk::Status list_mbox(const Place& place) {
        OPENARCHIVER_TRY(const struct stat status, status_of(place.opened));
        const UnpackProblem* const damage = damage_of(place);
        const bool growing = !settled_ && !place.unpacked;
        if (growing) {
            now_.value = "growing";  // no state of a file: the next run lists it again
        }
        const MboxRange range{.size = static_cast<std::uint64_t>(status.st_size),
                              .open_end = growing || damage != nullptr};
        const std::string stamp = stamp_of(status);
        const MboxEvents events{
            .message = [&](const MboxMessage& message) { return report_message(message, stamp); },
            .broken =
                [&](std::uint64_t offset, const std::string& what) {
                    return report_failed(position_id(listing_.folder_id, offset),
                                         broken(place.label, offset, what));
                }};
        OPENARCHIVER_TRY(const std::uint64_t end,
                         scan_mbox(place.opened, range, settings().mbox_dialect, events, stop_));
        if (damage != nullptr) {
            return report_failed(position_id(listing_.folder_id, end),
                                 broken(place.label, end, damage->what));
        }
        return {};
    }

    sdk::Status report_message(const MboxMessage& message, const std::string& stamp) {
        if (stop_.stop_requested()) {
            return cancelled();
        }
        sdk::Item item;
        item.id = digest_id(message.digest, occurrences_.next(message.digest));
        item.content_tag = message.digest.substr(0, 32) + (message.unquote ? "-unquoted" : "");
        item.received_at = message.delivered_at;
        item.size_hint = message.end - message.begin;
        item.properties.push_back({"mbox_from", display_text(message.from)});
        if (message.unquote) {
            item.properties.push_back({"mbox_quoting", std::string("undone")});
        }
        listing_.places.remember(
            listing_.account.id, item.id,
            {.root_name = root_.name,
             .file = listing_.path.below,
             .in_mbox =
                 MboxPlace{.begin = message.begin, .end = message.end, .unquote = message.unquote},
             .stamp = stamp});
        return report(item);
    }

    sdk::Status list_folder(const Place& place, const std::optional<sdk::Cursor>& cursor) {
        const Root whole;
        const bool on_disk = !place.unpacked;
        maildir_ = (!on_disk || root_.scope == Root::Scope::tree) && is_maildir(place.opened);
        OPENARCHIVER_TRY(
            const FolderContents contents,
            FolderContents::read(place.opened, maildir_, on_disk ? root_ : whole,
                                 on_disk ? settings().settle : std::chrono::seconds(0), stop_));
        if (on_disk) {
            now_.value = contents.digest();
            if (cursor) {
                return *cursor == now_ ? finish() : changed();
            }
        }
        for (std::size_t i = 0; i < contents.size(); ++i) {
            if (stop_.stop_requested()) {
                return cancelled();
            }
            const auto item = describe(place, contents.at(i));
            if (item) {
                OPENARCHIVER_CHECK(report(*item));
            } else if (item.error().code != sdk::Errc::not_found) {
                return item.error();
            }
        }
        if (is_archive(place)) {
            OPENARCHIVER_CHECK(report_problems(place));
        }
        return finish();
    }

    sdk::Status report_problems(const Place& place) {
        for (const UnpackProblem& problem : place.unpacked->problems) {
            if (problem.beginning_kept) {
                continue;  // the mbox tells
            }
            const std::string id = problem.path.empty()
                                       ? position_id(listing_.folder_id, problem.offset)
                                       : id_of(root_, join_path(listing_.path.below, problem.path));
            OPENARCHIVER_CHECK(
                report_failed(id, broken(label_of(place, problem), problem.offset, problem.what)));
        }
        return {};
    }

    sdk::Result<sdk::Item> describe(const Place& place, const FolderContents::File& file) {
        if (maildir_) {
            return describe_in_maildir(place, file);
        }
        sdk::Item item;
        const std::string path = join_path(listing_.path.below, file.name);
        item.size_hint = file.size;
        if (!place.unpacked) {
            item.id = id_of(root_, path);
            item.content_tag = std::to_string(file.size) + "-" + std::to_string(file.modified_ns);
            item.received_at = timestamp(file.modified_ns);
            return item;
        }
        OPENARCHIVER_TRY(const FileDescriptor opened, open_mail(place.opened, file.name));
        OPENARCHIVER_TRY(const std::string digest, digest_of(opened, 0, file.size, stop_));
        if (!place.reconstructed()) {
            item.id = id_of(root_, path);
            item.content_tag = std::to_string(file.size) + "-" + digest.substr(0, 32);
            return item;
        }
        item.id = digest_id(digest, occurrences_.next(digest));
        item.content_tag = digest.substr(0, 32);
        item.properties.push_back({"reconstructed_by", std::string("readpst")});
        listing_.places.remember(listing_.account.id, item.id,
                                 {.root_name = root_.name, .file = path});
        return item;
    }

    /// not_found: the message left meanwhile.
    sdk::Result<sdk::Item> describe_in_maildir(const Place& place,
                                               const FolderContents::File& file) {
        const std::string_view unique_name = maildir_unique_name(file.name);
        std::string relative = std::string(subfolder_of(file.subfolder)) + std::string(file.name);
        struct stat status{};
        const int folder = place.opened.get();
        if (::fstatat(folder, relative.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
            OPENARCHIVER_TRY(relative, find_in_maildir(place.opened, unique_name, stop_));
            if (relative.empty() ||
                ::fstatat(folder, relative.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
                return item_gone();
            }
        }
        sdk::Item item;
        item.id = escape_id(unique_name);
        item.content_tag = std::to_string(status.st_size);
        item.received_at = timestamp(modified_ns(status));
        item.size_hint = static_cast<std::uint64_t>(status.st_size);
        listing_.places.remember(
            listing_.account.id, item.id,
            {.root_name = root_.name, .file = join_path(listing_.path.below, relative)});
        return item;
    }

    const FolderListing& listing_;
    const Root& root_;
    sdk::ItemSink& sink_;
    const std::stop_token& stop_;
    sdk::Cursor now_{.format = kCursorFormat, .value = {}};
    bool settled_ = true;  // the outer file
    bool maildir_ = false;
    Occurrences occurrences_;
};

struct Position {
    std::string_view folder_id;
    std::uint64_t offset = 0;
};

std::optional<Position> position_in(std::string_view item_id) {
    const std::size_t at = item_id.rfind('@');
    if (at == std::string_view::npos || at + 1 == item_id.size()) {
        return std::nullopt;
    }
    Position position{.folder_id = item_id.substr(0, at)};
    const char* const end = item_id.data() + item_id.size();
    const auto [last, failure] = std::from_chars(item_id.data() + at + 1, end, position.offset);
    return failure == std::errc() && last == end ? std::optional(position) : std::nullopt;
}

/// Of bytes that are no message, or of an archive as a whole.
sdk::Status failure_at(const Place& place, std::uint64_t wanted, MboxDialect dialect,
                       const std::stop_token& stop) {
    if (is_archive(place)) {
        for (const UnpackProblem& problem : place.unpacked->problems) {
            if (problem.path.empty() && problem.offset == wanted) {
                return broken(place.label, problem.offset, problem.what);
            }
        }
    }
    if (place.kind != Place::Kind::mbox) {
        return {};
    }
    OPENARCHIVER_TRY(const struct stat status, status_of(place.opened));
    const UnpackProblem* const damage = damage_of(place);
    sdk::Status found;
    const MboxEvents events{.message = [](const MboxMessage&) { return sdk::Status(); },
                            .broken =
                                [&](std::uint64_t offset, const std::string& what) {
                                    if (offset == wanted) {
                                        found = broken(place.label, offset, what);
                                    }
                                    return sdk::Status();
                                }};
    OPENARCHIVER_TRY(const std::uint64_t end,
                     scan_mbox(place.opened,
                               {.size = static_cast<std::uint64_t>(status.st_size),
                                .open_end = damage != nullptr},
                               dialect, events, stop));
    if (damage != nullptr && end == wanted) {
        found = broken(place.label, end, damage->what);
    }
    return found;
}

}  // namespace

std::string digest_id(const std::string& digest, std::uint32_t occurrence) {
    return "sha256:" + digest + (occurrence > 1 ? "." + std::to_string(occurrence) : "");
}

std::uint32_t Occurrences::next(const std::string& digest) {
    constexpr std::size_t kFront = 16;
    std::uint64_t front = 0;
    std::from_chars(digest.data(), digest.data() + std::min(kFront, digest.size()), front, 16);
    return ++counts_[front];
}

sdk::Status list_items(const FolderListing& listing, const std::optional<sdk::Cursor>& cursor,
                       sdk::ItemSink& sink, const std::stop_token& stop) {
    return Lister(listing, sink, stop).run(cursor);
}

sdk::Status failure_of(const AccountLayout& account, std::string_view item_id,
                       const TreeServices& services, const std::stop_token& stop) {
    const std::optional<Position> position = position_in(item_id);
    const auto path = resolve_id(account, position ? position->folder_id : item_id);
    if (!path) {
        return {};
    }
    OPENARCHIVER_TRY(const FileDescriptor root_folder, open_root(path->root->path));
    const auto open = [&](std::string_view below) {
        return open_place(*path->root, root_folder, below, services.unpacking, stop);
    };
    if (position) {
        const auto place = open(path->below);
        return place ? failure_at(*place, position->offset, services.settings.mbox_dialect, stop)
                     : sdk::Status();
    }
    // An entry that its archive could not give: the archive is one of the folders above it.
    for (std::size_t slash = path->below.find('/'); slash != std::string::npos;
         slash = path->below.find('/', slash + 1)) {
        const auto place = open(std::string_view(path->below).substr(0, slash));
        if (!place) {
            break;
        }
        for (const UnpackProblem& problem :
             is_archive(*place) ? place->unpacked->problems : std::vector<UnpackProblem>()) {
            if (problem.path == path->below.substr(slash + 1)) {
                return broken(label_of(*place, problem), problem.offset, problem.what);
            }
        }
    }
    return {};
}

}  // namespace openarchiver::mailfiles
