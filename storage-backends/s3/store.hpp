#pragma once

#include <atomic>
#include <memory>
#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "client.hpp"
#include "documents.hpp"

namespace openarchiver::s3 {

template <typename Body>
auto guarded(Body body) noexcept {
    return sdk::without_exceptions("the s3 storage backend", std::move(body));
}

/// Objects are objects of a bucket, below the prefix; each put is one PUT. In a bucket with
/// versions an object has one version: what is replaced or removed goes for good.
class Store final : public sdk::ObjectStore {
public:
    /// Checks that the bucket can be listed and is made for what the settings ask of it, and finds
    /// out whether the store keeps to If-None-Match.
    static sdk::Result<std::unique_ptr<sdk::ObjectStore>> open(Settings settings,
                                                               const sdk::HostServices& host,
                                                               const std::stop_token& stop);

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
    Store(Settings settings, const sdk::HostServices& host) : client_(std::move(settings), host) {}

    sdk::Status check_bucket(const std::stop_token& stop);
    sdk::Status check_versions(const std::stop_token& stop);
    sdk::Status check_object_lock(const std::stop_token& stop);
    sdk::Status probe_if_absent(const std::stop_token& stop);
    [[nodiscard]] std::string object_of(std::string_view key) const;
    sdk::Status check_stored(std::string_view key, std::string_view etag,
                             const std::string& payload_sha256, const std::stop_token& stop);

    sdk::Status read(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                     const std::stop_token& stop);
    sdk::Result<sdk::ObjectInfo> look(std::string_view key, const std::stop_token& stop);
    sdk::Result<bool> is_there(std::string_view key, const std::stop_token& stop);
    sdk::Status put_in_turn(std::string_view key, std::string_view version,
                            const std::stop_token& stop);
    sdk::Result<std::vector<Version>> versions_of(std::string_view key,
                                                  const std::stop_token& stop);
    sdk::Status remove_version(std::string_view key, const std::string& version,
                               const std::stop_token& stop);
    sdk::Status remove_older(std::string_view key, std::string_view version,
                             const std::stop_token& stop);

    struct Kept {
        std::string mode;  ///< empty: none
        std::optional<sdk::Timestamp> locked_until;
        bool held = false;
    };

    sdk::Result<Kept> kept_of(std::string_view key, const std::stop_token& stop);
    sdk::Status put_document(const std::string& action, std::string_view key,
                             const std::string& resource, const std::string& text,
                             const std::stop_token& stop);
    [[nodiscard]] std::string_view lock_mode() const;

    Client client_;
    /// The bucket keeps what is replaced or removed, unless that is removed by its version.
    bool versions_ = false;
    /// Whether the store keeps to If-None-Match.
    bool if_absent_ = true;
    /// False once a store was seen whose tag of an object is something else.
    std::atomic<bool> etag_is_md5_ = true;
};

}  // namespace openarchiver::s3
