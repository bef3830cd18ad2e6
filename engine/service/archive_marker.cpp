#include "service/archive_marker.hpp"

#include <utility>

namespace openarchiver::service {

sdk::Result<archive::Archive::Marker> read_archive_marker(const access::Context& context,
                                                          std::stop_token stop) {
    const profile::Storage& storage = context.profile.archive.storage;
    OPENARCHIVER_TRY(auto* const backend, context.plugins.storage_backend(storage.backend));
    plugin::PluginServices::Options options;
    options.owner = "storage";
    options.secrets = storage.secrets;
    options.clock = &context.clock;
    options.state_folder = context.profile.archive.catalog_path / "state" / "storage";
    options.profile_folder = context.profile.folder;
    OPENARCHIVER_TRY(const auto services,
                     plugin::PluginServices::open(context.log, std::move(options)));
    OPENARCHIVER_TRY(const auto store, backend->open(storage.config_json, services->host()));
    return archive::Archive::read_marker(*store, std::move(stop));
}

}  // namespace openarchiver::service
