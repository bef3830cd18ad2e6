#pragma once

#include <cstdint>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/host.hpp>

#include "file_access.hpp"

namespace openarchiver::mailfiles {

/// The bytes of a message file. A file that changes meanwhile is `unavailable`: read it again.
class ContentReader final : public sdk::ByteReader {
public:
    static sdk::Result<std::unique_ptr<sdk::ByteReader>> open(FileDescriptor file,
                                                              sdk::Metrics& metrics);

    ContentReader(FileDescriptor file, const struct stat& status, sdk::Metrics& metrics)
        : file_(std::move(file)),
          size_(static_cast<std::uint64_t>(status.st_size)),
          modified_ns_(mailfiles::modified_ns(status)),
          metrics_(metrics) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override;

private:
    FileDescriptor file_;
    const std::uint64_t size_;
    const std::int64_t modified_ns_;
    sdk::Metrics& metrics_;
    std::uint64_t read_ = 0;
};

}  // namespace openarchiver::mailfiles
