#include "sample.hpp"

class SampleBackend final : public openarchiver::sdk::StorageBackend {
public:
    [[nodiscard]] std::string_view config_schema() const override { return "{}"; }

    openarchiver::sdk::Result<std::unique_ptr<openarchiver::sdk::ObjectStore>> open(
        std::string_view, const openarchiver::sdk::HostServices&, std::stop_token) override {
        return openarchiver::sdk::Error{openarchiver::sdk::Errc::unsupported, ""};
    }
};

class Both final : public SamplePlugin {
public:
    [[nodiscard]] openarchiver::sdk::StorageBackend* storage_backend() override {
        return &backend_;
    }

private:
    SampleBackend backend_;
};

OPENARCHIVER_PLUGIN(Both);
