#include "content_reader.hpp"

#include <unistd.h>

namespace openarchiver::mailfiles {

sdk::Result<std::unique_ptr<sdk::ByteReader>> ContentReader::open(FileDescriptor file,
                                                                  sdk::Metrics& metrics) {
    OPENARCHIVER_TRY(const struct stat status, status_of(file));
    return std::make_unique<ContentReader>(std::move(file), status, metrics);
}

sdk::Result<std::size_t> ContentReader::read(std::span<std::byte> buffer) {
    ssize_t count = 0;
    do {
        count = ::read(file_.get(), buffer.data(), buffer.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0) {
        return read_failure(errno);
    }
    read_ += static_cast<std::uint64_t>(count);
    struct stat status{};
    const bool ended = count == 0;
    const bool changed =
        read_ > size_ || (ended && (read_ != size_ || ::fstat(file_.get(), &status) != 0 ||
                                    mailfiles::modified_ns(status) != modified_ns_));
    if (changed) {
        return sdk::Error{.code = sdk::Errc::unavailable,
                          .message = "the file of an item was changed while it was read"};
    }
    metrics_.add("bytes_downloaded", static_cast<std::uint64_t>(count));
    return static_cast<std::size_t>(count);
}

}  // namespace openarchiver::mailfiles
