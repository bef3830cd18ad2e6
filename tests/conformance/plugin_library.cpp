#include "plugin_library.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <cstring>
#include <iostream>
#include <map>
#include <memory>
#include <mutex>

namespace openarchiver::tests {

namespace {

[[noreturn]] void give_up(const std::string& message) {
    std::cerr << message << std::endl;
    std::abort();
}

std::unique_ptr<sdk::Plugin> load(const std::string& name) {
    const std::string path = std::string(OPENARCHIVER_PLUGIN_FOLDER) + "/" + name + ".so";
    void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
        give_up(::dlerror());
    }
    const auto* const stamp =
        static_cast<const sdk::AbiStamp*>(::dlsym(library, "openarchiver_abi_stamp"));
    void* const factory = ::dlsym(library, "openarchiver_create_plugin");
    constexpr sdk::AbiStamp kOwn = sdk::make_abi_stamp();
    if (stamp == nullptr || factory == nullptr || stamp->magic != kOwn.magic ||
        stamp->abi_epoch != kOwn.abi_epoch ||
        std::memcmp(stamp->fingerprint, kOwn.fingerprint, sizeof kOwn.fingerprint) != 0) {
        give_up(path + " is no plugin of this build");
    }
    return std::unique_ptr<sdk::Plugin>(reinterpret_cast<sdk::Plugin* (*)()>(factory)());
}

}  // namespace

sdk::Plugin& built_plugin(const std::string& name) {
    static std::mutex mutex;
    static std::map<std::string, std::unique_ptr<sdk::Plugin>> plugins;
    const std::lock_guard lock(mutex);
    std::unique_ptr<sdk::Plugin>& plugin = plugins[name];
    if (!plugin) {
        plugin = load(name);
    }
    return *plugin;
}

}  // namespace openarchiver::tests
