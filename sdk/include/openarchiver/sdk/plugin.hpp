#pragma once

#include <memory>
#include <openarchiver/sdk/abi.hpp>
#include <openarchiver/sdk/provider.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <string>

/// The entry of a plugin library: one Plugin, exported by OPENARCHIVER_PLUGIN in one source file.
namespace openarchiver::sdk {

struct PluginInfo {
    /// What profiles call it: `[a-z0-9-]+`, unique among the loaded plugins of its kind.
    std::string id;
    std::string version;
    /// For people: "Microsoft 365".
    std::string title;
};

/// A plugin is of one kind: exactly one of provider() and storage_backend() is not null. The object
/// lives until the process ends; libraries are never unloaded.
class Plugin {
public:
    Plugin() = default;
    Plugin(const Plugin&) = delete;
    Plugin& operator=(const Plugin&) = delete;
    virtual ~Plugin();

    [[nodiscard]] virtual PluginInfo info() const = 0;

    [[nodiscard]] virtual Provider* provider() { return nullptr; }

    [[nodiscard]] virtual StorageBackend* storage_backend() { return nullptr; }
};

}  // namespace openarchiver::sdk

#define OPENARCHIVER_EXPORT extern "C" __attribute__((visibility("default")))

/// Exports the stamp and the factory of `PluginType` (default-constructible, derived from Plugin).
/// The host owns the returned object.
#define OPENARCHIVER_PLUGIN(PluginType)                                             \
    OPENARCHIVER_EXPORT const ::openarchiver::sdk::AbiStamp openarchiver_abi_stamp; \
    const ::openarchiver::sdk::AbiStamp openarchiver_abi_stamp =                    \
        ::openarchiver::sdk::make_abi_stamp();                                      \
    OPENARCHIVER_EXPORT ::openarchiver::sdk::Plugin* openarchiver_create_plugin() { \
        return std::make_unique<PluginType>().release();                            \
    }                                                                               \
    static_assert(true, "require a semicolon")
