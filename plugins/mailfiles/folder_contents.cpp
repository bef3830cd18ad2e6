#include "folder_contents.hpp"

#include <fcntl.h>

#include <algorithm>
#include <array>

#include "file_kind.hpp"
#include "names.hpp"

namespace openarchiver::mailfiles {

namespace {

/// A rename during readdir() can make a file appear twice or not at all. A folder whose time of
/// change moved while it was read is read again, this many times in all.
constexpr int kScans = 4;

/// `new` before `cur`: a message that a client opens meanwhile moves from the first to the second.
constexpr std::array kMaildirSubfolders = {Subfolder::maildir_new, Subfolder::maildir_cur};

bool belongs(std::string_view name, Subfolder subfolder, const Root& root) {
    if (name.front() == '.') {
        return false;
    }
    if (subfolder != Subfolder::none) {
        return true;
    }
    return kind_by_name(name) == FileKind::message &&
           (root.scope != Root::Scope::named_files ||
            std::ranges::find(root.files, name) != root.files.end());
}

std::int64_t changed_at(const FileDescriptor& folder) {
    struct stat status{};
    return ::fstat(folder.get(), &status) == 0 ? modified_ns(status) : 0;
}

/// Two independent 64-bit hashes: neighbours that differ must differ in the digest, nobody attacks
/// it (a sender does not choose file names).
class Digest {
public:
    void add(std::string_view bytes) {
        for (const char c : bytes) {
            add_byte(static_cast<unsigned char>(c));
        }
        add_byte(0);
    }

    void add(std::uint64_t value) {
        for (int i = 0; i < 8; ++i) {
            add_byte(static_cast<unsigned char>(value >> (8 * i)));
        }
    }

    [[nodiscard]] std::string text() const {
        std::string result;
        for (const std::uint64_t half : {first_, second_}) {
            for (int shift = 60; shift >= 0; shift -= 4) {
                result += "0123456789abcdef"[(half >> shift) & 0xFU];
            }
        }
        return result;
    }

private:
    void add_byte(std::uint64_t byte) {
        first_ = (first_ ^ byte) * 0x100000001b3U;  // FNV-1a
        second_ = (second_ + byte + 1) * 0x9e3779b97f4a7c15U;
        second_ ^= second_ >> 29U;
    }

