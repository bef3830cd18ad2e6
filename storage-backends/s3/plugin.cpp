#include <openarchiver/sdk/plugin.hpp>

#include "store.hpp"

namespace openarchiver::s3 {

namespace {

class Backend final : public sdk::StorageBackend {
public:
    [[nodiscard]] std::string_view config_schema() const override { return s3::config_schema(); }

    sdk::Result<std::unique_ptr<sdk::ObjectStore>> open(std::string_view config_json,
                                                        const sdk::HostServices& host,
                                                        std::stop_token stop) override {
        return guarded([&]() -> sdk::Result<std::unique_ptr<sdk::ObjectStore>> {
            OPENARCHIVER_TRY(Settings settings, parse_settings(config_json, host.profile_folder));
            return Store::open(std::move(settings), host, stop);
        });
    }
};

class S3Plugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "s3", .version = OPENARCHIVER_SDK_VERSION, .title = "S3"};
    }

    [[nodiscard]] sdk::StorageBackend* storage_backend() override { return &backend_; }

private:
    Backend backend_;
};

}  // namespace

}  // namespace openarchiver::s3

OPENARCHIVER_PLUGIN(openarchiver::s3::S3Plugin);
