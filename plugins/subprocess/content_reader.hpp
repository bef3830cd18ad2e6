#pragma once

#include <openarchiver/sdk/bytes.hpp>
#include <stop_token>

#include "program_pool.hpp"

namespace openarchiver::subprocess {

/// A content, as it comes from the program that it has for itself.
class ContentReader final : public sdk::ByteReader {
public:
    ContentReader(ProgramPool::Lease lease, std::stop_token stop)
        : lease_(std::move(lease)), stop_(std::move(stop)) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override;

private:
    ProgramPool::Lease lease_;
    const std::stop_token stop_;
};

}  // namespace openarchiver::subprocess