    std::uint64_t first_ = 0xcbf29ce484222325U;
    std::uint64_t second_ = 0x2545f4914f6cdd1dU;
};

}  // namespace

std::string_view subfolder_of(Subfolder subfolder) noexcept {
    switch (subfolder) {
        case Subfolder::none:
            break;
        case Subfolder::maildir_new:
            return "new/";
        case Subfolder::maildir_cur:
            return "cur/";
    }
    return "";
}

sdk::Result<FolderContents> FolderContents::read(const FileDescriptor& folder, bool maildir,
                                                 const Root& root, std::chrono::seconds settle,
                                                 const std::stop_token& stop) {
    struct Part {
        Subfolder subfolder;
        FileDescriptor folder;
    };

    std::vector<Part> parts;
    if (maildir) {
        for (const Subfolder subfolder : kMaildirSubfolders) {
            const std::string_view name = subfolder_of(subfolder);
            OPENARCHIVER_TRY(FileDescriptor part,
                             open_folder(folder, name.substr(0, name.size() - 1)));
            parts.push_back({subfolder, std::move(part)});
        }
    } else {
        OPENARCHIVER_TRY(FileDescriptor part, open_folder(folder, ""));
        parts.push_back({Subfolder::none, std::move(part)});
    }
    const auto times = [&] {
        std::array<std::int64_t, 2> result{};
        for (std::size_t i = 0; i < parts.size(); ++i) {
            result[i] = changed_at(parts[i].folder);
        }
        return result;
    };
    FolderContents contents;
    for (int i = 0; i < kScans; ++i) {
        const auto before = times();
        for (const Part& part : parts) {
            OPENARCHIVER_CHECK(contents.scan(part.folder, part.subfolder, root, stop));
        }
        if (times() == before) {
            break;
        }
    }
    contents.sort();
    if (!maildir) {
        OPENARCHIVER_CHECK(contents.leave_incomplete_out(parts.front().folder, settle, stop));
    }
    return contents;
}

sdk::Status FolderContents::leave_incomplete_out(const FileDescriptor& folder,
                                                 std::chrono::seconds settle,
                                                 const std::stop_token& stop) {
    std::vector<std::size_t> incomplete;
    for (std::size_t i = 0; i < entries_.size(); ++i) {
        if (!is_settled(entries_[i].modified_ns, settle)) {
            incomplete.push_back(i);
        }
    }
    for (const std::size_t i : incomplete) {
        Entry& entry = entries_[i];
        const auto file = open_entry(folder, at(i).name);
        const auto settled =
            file ? wait_until_settled(*file, settle, stop) : sdk::Result<bool>(file.error());
        if (!settled && settled.error().code == sdk::Errc::cancelled) {
            return settled.error();
        }
        const auto status =
            settled && *settled ? status_of(*file) : sdk::Result<struct stat>(item_gone());
        if (!status || static_cast<std::uint64_t>(status->st_size) != entry.size ||
            modified_ns(*status) != entry.modified_ns) {
            entry.name_length = 0;
        }
    }
    std::erase_if(entries_, [](const Entry& entry) { return entry.name_length == 0; });
    return {};
}

sdk::Status FolderContents::scan(const FileDescriptor& folder, Subfolder subfolder,
                                 const Root& root, const std::stop_token& stop) {
    return for_each_entry(folder, stop, [&](std::string_view name, EntryKind kind) -> sdk::Status {
        if (kind != EntryKind::file || !belongs(name, subfolder, root)) {
            return {};
        }
        Entry entry;
        entry.name_offset = names_.size();
        entry.name_length = static_cast<std::uint16_t>(name.size());
        entry.key_length = entry.name_length;
        entry.subfolder = subfolder;
        if (subfolder == Subfolder::none) {
            struct stat status{};
            if (::fstatat(folder.get(), std::string(name).c_str(), &status, AT_SYMLINK_NOFOLLOW) !=
                0) {
                return {};  // gone since readdir()
            }
            entry.size = static_cast<std::uint64_t>(status.st_size);
            entry.modified_ns = modified_ns(status);
        } else {
            entry.key_length = static_cast<std::uint16_t>(maildir_unique_name(name).size());
        }
        names_ += name;
        entries_.push_back(entry);
        return {};
    });
}

void FolderContents::sort() {
    std::ranges::sort(entries_, [&](const Entry& a, const Entry& b) {
        const int order = key(a).compare(key(b));
        return order < 0 || (order == 0 && a.name_offset < b.name_offset);
    });
    // Of several sightings of a message the last is the most recent: keep that one.
    const auto same = [&](const Entry& a, const Entry& b) { return key(a) == key(b); };
    const auto first = std::unique(entries_.rbegin(), entries_.rend(), same).base();
    entries_.erase(entries_.begin(), first);
}

std::string_view FolderContents::key(const Entry& entry) const {
    return std::string_view(names_).substr(entry.name_offset, entry.key_length);
}

FolderContents::File FolderContents::at(std::size_t index) const {
    const Entry& entry = entries_[index];
    return {.name = std::string_view(names_).substr(entry.name_offset, entry.name_length),
            .subfolder = entry.subfolder,
            .size = entry.size,
            .modified_ns = entry.modified_ns};
}

std::string FolderContents::digest() const {
    Digest digest;
    for (const Entry& entry : entries_) {
        digest.add(key(entry));
        digest.add(entry.size);
        digest.add(static_cast<std::uint64_t>(entry.modified_ns));
    }
    return std::to_string(entries_.size()) + "-" + digest.text();
}

sdk::Result<std::uint64_t> count_messages(const FileDescriptor& folder, bool maildir,
                                          const Root& root, const std::stop_token& stop) {
    std::uint64_t count = 0;
    const auto count_in = [&](const FileDescriptor& part, Subfolder subfolder) {
        return for_each_entry(part, stop,
                              [&](std::string_view name, EntryKind kind) -> sdk::Status {
                                  if (kind == EntryKind::file && belongs(name, subfolder, root)) {
                                      ++count;
                                  }
                                  return {};
                              });
    };
    if (!maildir) {
        OPENARCHIVER_CHECK(count_in(folder, Subfolder::none));
        return count;
    }
    for (const Subfolder subfolder : kMaildirSubfolders) {
        const std::string_view name = subfolder_of(subfolder);
        OPENARCHIVER_TRY(const FileDescriptor part,
                         open_folder(folder, name.substr(0, name.size() - 1)));
        OPENARCHIVER_CHECK(count_in(part, subfolder));
    }
    return count;
}

sdk::Result<std::string> find_in_maildir(const FileDescriptor& folder, std::string_view unique_name,
                                         const std::stop_token& stop) {
    std::string found;
    for (const Subfolder part_of : kMaildirSubfolders) {
        const std::string_view subfolder = subfolder_of(part_of);
        OPENARCHIVER_TRY(const FileDescriptor part,
                         open_folder(folder, subfolder.substr(0, subfolder.size() - 1)));
        OPENARCHIVER_CHECK(
            for_each_entry(part, stop, [&](std::string_view name, EntryKind kind) -> sdk::Status {
                if (kind == EntryKind::file && maildir_unique_name(name) == unique_name) {
                    found = std::string(subfolder) + std::string(name);
                }
                return {};
            }));
    }
    return found;
}

}  // namespace openarchiver::mailfiles
