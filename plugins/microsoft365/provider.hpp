#pragma once

#include <memory>
#include <openarchiver/sdk/provider.hpp>
#include <string_view>

namespace openarchiver::microsoft365 {

class Microsoft365Provider final : public sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override;
    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open(std::string_view config_json,
                                                            const sdk::HostServices& host) override;
};

}  // namespace openarchiver::microsoft365
