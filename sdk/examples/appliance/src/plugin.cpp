#include <boost/json.hpp>
#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/plugin.hpp>

#include "store.hpp"

namespace appliance {

namespace {

constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "root": {
      "type": "string", "x-order": 1,
      "title": "Folder", "description": "where the appliance is mounted"
    }
  },
  "required": ["root"],
  "additionalProperties": false
})";

class StorageBackend final : public sdk::StorageBackend {
public:
    [[nodiscard]] std::string_view config_schema() const override { return kSchema; }

    sdk::Result<std::unique_ptr<sdk::ObjectStore>> open(std::string_view config_json,
                                                        const sdk::HostServices& host,
                                                        std::stop_token) override {
        using Opened = sdk::Result<std::unique_ptr<sdk::ObjectStore>>;
        return sdk::without_exceptions("the appliance storage backend", [&]() -> Opened {
            const boost::json::value config =
                boost::json::parse({config_json.data(), config_json.size()});
            const auto root = boost::json::value_to<std::string>(config.at("root"));
            auto store = std::make_unique<Store>(host.profile_folder / root);
            OPENARCHIVER_CHECK(store->prepare());
            return store;
        });
    }
};

class Plugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "appliance", .version = "0.1.0", .title = "Write-once appliance"};
    }

    [[nodiscard]] sdk::StorageBackend* storage_backend() override { return &backend_; }

private:
    StorageBackend backend_;
};

}  // namespace

}  // namespace appliance

OPENARCHIVER_PLUGIN(appliance::Plugin);
