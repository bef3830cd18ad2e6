#pragma once

#include <chrono>
#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "file_access.hpp"
#include "layout.hpp"

namespace openarchiver::mailfiles {

/// Where a message file lies in its folder.
enum class Subfolder : std::uint8_t { none, maildir_new, maildir_cur };

[[nodiscard]] std::string_view subfolder_of(Subfolder subfolder) noexcept;

/// The message files of one folder, sorted by name. The names lie in one buffer: a folder of a
/// million messages takes some 100 MB less this way.
class FolderContents {
public:
    struct File {
        /// As on disk; of a Maildir with the flags.
        std::string_view name;
        Subfolder subfolder = Subfolder::none;
        /// 0 in a Maildir, where listing does not look at the files themselves.
        std::uint64_t size = 0;
        std::int64_t modified_ns = 0;
    };

    /// Reads a Maildir, or the `.eml` files of a plain folder; of these, it waits for those that
    /// were written to within `settle`, and leaves those out that go on changing.
    static sdk::Result<FolderContents> read(const FileDescriptor& folder, bool maildir,
                                            const Root& root, std::chrono::seconds settle,
                                            const std::stop_token& stop);

    [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

    [[nodiscard]] File at(std::size_t index) const;

    /// The same for the same contents, whatever their flags: names, and of plain files their size
    /// and time.
    [[nodiscard]] std::string digest() const;

private:
    struct Entry {
        std::size_t name_offset = 0;
        std::uint16_t name_length = 0;
        /// Of the part that identifies the message.
        std::uint16_t key_length = 0;
        Subfolder subfolder = Subfolder::none;
        std::uint64_t size = 0;
        std::int64_t modified_ns = 0;
    };

    sdk::Status scan(const FileDescriptor& folder, Subfolder subfolder, const Root& root,
                     const std::stop_token& stop);
    sdk::Status leave_incomplete_out(const FileDescriptor& folder, std::chrono::seconds settle,
                                     const std::stop_token& stop);
    void sort();
    [[nodiscard]] std::string_view key(const Entry& entry) const;

    std::string names_;
    std::vector<Entry> entries_;
};

/// How many messages a folder has, without sorting out what changes meanwhile.
sdk::Result<std::uint64_t> count_messages(const FileDescriptor& folder, bool maildir,
                                          const Root& root, const std::stop_token& stop);

/// Finds the file of a message in a Maildir folder, whatever its flags are by now: its path
/// relative to the folder ("cur/1700000000.M1.host:2,S"); empty where it is not there.
sdk::Result<std::string> find_in_maildir(const FileDescriptor& folder, std::string_view unique_name,
                                         const std::stop_token& stop);

}  // namespace openarchiver::mailfiles
