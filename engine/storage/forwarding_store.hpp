#pragma once

#include <memory>
#include <openarchiver/sdk/storage.hpp>
#include <stop_token>
#include <utility>

namespace openarchiver::storage {

/// Hands every call on: what a decorator begins with that cares for few of them. A call that a
/// decorator did not hand on would be one that the store seems not to have.
class ForwardingStore : public sdk::ObjectStore {
public:
    explicit ForwardingStore(std::unique_ptr<sdk::ObjectStore> inner) : inner_(std::move(inner)) {}

    [[nodiscard]] sdk::StorageCapabilities capabilities() const override {
        return inner_->capabilities();
    }

    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                    std::stop_token stop) override {
        return inner_->put(key, source, mode, std::move(stop));
    }

    sdk::Status get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                    std::stop_token stop) override {
        return inner_->get(key, range, sink, std::move(stop));
    }

    sdk::Result<sdk::ObjectInfo> stat(std::string_view key, std::stop_token stop) override {
        return inner_->stat(key, std::move(stop));
    }

    sdk::Status list(std::string_view prefix, std::string_view start_after,
                     sdk::ObjectListSink& sink, std::stop_token stop) override {
        return inner_->list(prefix, start_after, sink, std::move(stop));
    }

    sdk::Status remove(std::string_view key, std::stop_token stop) override {
        return inner_->remove(key, std::move(stop));
    }

    sdk::Result<sdk::Capacity> capacity(std::stop_token stop) override {
        return inner_->capacity(std::move(stop));
    }

    sdk::Status lock(std::string_view key, sdk::Timestamp until, std::stop_token stop) override {
        return inner_->lock(key, until, std::move(stop));
    }

    sdk::Status hold(std::string_view key, bool held, std::stop_token stop) override {
        return inner_->hold(key, held, std::move(stop));
    }

    sdk::Result<sdk::Protection> protection(std::string_view key, std::stop_token stop) override {
        return inner_->protection(key, std::move(stop));
    }

protected:
    [[nodiscard]] sdk::ObjectStore& inner() { return *inner_; }

private:
    std::unique_ptr<sdk::ObjectStore> inner_;
};

}  // namespace openarchiver::storage
