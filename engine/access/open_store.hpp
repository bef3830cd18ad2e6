#pragma once

#include <cstdint>
#include <memory>
#include <openarchiver/sdk/storage.hpp>
#include <stop_token>

#include "access/access.hpp"

namespace openarchiver::access {

struct OpenStore {
    /// Outlives the store.
    std::unique_ptr<plugin::PluginServices> services;
    std::unique_ptr<sdk::ObjectStore> store;
};

enum class Purpose : std::uint8_t { reading, writing };

/// The profile's store behind the engine's decorators. Opening it is repeated as its calls are.
sdk::Result<OpenStore> open_store(const Context& context, Purpose purpose,
                                  const std::stop_token& stop);

}  // namespace openarchiver::access
