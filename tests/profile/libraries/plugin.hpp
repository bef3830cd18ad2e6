#pragma once

#include <memory>
#include <openarchiver/sdk/plugin.hpp>
#include <string_view>

/// Plugins that have a configuration schema and open nothing.
template <typename Entry, typename Opened, typename... More>
class SchemaOnly final : public Entry {
public:
    explicit SchemaOnly(std::string_view schema) : schema_(schema) {}

    [[nodiscard]] std::string_view config_schema() const override { return schema_; }

    openarchiver::sdk::Result<std::unique_ptr<Opened>> open(std::string_view,
                                                            const openarchiver::sdk::HostServices&,
                                                            More...) override {
        return openarchiver::sdk::Error{openarchiver::sdk::Errc::unsupported, "opens nothing"};
    }

private:
    std::string_view schema_;
};

using SchemaProvider = SchemaOnly<openarchiver::sdk::Provider, openarchiver::sdk::ProviderSession>;
using SchemaBackend =
    SchemaOnly<openarchiver::sdk::StorageBackend, openarchiver::sdk::ObjectStore, std::stop_token>;
