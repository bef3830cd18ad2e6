#pragma once

#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/bytes.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "archive/digest.hpp"

/// Files of an export.
namespace openarchiver::exporter {

/// An open file descriptor.
class File {
public:
    enum class Mode : std::uint8_t {
        read,    ///< must exist
        create,  ///< made anew, what was there is lost
        append,  ///< made where there is none
        update,  ///< read and written, made where there is none
    };

    /// not_found, resource_exhausted (no space), permission_denied or unavailable; never follows a
    /// symbolic link.
    static sdk::Result<File> open(const std::filesystem::path& path, Mode mode);
    File(File&& other) noexcept;
    File& operator=(File&& other) noexcept;
    ~File();

    sdk::Status write(std::string_view bytes);
    /// Reads up to the buffer's size at `offset`; 0: the end.
    sdk::Result<std::size_t> read_at(std::span<std::byte> buffer, std::uint64_t offset);
    sdk::Result<std::uint64_t> size();
    sdk::Status truncate(std::uint64_t size);
    sdk::Status seek(std::uint64_t offset);
    /// Has the system write to the disk what is in the file, and doesn't wait: sync_volume() then
    /// has less to wait for. Files of many megabytes do it by themselves.
    void begin_to_sync();
    /// Makes everything that was written to the file's volume durable.
    sdk::Status sync_volume();
    /// Holds the file for this process alone; false: another process has it.
    bool try_lock();

private:
    File(int descriptor, std::filesystem::path path);
    [[nodiscard]] sdk::Error failed(const char* doing) const;

    int descriptor_ = -1;
    std::uint64_t unsent_ = 0;  // bytes since begin_to_sync()
    std::filesystem::path path_;
};

/// What errno says, as an error of the export's folder.
[[nodiscard]] sdk::Error file_error(const char* doing, const std::filesystem::path& path,
                                    int error_number);

/// Appends to a file; remembers its own failure, so that it can be told from the reader's.
class FileSink final : public sdk::ByteSink {
public:
    explicit FileSink(File& file) : file_(file) {}

    sdk::Status write(std::span<const std::byte> bytes) override;

    [[nodiscard]] const std::optional<sdk::Error>& failure() const { return failure_; }

private:
    File& file_;
    std::optional<sdk::Error> failure_;
};

/// Hashes and counts, keeps nothing.
class HashSink final : public sdk::ByteSink {
public:
    sdk::Status write(std::span<const std::byte> bytes) override {
        hash_.update(bytes);
        return {};
    }

    [[nodiscard]] archive::Digest digest() { return hash_.finish(); }

private:
    archive::Sha256 hash_;
};

/// Whether the file is there with exactly these bytes.
[[nodiscard]] bool file_holds(const std::filesystem::path& path, std::uint64_t size,
                              const archive::Digest& content);

[[nodiscard]] sdk::Status make_folders(const std::filesystem::path& folder);
[[nodiscard]] sdk::Status rename_file(const std::filesystem::path& from,
                                      const std::filesystem::path& to);
[[nodiscard]] sdk::Result<std::string> read_text(const std::filesystem::path& path);
[[nodiscard]] sdk::Status write_text(const std::filesystem::path& path, std::string_view text);

}  // namespace openarchiver::exporter
