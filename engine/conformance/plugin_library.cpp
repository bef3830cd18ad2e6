#include "conformance/plugin_library.hpp"

#include <exception>
#include <iterator>
#include <system_error>
#include <utility>
#include <variant>

#include "conformance/schema_checks.hpp"
#include "plugin/library.hpp"
#include "plugin/secrets.hpp"

namespace openarchiver::conformance {

namespace fs = std::filesystem;

namespace {

sdk::Error unusable(const std::string& message) {
    return {.code = sdk::Errc::invalid_config, .message = message};
}

sdk::Result<testkit::PluginConfiguration> read_configuration(const fs::path& file,
                                                             const plugin::LoadedPlugin& loaded,
                                                             std::string_view schema) {
    profile::PluginConfigResult read = profile::read_plugin_config(file, loaded, schema);
    if (!read.config) {
        std::string text = "the configuration " + file.string() + " has errors";
        for (const profile::Problem& problem : read.problems) {
            text += "; " + profile::to_text(problem);
        }
        return unusable(text);
    }
    testkit::PluginConfiguration configuration;
    configuration.config_json = read.config->config_json;
    for (const auto& [pointer, reference] : read.config->secrets) {
        OPENARCHIVER_TRY(configuration.secrets[pointer], plugin::resolve(reference));
    }
    configuration.profile_folder = fs::absolute(file).parent_path();
    return configuration;
}

}  // namespace

sdk::Result<PluginLibrary> PluginLibrary::open(const Subject& subject) {
    std::error_code error;
    fs::path file = fs::canonical(subject.library, error);
    if (error) {
        return unusable("the plugin " + subject.library.string() +
                        " can't be read: " + error.message());
    }
    auto opened = plugin::open_library(file);
    if (const auto* refusal = std::get_if<plugin::RefusedPlugin>(&opened)) {
        return unusable(refusal->reason);
    }
    PluginLibrary library;
    library.plugin_ = std::get<plugin::OpenedLibrary>(opened).plugin;
    library.fixture_ = subject.fixture;
    library.loaded_.file = std::move(file);
    try {
        library.loaded_.info = library.plugin_->info();
        sdk::Provider* const provider = library.plugin_->provider();
        sdk::StorageBackend* const backend = library.plugin_->storage_backend();
        if ((provider == nullptr) == (backend == nullptr)) {
            return unusable(
                "the plugin is of one kind: exactly one of provider() and "
                "storage_backend() returns an object");
        }
        library.loaded_.kind = provider != nullptr ? plugin::PluginKind::provider
                                                   : plugin::PluginKind::storage_backend;
        library.schema_ =
            provider != nullptr ? provider->config_schema() : backend->config_schema();
    } catch (const std::exception& failure) {
        return unusable(std::string("the plugin threw an exception before anything was asked of "
                                    "it: ") +
                        failure.what());
    }
    if (!subject.config.empty()) {
        OPENARCHIVER_TRY(library.configuration_,
                         read_configuration(subject.config, library.loaded_, library.schema_));
    }
    return library;
}

sdk::Status PluginLibrary::start() {
    if (!under_test_) {
        OPENARCHIVER_TRY(under_test_, testkit::PluginUnderTest::open(
                                          *plugin_, fixture_,
                                          configuration_.value_or(testkit::PluginConfiguration{})));
    }
    return {};
}

sdk::Result<std::vector<testkit::ConformanceCheck>> PluginLibrary::checks() {
    std::vector<testkit::ConformanceCheck> checks = schema_checks(schema_);
    if (configured()) {
        OPENARCHIVER_CHECK(start());
        auto suite = under_test_->checks();
        std::ranges::move(suite, std::back_inserter(checks));
    }
    return checks;
}

sdk::Status PluginLibrary::require_empty_store() {
    if (!configured()) {
        return {};
    }
    OPENARCHIVER_CHECK(start());
    return under_test_->require_empty_store();
}

}  // namespace openarchiver::conformance
