#include <stdexcept>

#include "sample.hpp"

class ThrowingSchema final : public openarchiver::sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override {
        throw std::runtime_error("no schema today");
    }

    openarchiver::sdk::Result<std::unique_ptr<openarchiver::sdk::ProviderSession>> open(
        std::string_view, const openarchiver::sdk::HostServices&) override {
        return openarchiver::sdk::Error{openarchiver::sdk::Errc::unsupported, ""};
    }
};

class ThrowingSchemaPlugin final : public SamplePlugin {
public:
    [[nodiscard]] openarchiver::sdk::Provider* provider() override { return &schema_; }

private:
    ThrowingSchema schema_;
};

OPENARCHIVER_PLUGIN(ThrowingSchemaPlugin);
