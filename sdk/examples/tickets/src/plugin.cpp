#include <boost/json.hpp>
#include <filesystem>
#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/plugin.hpp>

#include "session.hpp"

namespace tickets {

namespace {

constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "database": {
      "type": "string", "x-order": 1,
      "title": "Database", "description": "the ticket system's SQLite database"
    },
    "notification_secret": {
      "type": "string", "writeOnly": true, "x-order": 2,
      "title": "Notification Secret",
      "description": "what the ticket system sends as X-Tickets-Secret when it tells of news"
    }
  },
  "required": ["database"],
  "additionalProperties": false
})";

class Provider final : public sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override { return kSchema; }

    // No network and no files here: the engine opens sessions to look at them, too.
    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open(
        std::string_view config_json, const sdk::HostServices& host) override {
        using Opened = sdk::Result<std::unique_ptr<sdk::ProviderSession>>;
        return sdk::without_exceptions("the tickets provider", [&]() -> Opened {
            const boost::json::value config =
                boost::json::parse({config_json.data(), config_json.size()});
            const auto file = boost::json::value_to<std::string>(config.at("database"));
            return std::make_unique<Session>(host.profile_folder / file, host);
        });
    }
};

class Plugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "tickets", .version = "0.1.0", .title = "Tickets"};
    }

    [[nodiscard]] sdk::Provider* provider() override { return &provider_; }

private:
    Provider provider_;
};

}  // namespace

}  // namespace tickets

OPENARCHIVER_PLUGIN(tickets::Plugin);
