#include <boost/json.hpp>
#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/plugin.hpp>

#include "store.hpp"

namespace @IDENTIFIER@ {

namespace {

/// What a profile has as `config` of archive.storage. Mark secrets with "writeOnly": true; they are
/// not in the text that open() gets, but come from host.secrets.get("/NAME").
constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "root": {
      "type": "string", "x-order": 1,
      "title": "Folder", "description": "the folder that holds the objects"
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
        return sdk::without_exceptions("the @NAME@ storage backend", [&]() -> Opened {
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
        return {.id = "@NAME@", .version = "0.1.0", .title = "@NAME@"};
    }

    [[nodiscard]] sdk::StorageBackend* storage_backend() override { return &backend_; }

private:
    StorageBackend backend_;
};

}  // namespace

}  // namespace @IDENTIFIER@

OPENARCHIVER_PLUGIN(@IDENTIFIER@::Plugin);
