#include "access/open_store.hpp"

#include <utility>

#include "storage/free_space_guard.hpp"
#include "storage/locking_store.hpp"
#include "storage/retrying_store.hpp"

namespace openarchiver::access {

sdk::Result<OpenStore> open_store(const Context& context, Purpose purpose,
                                  const std::stop_token& stop) {
    const auto& storage = context.profile.archive.storage;
    OPENARCHIVER_TRY(auto* const backend, context.plugins.storage_backend(storage.backend));
    plugin::PluginServices::Options options;
    options.owner = "storage";
    options.secrets = storage.secrets;
    options.clock = &context.clock;
    options.state_folder = context.profile.archive.catalog_path / "state" / "storage";
    options.profile_folder = context.profile.folder;
    OpenStore open;
    OPENARCHIVER_TRY(open.services, plugin::PluginServices::open(context.log, std::move(options)));
    OPENARCHIVER_TRY(open.store, storage::with_retries({}, stop, [&] {
                         return backend->open(storage.config_json, open.services->host(), stop);
                     }));
    open.store = std::make_unique<storage::RetryingStore>(std::move(open.store));
    if (purpose == Purpose::writing && open.store->capabilities().lock) {
        open.store = std::make_unique<storage::LockingStore>(std::move(open.store), context.clock);
    }
    if (purpose == Purpose::writing) {
        open.store = std::make_unique<storage::FreeSpaceGuard>(
            std::move(open.store), context.profile.archive.free_space_floor, context.clock);
    }
    return open;
}

}  // namespace openarchiver::access
