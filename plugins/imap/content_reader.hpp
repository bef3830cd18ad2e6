#pragma once

#include <openarchiver/sdk/bytes.hpp>
#include <stop_token>

#include "account.hpp"

namespace openarchiver::imap {

/// The bytes of a message, as they come from the connection that it has for itself.
class ContentReader final : public sdk::ByteReader {
public:
    ContentReader(Account::Lease lease, std::stop_token stop)
        : lease_(std::move(lease)), stop_(std::move(stop)) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        return lease_->read_content(buffer, stop_);
    }

private:
    Account::Lease lease_;
    const std::stop_token stop_;
};

}  // namespace openarchiver::imap
