#include <dlfcn.h>

#include <cstring>
#include <openarchiver/testkit/plugin_checks.hpp>
#include <openarchiver/testkit/storage_checks.hpp>
#include <stdexcept>
#include <utility>

namespace openarchiver::testkit {

namespace {

class Anything final : public sdk::ObjectListSink {
public:
    bool object(const sdk::ObjectInfo& info) override {
        key = info.key;
        return false;
    }

    std::string key;
};

std::vector<std::string> ids_of(const FixtureProgram& fixture, std::string_view kind) {
    const auto found = fixture.unknown().find(kind);
    return found == fixture.unknown().end() ? std::vector<std::string>{"no-such-id"}
                                            : found->second;
}

}  // namespace

sdk::Result<sdk::Plugin*> load_plugin(const std::filesystem::path& library) {
    const auto refuse = [&](const std::string& why) {
        return sdk::Error{.code = sdk::Errc::invalid_config,
                          .message = "the plugin " + library.string() + " can't be used: " + why};
    };
    void* const loaded =
        ::dlopen(std::filesystem::absolute(library).c_str(), RTLD_NOW | RTLD_LOCAL);
    if (loaded == nullptr) {
        return refuse(::dlerror());
    }
    const auto* const stamp =
        static_cast<const sdk::AbiStamp*>(::dlsym(loaded, "openarchiver_abi_stamp"));
    void* const factory = ::dlsym(loaded, "openarchiver_create_plugin");
    if (stamp == nullptr || factory == nullptr) {
        return refuse("it does not export OPENARCHIVER_PLUGIN(...)");
    }
    const sdk::AbiStamp own = sdk::make_abi_stamp();
    if (stamp->magic != own.magic || stamp->abi_epoch != own.abi_epoch ||
        std::memcmp(stamp->fingerprint, own.fingerprint, sizeof own.fingerprint) != 0) {
        return refuse("it was built with another SDK or C++ library; rebuild it");
    }
    sdk::Plugin* const plugin = reinterpret_cast<sdk::Plugin* (*)()>(factory)();
    if (plugin == nullptr) {
        return refuse("its factory returned no plugin");
    }
    return plugin;
}

PluginUnderTest::PluginUnderTest(sdk::Plugin& plugin, std::unique_ptr<FixtureProgram> fixture,
                                 const PluginConfiguration& configuration)
    : plugin_(plugin),
      fixture_(std::move(fixture)),
      configuration_(configuration),
      host_(configuration.secrets) {}

sdk::Result<std::unique_ptr<PluginUnderTest>> PluginUnderTest::open(
    sdk::Plugin& plugin, const std::string& fixture, const PluginConfiguration& configuration) {
    std::unique_ptr<FixtureProgram> program;
    PluginConfiguration merged = configuration;
    if (!fixture.empty()) {
        OPENARCHIVER_TRY(program, FixtureProgram::start(fixture));
        if (!program->config().empty()) {
            merged.config_json = program->config();
            merged.secrets = program->secrets();
        }
    }
    return std::unique_ptr<PluginUnderTest>(
        new PluginUnderTest(plugin, std::move(program), merged));
}

ProviderFixture PluginUnderTest::provider_fixture() {
    const auto services = [this] {
        sdk::HostServices host = host_.services();
        if (!configuration_.profile_folder.empty()) {
            host.profile_folder = configuration_.profile_folder;
        }
        return host;
    };
    ProviderFixture fixture{.open = [this, services] {
        return plugin_.provider()->open(configuration_.config_json, services());
    }};
    fixture.logger = &host_.logger;
    fixture.secrets = host_.secrets.all_values();
    if (fixture_ != nullptr) {
        for (const FixtureProgram::Change& change : fixture_->changes()) {
            fixture.changes.push_back({change.name, change.effect, [this, name = change.name] {
                                           if (const auto done = fixture_->apply(name); !done) {
                                               throw std::runtime_error(done.error().message);
                                           }
                                       }});
        }
        fixture.unknown_items = ids_of(*fixture_, "item");
        fixture.unknown_folders = ids_of(*fixture_, "folder");
        fixture.unknown_accounts = ids_of(*fixture_, "account");
    }
    return fixture;
}

sdk::Result<std::unique_ptr<sdk::ObjectStore>> PluginUnderTest::open_store() {
    sdk::HostServices host = host_.services();
    if (!configuration_.profile_folder.empty()) {
        host.profile_folder = configuration_.profile_folder;
    }
    return plugin_.storage_backend()->open(configuration_.config_json, host, {});
}

std::vector<ConformanceCheck> PluginUnderTest::checks() {
    if (plugin_.provider() != nullptr) {
        return provider_checks(provider_fixture());
    }
    return storage_checks({.open = [this] { return open_store(); }});
}

sdk::Status PluginUnderTest::require_empty_store() {
    if (plugin_.storage_backend() == nullptr) {
        return {};
    }
    OPENARCHIVER_TRY(const auto store, open_store());
    Anything first;
    OPENARCHIVER_CHECK(store->list("", "", first, {}));
    if (!first.key.empty()) {
        return sdk::Error{.code = sdk::Errc::already_exists,
                          .message = "the store is not empty (it has \"" + first.key +
                                     "\"); the suite writes, replaces and removes objects: "
                                     "configure a new, empty store"};
    }
    return {};
}

}  // namespace openarchiver::testkit
