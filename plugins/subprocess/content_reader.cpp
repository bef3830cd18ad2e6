#include "content_reader.hpp"

#include <openarchiver/sdk/exceptions.hpp>

namespace openarchiver::subprocess {

sdk::Result<std::size_t> ContentReader::read(std::span<std::byte> buffer) {
    return sdk::without_exceptions("the subprocess provider",
                                   [&] { return lease_->read_content(buffer, stop_); });
}

}  // namespace openarchiver::subprocess
