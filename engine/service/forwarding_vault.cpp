#include "service/forwarding_vault.hpp"

namespace openarchiver::service {

namespace {

sdk::Error not_open() {
    return {.code = sdk::Errc::unavailable,
            .message = "the vault of rotated secrets can't be used while the archive is not open"};
}

}  // namespace

void ForwardingVault::attach(plugin::SecretVault* vault) {
    const std::lock_guard lock(mutex_);
    vault_ = vault;
}

sdk::Result<std::optional<std::string>> ForwardingVault::load(std::string_view name) {
    const std::lock_guard lock(mutex_);
    if (vault_ == nullptr) {
        return not_open();
    }
    return vault_->load(name);
}

sdk::Status ForwardingVault::store(std::string_view name, std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (vault_ == nullptr) {
        return not_open();
    }
    return vault_->store(name, bytes);
}

sdk::Result<std::string> ForwardingVault::seal(std::string_view bytes) {
    const std::lock_guard lock(mutex_);
    if (vault_ == nullptr) {
        return not_open();
    }
    return vault_->seal(bytes);
}

sdk::Result<std::string> ForwardingVault::open(std::string_view sealed) {
    const std::lock_guard lock(mutex_);
    if (vault_ == nullptr) {
        return not_open();
    }
    return vault_->open(sealed);
}

}  // namespace openarchiver::service
