#include <algorithm>
#include <cstring>
#include <openarchiver/testkit/byte_streams.hpp>

namespace openarchiver::testkit {

Bytes bytes_of(std::string_view text) {
    const auto view = std::as_bytes(std::span(text));
    return {view.begin(), view.end()};
}

std::string_view text_of(const Bytes& bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

Bytes random_bytes(std::size_t size, std::uint64_t seed) {
    Bytes bytes(size);
    std::uint64_t state = seed * 2 + 1;
    for (std::size_t i = 0; i < size; i += sizeof state) {
        state ^= state << 13U;
        state ^= state >> 7U;
        state ^= state << 17U;
        std::memcpy(bytes.data() + i, &state, std::min(sizeof state, size - i));
    }
    return bytes;
}

sdk::Result<Bytes> read_all(sdk::ByteReader& reader, std::size_t piece) {
    Bytes bytes;
    Bytes buffer(piece);
    while (true) {
        OPENARCHIVER_TRY(const std::size_t count, reader.read(buffer));
        if (count == 0) {
            return bytes;
        }
        bytes.insert(bytes.end(), buffer.begin(),
                     buffer.begin() + static_cast<std::ptrdiff_t>(count));
    }
}

MemorySource& MemorySource::fail_at(std::size_t offset, sdk::Error error) {
    fail_offset_ = offset;
    failure_ = std::move(error);
    return *this;
}

MemorySource& MemorySource::announce(std::uint64_t size) {
    announced_ = size;
    return *this;
}

MemorySource& MemorySource::piece(std::size_t size) {
    piece_ = size;
    return *this;
}

MemorySource& MemorySource::on_read(std::function<void(std::size_t)> hook) {
    on_read_ = std::move(hook);
    return *this;
}

sdk::Result<std::size_t> MemorySource::read(std::span<std::byte> buffer) {
    if (on_read_) {
        on_read_(offset_);
    }
    if (failure_ && offset_ >= fail_offset_) {
        return *failure_;
    }
    const std::size_t end = std::min(bytes_.size(), fail_offset_);
    const std::size_t count = std::min({buffer.size(), piece_, end - offset_});
    std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset_), count, buffer.begin());
    offset_ += count;
    return count;
}

sdk::Status MemorySource::rewind() {
    offset_ = 0;
    return {};
}

CollectingSink& CollectingSink::on_write(std::function<sdk::Status(std::size_t)> hook) {
    on_write_ = std::move(hook);
    return *this;
}

sdk::Status CollectingSink::write(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    return on_write_ ? on_write_(bytes_.size()) : sdk::Status();
}

}  // namespace openarchiver::testkit
