#include "storage/free_space_guard.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>

namespace openarchiver::storage {

namespace {

// "120 MiB": rounded down, so that what is refused never looks like enough.
std::string readable(std::uint64_t bytes) {
    constexpr std::array<std::string_view, 5> kUnits{"bytes", "KiB", "MiB", "GiB", "TiB"};
    std::size_t unit = 0;
    std::uint64_t tenths = bytes * 10;
    for (; unit + 1 < kUnits.size() && tenths >= 10240; ++unit) {
        tenths /= 1024;
    }
    std::string text = std::to_string(tenths / 10);
    if (tenths < 100 && tenths % 10 != 0) {
        text += "." + std::to_string(tenths % 10);
    }
    return text + " " + std::string(kUnits[unit]);
}

}  // namespace

FreeSpaceGuard::FreeSpaceGuard(std::unique_ptr<sdk::ObjectStore> inner, std::uint64_t floor,
                               sdk::Clock& clock, std::string guarded_prefix)
    : ForwardingStore(std::move(inner)),
      floor_(floor),
      clock_(clock),
      guarded_prefix_(std::move(guarded_prefix)) {}

std::optional<std::uint64_t> FreeSpaceGuard::free_bytes(std::stop_token stop) {
    if (!can_tell_) {
        return std::nullopt;
    }
    const auto now = clock_.steady_now();
    if (!asked_at_ || now - *asked_at_ >= kAskEvery || written_since_ >= kAskAfterBytes) {
        const sdk::Result<sdk::Capacity> capacity = inner().capacity(std::move(stop));
        can_tell_ = capacity || capacity.error().code != sdk::Errc::unsupported;
        told_.reset();
        if (capacity) {
            told_ = capacity->free_bytes;
        }
        asked_at_ = now;
        written_since_ = 0;
    }
    if (!told_) {
        return std::nullopt;
    }
    return *told_ > written_since_ ? *told_ - written_since_ : 0;
}

sdk::Status FreeSpaceGuard::reserve(std::uint64_t size, std::stop_token stop) {
    const std::lock_guard lock(mutex_);
    const auto free = free_bytes(std::move(stop));
    if (free && (*free < size || *free - size < floor_)) {
        return sdk::Error{
            .code = sdk::Errc::resource_exhausted,
            .message = "only " + readable(*free) + " free on the archive's storage, the floor is " +
                       readable(floor_) + ": free space or lower archive.free_space_floor"};
    }
    written_since_ += size;
    return {};
}

sdk::Status FreeSpaceGuard::put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                                std::stop_token stop) {
    if (key.starts_with(guarded_prefix_)) {
        OPENARCHIVER_CHECK(reserve(source.size(), stop));
    }
    return inner().put(key, source, mode, std::move(stop));
}

}  // namespace openarchiver::storage
