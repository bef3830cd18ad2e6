// A storage backend that breaks the contract in the way that its configuration names.
#include <array>
#include <stdexcept>
#include <string>

#include "sample.hpp"

namespace {

namespace sdk = openarchiver::sdk;

class Store final : public sdk::ObjectStore {
public:
    explicit Store(std::string_view fault) : fault_(fault) {}

    [[nodiscard]] sdk::StorageCapabilities capabilities() const override {
        fail_if("throws");
        return {true, 1, 0};
    }

    sdk::Status put(std::string_view, sdk::ByteSource& source, sdk::PutMode,
                    std::stop_token) override {
        fail_if("throws");
        std::array<std::byte, 4> buffer{};
        const int reads = fault_ == "partial" ? 1 : 100;
        for (int i = 0; i < reads; ++i) {
            const auto read = source.read(buffer);
            if (!read || *read == 0) {
                break;  // takes an error for the end
            }
        }
        return {};
    }

    sdk::Status get(std::string_view, const sdk::Range&, sdk::ByteSink& sink,
                    std::stop_token) override {
        fail_if("throws");
        const std::array<std::byte, 8> bytes{};
        for (int i = 0; i < 2; ++i) {
            static_cast<void>(sink.write(bytes).has_value());
        }
        return {};
    }

    sdk::Result<sdk::ObjectInfo> stat(std::string_view, std::stop_token) override {
        fail_if("throws");
        return sdk::Error{sdk::Errc::not_found, "nothing here"};
    }

    sdk::Status list(std::string_view, std::string_view, sdk::ObjectListSink& sink,
                     std::stop_token) override {
        fail_if("throws");
        for (int i = 0; i < 3; ++i) {
            sink.object({"key-" + std::to_string(i), 1, {}});
        }
        return {};
    }

    sdk::Status remove(std::string_view, std::stop_token) override {
        fail_if("throws");
        return {};
    }

    sdk::Result<sdk::Capacity> capacity(std::stop_token) override {
        fail_if("throws");
        return sdk::Capacity{1, 2};
    }

private:
    void fail_if(std::string_view fault) const {
        if (fault_ == fault) {
            throw std::runtime_error("the plugin's own trouble");
        }
    }

    std::string fault_;
};

class Backend final : public sdk::StorageBackend {
public:
    [[nodiscard]] std::string_view config_schema() const override { return "{}"; }

    sdk::Result<std::unique_ptr<sdk::ObjectStore>> open(std::string_view fault,
                                                        const sdk::HostServices&,
                                                        std::stop_token) override {
        return std::make_unique<Store>(fault);
    }
};

class Misbehaving final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {"misbehaving", "1", "Misbehaving"};
    }

    [[nodiscard]] sdk::StorageBackend* storage_backend() override { return &backend_; }

private:
    Backend backend_;
};

}  // namespace

OPENARCHIVER_PLUGIN(Misbehaving);
