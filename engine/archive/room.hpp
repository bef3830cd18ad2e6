#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace openarchiver::archive {

/// Memory for bytes that are about to be written: not filled with zeros first, which for frames
/// costs a noticeable part of what opening them does.
class Room {
public:
    Room() = default;

    explicit Room(std::size_t size)
        : bytes_(std::make_unique_for_overwrite<std::byte[]>(size)), size_(size) {}

    [[nodiscard]] std::size_t size() const { return size_; }

    [[nodiscard]] std::span<std::byte> span() { return {bytes_.get(), size_}; }

    [[nodiscard]] std::span<const std::byte> span() const { return {bytes_.get(), size_}; }

private:
    std::unique_ptr<std::byte[]> bytes_;
    std::size_t size_ = 0;
};

}  // namespace openarchiver::archive
