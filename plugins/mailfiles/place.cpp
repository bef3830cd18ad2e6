#include "place.hpp"

#include <algorithm>

#include "folder_tree.hpp"

namespace openarchiver::mailfiles {

namespace {

std::string_view first_segment(std::string_view& rest) {
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    const std::string_view segment = rest.substr(0, slash);
    rest.remove_prefix(std::min(slash + 1, rest.size()));
    return segment;
}

sdk::Error gone() {
    return {.code = sdk::Errc::not_found, .message = "a mail file or folder is gone"};
}

void append(std::string& path, std::string_view segment) {
    path += path.empty() ? "" : "/";
    path += segment;
}

}  // namespace

sdk::Result<OuterFile> find_outer_file(const FileDescriptor& root, std::string_view below) {
    OuterFile outer;
    OPENARCHIVER_TRY(FileDescriptor at, open_folder(root, ""));
    while (!below.empty()) {
        const std::string_view segment = first_segment(below);
        OPENARCHIVER_TRY(at, open_entry(at, segment));
        append(outer.path, segment);
        if (!is_folder(at)) {
            outer.kind = kind_of(at, segment);
            outer.file = std::move(at);
            return outer;
        }
    }
    outer.file = std::move(at);
    return outer;
}

sdk::Result<Place> open_place(const Root& root, const FileDescriptor& root_folder,
                              std::string_view below, Unpacking& unpacking,
                              const std::stop_token& stop) {
    Place place;
    OPENARCHIVER_TRY(place.opened, open_folder(root_folder, ""));
    std::string path;
    bool entered = false;  // an archive, so that the label goes on behind a colon
    while (!below.empty()) {
        const std::string_view segment = first_segment(below);
        OPENARCHIVER_TRY(FileDescriptor next, open_entry(place.opened, segment));
        append(path, segment);
        place.label += entered ? ":" : place.label.empty() ? "" : "/";
        place.label += segment;
        entered = false;
        append(place.path_in_unpacked, segment);
        if (is_folder(next)) {
            place.opened = std::move(next);
            continue;
        }
        const FileKind kind = kind_of(next, segment);
        if (is_container(kind)) {
            const int depth = place.unpacked ? place.unpacked->depth + 1 : 1;
            auto unpacked = unpacking.get(next, kind, id_of(root, path), depth, stop);
            if (!unpacked) {
                sdk::Error error = unpacked.error();
                error.message = place.label + ": " + error.message;
                return error;
            }
            place.unpacked = std::move(*unpacked);
            place.path_in_unpacked.clear();
            OPENARCHIVER_TRY(place.opened, open_folder(place.unpacked->folder, ""));
            entered = true;
            continue;
        }
        // In a Maildir, a message is a file of any name.
        if (!below.empty()) {
            return gone();
        }
        place.kind = kind == FileKind::mbox ? Place::Kind::mbox : Place::Kind::message;
        place.opened = std::move(next);
    }
    return place;
}

}  // namespace openarchiver::mailfiles
