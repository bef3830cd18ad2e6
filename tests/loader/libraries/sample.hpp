#pragma once

#include <memory>
#include <openarchiver/sdk/plugin.hpp>
#include <string_view>
#include <utility>

/// What the bad libraries are good at, so that each of them is wrong in one way only.
class SampleProvider final : public openarchiver::sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override { return R"({"type":"object"})"; }

    openarchiver::sdk::Result<std::unique_ptr<openarchiver::sdk::ProviderSession>> open(
        std::string_view, const openarchiver::sdk::HostServices&) override {
        return openarchiver::sdk::Error{openarchiver::sdk::Errc::unsupported,
                                        "the sample opens nothing"};
    }
};

class SamplePlugin : public openarchiver::sdk::Plugin {
public:
    [[nodiscard]] openarchiver::sdk::PluginInfo info() const override {
        return {"sample", "1.2.3", "Sample"};
    }

    [[nodiscard]] openarchiver::sdk::Provider* provider() override { return &provider_; }

private:
    SampleProvider provider_;
};

/// A stamp of one's own beside the usual factory.
#define SAMPLE_WITH_STAMP(make_stamp)                                               \
    OPENARCHIVER_EXPORT const ::openarchiver::sdk::AbiStamp openarchiver_abi_stamp; \
    const ::openarchiver::sdk::AbiStamp openarchiver_abi_stamp = (make_stamp);      \
    OPENARCHIVER_EXPORT ::openarchiver::sdk::Plugin* openarchiver_create_plugin() { \
        return std::make_unique<SamplePlugin>().release();                          \
    }                                                                               \
    static_assert(true, "require a semicolon")

/// The usual stamp beside a factory of one's own.
#define SAMPLE_STAMP                                                                \
    OPENARCHIVER_EXPORT const ::openarchiver::sdk::AbiStamp openarchiver_abi_stamp; \
    const ::openarchiver::sdk::AbiStamp openarchiver_abi_stamp =                    \
        ::openarchiver::sdk::make_abi_stamp()
