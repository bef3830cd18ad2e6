#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <openarchiver/sdk/storage.hpp>
#include <stop_token>

namespace openarchiver::storage {

/// How often and how far apart a store is asked again.
struct RetryOptions {
    unsigned tries = 5;
    std::chrono::milliseconds first_delay{200};
    std::chrono::milliseconds longest_delay{10'000};
    /// A store that asks for more patience than this is not waited for.
    std::chrono::milliseconds longest_retry_after{120'000};
};

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

private:
    /// Waits before try number `next`; false: give up and return `error`.
    [[nodiscard]] bool wait(unsigned next, const sdk::Error& error, std::stop_token stop) const;

    template <typename Call>
    auto repeat(const std::stop_token& stop, const Call& call) const;

    std::unique_ptr<sdk::ObjectStore> inner_;
    RetryOptions options_;
};

}  // namespace openarchiver::storage
