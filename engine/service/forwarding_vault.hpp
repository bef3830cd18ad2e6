#pragma once

#include <mutex>

#include "plugin/secrets.hpp"

namespace openarchiver::service {

/// The archive's vault of rotated secrets, for sessions that outlive one opening of the archive:
/// they are opened before it and kept when it is opened anew.
class ForwardingVault final : public plugin::SecretVault {
public:
    /// Null: the archive is not open.
    void attach(plugin::SecretVault* vault);

    sdk::Result<std::optional<std::string>> load(std::string_view name) override;
    sdk::Status store(std::string_view name, std::string_view bytes) override;
    sdk::Result<std::string> seal(std::string_view bytes) override;
    sdk::Result<std::string> open(std::string_view sealed) override;

private:
    std::mutex mutex_;  // guards vault_, also while it is used
    plugin::SecretVault* vault_ = nullptr;
};

}  // namespace openarchiver::service
