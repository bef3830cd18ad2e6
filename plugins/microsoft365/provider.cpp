#include "provider.hpp"

#include "failure.hpp"
#include "session.hpp"
#include "settings.hpp"

namespace openarchiver::microsoft365 {

std::string_view Microsoft365Provider::config_schema() const {
    return microsoft365::config_schema();
}

sdk::Result<std::unique_ptr<sdk::ProviderSession>> Microsoft365Provider::open(
    std::string_view config_json, const sdk::HostServices& host) {
    try {
        OPENARCHIVER_TRY(Settings settings, parse_settings(config_json, host.profile_folder));
        return std::make_unique<Session>(std::move(settings), host);
    } catch (const std::exception& exception) {
        return failure(sdk::Errc::internal,
                       std::string("a defect of the plugin microsoft365: ") + exception.what());
    }
}

}  // namespace openarchiver::microsoft365
