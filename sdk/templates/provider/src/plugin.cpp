#include <boost/json.hpp>
#include <filesystem>
#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/plugin.hpp>

#include "session.hpp"

namespace @IDENTIFIER@ {

namespace {

/// What a profile has as `config` of a source. Mark secrets with "writeOnly": true; they are not in
/// the text that open() gets, but come from host.secrets.get("/NAME").
constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "root": {
      "type": "string", "x-order": 1,
      "title": "Folder", "description": "the folder in which the service keeps its files"
    }
  },
  "required": ["root"],
  "additionalProperties": false
})";

class Provider final : public sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override { return kSchema; }

    // No network and no files here: the engine opens sessions to look at them, too.
    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open(
        std::string_view config_json, const sdk::HostServices& host) override {
        using Opened = sdk::Result<std::unique_ptr<sdk::ProviderSession>>;
        return sdk::without_exceptions("the @NAME@ provider", [&]() -> Opened {
            const boost::json::value config =
                boost::json::parse({config_json.data(), config_json.size()});
            const auto root = boost::json::value_to<std::string>(config.at("root"));
            return std::make_unique<Session>(Service(host.profile_folder / root));
        });
    }
};

class Plugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "@NAME@", .version = "0.1.0", .title = "@NAME@"};
    }

    [[nodiscard]] sdk::Provider* provider() override { return &provider_; }

private:
    Provider provider_;
};

}  // namespace

}  // namespace @IDENTIFIER@

OPENARCHIVER_PLUGIN(@IDENTIFIER@::Plugin);
