#pragma once

#include <memory>
#include <openarchiver/sdk/storage.hpp>
#include <stop_token>

#include "storage/retry.hpp"

namespace openarchiver::storage {

/// Repeats what failed for a reason that passes (sdk::is_retryable), with growing, jittered delays
/// or after the time that the store asked for. A listing goes on behind the last object that was
/// reported, a read behind the last byte that was delivered. An if-absent put that is repeated can
/// find the object of its own first attempt: already_exists does not mean that somebody else was
/// first.
class RetryingStore final : public sdk::ObjectStore {
public:
    explicit RetryingStore(std::unique_ptr<sdk::ObjectStore> inner, RetryOptions options = {});

    [[nodiscard]] sdk::StorageCapabilities capabilities() const override;
    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                    std::stop_token stop) override;
    sdk::Status get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                    std::stop_token stop) override;
    sdk::Result<sdk::ObjectInfo> stat(std::string_view key, std::stop_token stop) override;
    sdk::Status list(std::string_view prefix, std::string_view start_after,
                     sdk::ObjectListSink& sink, std::stop_token stop) override;
    sdk::Status remove(std::string_view key, std::stop_token stop) override;
    sdk::Result<sdk::Capacity> capacity(std::stop_token stop) override;
    sdk::Status lock(std::string_view key, sdk::Timestamp until, std::stop_token stop) override;
    sdk::Status hold(std::string_view key, bool held, std::stop_token stop) override;
    sdk::Result<sdk::Protection> protection(std::string_view key, std::stop_token stop) override;

private:
    std::unique_ptr<sdk::ObjectStore> inner_;
    RetryOptions options_;
};

}  // namespace openarchiver::storage
