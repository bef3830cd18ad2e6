#pragma once

#include <cstddef>
#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <span>

/// Streams of bytes across the plugin boundary. An object is used by one thread at a time.
namespace openarchiver::sdk {

/// Bytes that can be read once, in order.
class ByteReader {
public:
    ByteReader() = default;
    ByteReader(const ByteReader&) = delete;
    ByteReader& operator=(const ByteReader&) = delete;
    virtual ~ByteReader();

    /// Fills the front of `buffer` (not empty) and returns how many bytes it wrote; 0 means that
    /// the end was reached *and is known to be the real end*: a body that was cut short is
    /// Errc::unavailable, never 0. After an error the reader is spent.
    virtual Result<std::size_t> read(std::span<std::byte> buffer) = 0;
};

/// Bytes of known length that can be read more than once: what a storage backend is given to put.
class ByteSource : public ByteReader {
public:
    ByteSource() = default;
    ~ByteSource() override;

    [[nodiscard]] virtual std::uint64_t size() const = 0;

    /// The next read() starts at the first byte again.
    virtual Status rewind() = 0;
};

/// Takes bytes in order.
class ByteSink {
public:
    ByteSink() = default;
    ByteSink(const ByteSink&) = delete;
    ByteSink& operator=(const ByteSink&) = delete;
    virtual ~ByteSink();

    /// An error ends the transfer: the caller stops and returns it.
    virtual Status write(std::span<const std::byte> bytes) = 0;
};

}  // namespace openarchiver::sdk
