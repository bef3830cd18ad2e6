#include <boost/json.hpp>
#include <openarchiver/sdk/plugin.hpp>

#include "generator.hpp"

namespace openarchiver::bench {

namespace {

class Provider final : public sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override {
        return R"({"type": "object", "properties": {
            "items": {"type": "integer", "title": "Messages"},
            "size": {"type": "integer", "title": "Bytes of each"}}, "required": ["items", "size"]})";
    }

    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open(std::string_view config_json,
                                                            const sdk::HostServices&) override {
        const boost::json::value config =
            boost::json::parse({config_json.data(), config_json.size()});
        return std::make_unique<GeneratingSession>(config.at("items").to_number<std::uint64_t>(),
                                                   config.at("size").to_number<std::size_t>());
    }
};

class Plugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "generator", .version = "1", .title = "Generated messages"};
    }

    [[nodiscard]] sdk::Provider* provider() override { return &provider_; }

private:
    Provider provider_;
};

}  // namespace

}  // namespace openarchiver::bench

OPENARCHIVER_PLUGIN(openarchiver::bench::Plugin);
