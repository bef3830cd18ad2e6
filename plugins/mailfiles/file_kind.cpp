#include "file_kind.hpp"

#include <algorithm>
#include <array>

#include "from_line.hpp"
#include "line_reader.hpp"

namespace openarchiver::mailfiles {

namespace {

constexpr std::array<std::string_view, 2> kMboxEndings = {".mbox", ".mbx"};
constexpr std::array<std::string_view, 10> kArchiveEndings = {
    ".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst"};
constexpr std::array<std::string_view, 4> kCompressedMboxEndings = {".mbox.gz", ".mbox.bz2",
                                                                    ".mbox.xz", ".mbox.zst"};

bool ends_with(std::string_view name, std::string_view ending) noexcept {
    return name.size() > ending.size() &&
           std::ranges::equal(name.substr(name.size() - ending.size()), ending, {}, [](char c) {
               return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
           });
}

template <std::size_t Count>
bool ends_with_one(std::string_view name,
                   const std::array<std::string_view, Count>& endings) noexcept {
    return std::ranges::any_of(endings,
                               [&](std::string_view ending) { return ends_with(name, ending); });
}

}  // namespace

FileKind kind_by_name(std::string_view name) noexcept {
    if (ends_with(name, ".eml")) {
        return FileKind::message;
    }
    if (ends_with_one(name, kMboxEndings)) {
        return FileKind::mbox;
    }
    if (ends_with_one(name, kArchiveEndings) || is_compressed_mbox(name)) {
        return FileKind::archive;
    }
    return ends_with(name, ".pst") ? FileKind::pst : FileKind::other;
}

bool is_compressed_mbox(std::string_view name) noexcept {
    return ends_with_one(name, kCompressedMboxEndings);
}

FileKind kind_by_front(std::string_view front) noexcept {
    const std::size_t newline = front.find('\n');
    return newline != std::string_view::npos && date_of_from_line(front.substr(0, newline + 1))
               ? FileKind::mbox
               : FileKind::other;
}

FileKind kind_of(const FileDescriptor& file, std::string_view name) {
    const FileKind kind = kind_by_name(name);
    if (kind != FileKind::other) {
        return kind;
    }
    std::array<char, kKindBytes> front{};
    const auto count = read_at(file, 0, front.data(), front.size());
    return count ? kind_by_front({front.data(), *count}) : FileKind::other;
}

FileKind kind_in(const FileDescriptor& folder, std::string_view name) {
    const FileKind kind = kind_by_name(name);
    if (kind != FileKind::other) {
        return kind;
    }
    const auto file = open_entry(folder, name);
    return file && !is_folder(*file) ? kind_of(*file, name) : FileKind::other;
}

}  // namespace openarchiver::mailfiles
