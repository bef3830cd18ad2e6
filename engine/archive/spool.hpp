#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/bytes.hpp>
#include <span>
#include <vector>

namespace openarchiver::archive {

/// Bytes on their way: in memory up to a threshold, beyond it in an unlinked file, so that a large
/// message costs disk and not memory, and nothing is left behind by a crash. Beyond the threshold
/// memory is still used while all spools together take no more than 48 MiB of that. Written once,
/// then read any number of times. Used by one thread at a time.
class Spool final : public sdk::ByteSource, public sdk::ByteSink {
public:
    /// `folder` is where the file goes, if one is needed.
    Spool(std::filesystem::path folder, std::uint64_t memory_threshold);
    Spool(Spool&& other) noexcept;
    Spool& operator=(Spool&& other) noexcept;
    ~Spool() override;

    sdk::Status write(std::span<const std::byte> bytes) override;

    /// So many will be written, or fewer: makes room for them at once.
    void expect(std::uint64_t bytes);

    [[nodiscard]] std::uint64_t size() const override { return size_; }

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override;
    sdk::Status rewind() override;

    /// Reads from `offset` on, whatever read() has read.
    sdk::Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> buffer) const;

    /// How much of it is memory now.
    [[nodiscard]] std::uint64_t memory() const { return memory_.capacity(); }

    /// The bytes, where all of them are in memory; empty otherwise.
    [[nodiscard]] std::span<const std::byte> in_memory() const;

private:
    bool stays_in_memory(std::uint64_t size);
    void release_memory();

    std::filesystem::path folder_;
    std::uint64_t memory_threshold_ = 0;
    std::vector<std::byte> memory_;
    std::uint64_t granted_ = 0;  // beyond the threshold
    int file_ = -1;
    std::uint64_t size_ = 0;
    std::uint64_t position_ = 0;
};

/// Some of a spool's bytes. The spool outlives it.
class SpoolRange final : public sdk::ByteSource {
public:
    SpoolRange(const Spool& spool, std::uint64_t offset, std::uint64_t size)
        : spool_(spool), offset_(offset), size_(size) {}

    [[nodiscard]] std::uint64_t size() const override { return size_; }

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override;
    sdk::Status rewind() override;

private:
    const Spool& spool_;
    std::uint64_t offset_;
    std::uint64_t size_;
    std::uint64_t position_ = 0;
};

}  // namespace openarchiver::archive
