#include "plugin/plugin_host.hpp"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <system_error>
#include <variant>

#include "plugin/guarded.hpp"
#include "plugin/library.hpp"

namespace openarchiver::plugin {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxIdLength = 64;

bool good_id(std::string_view id) {
    return !id.empty() && id.size() <= kMaxIdLength && std::ranges::all_of(id, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

fs::path canonical_or_absolute(const fs::path& path) {
    std::error_code error;
    fs::path canonical = fs::canonical(path, error);
    return error ? fs::absolute(path, error).lexically_normal() : canonical;
}

template <typename Range, typename Text>
std::string joined(const Range& range, Text&& text) {
    std::string list;
    for (const auto& element : range) {
        list += (list.empty() ? "" : ", ") + text(element);
    }
    return list;
}

}  // namespace

std::string_view to_string(PluginKind kind) noexcept {
    return kind == PluginKind::provider ? "provider" : "storage backend";
}

std::string_view to_string(Refusal code) noexcept {
    switch (code) {
        case Refusal::unreadable:
            return "unreadable";
        case Refusal::unsafe_permissions:
            return "unsafe_permissions";
        case Refusal::not_pinned:
            return "not_pinned";
        case Refusal::not_a_library:
            return "not_a_library";
        case Refusal::no_stamp:
            return "no_stamp";
        case Refusal::wrong_stamp:
            return "wrong_stamp";
        case Refusal::other_pointer_size:
            return "other_pointer_size";
        case Refusal::other_epoch:
            return "other_epoch";
        case Refusal::other_fingerprint:
            return "other_fingerprint";
        case Refusal::no_factory:
            return "no_factory";
        case Refusal::factory_failed:
            return "factory_failed";
        case Refusal::plugin_failed:
            return "plugin_failed";
        case Refusal::invalid_info:
            return "invalid_info";
        case Refusal::wrong_kind:
            return "wrong_kind";
        case Refusal::duplicate_id:
            return "duplicate_id";
    }
    return "unreadable";
}

std::vector<fs::path> plugin_search_path(const std::vector<fs::path>& profile_folders) {
    std::vector<fs::path> folders = profile_folders;
    if (const char* list = std::getenv("OPENARCHIVER_PLUGIN_PATH")) {
        std::string_view rest = list;
        while (!rest.empty()) {
            const std::size_t end = std::min(rest.find(':'), rest.size());
            if (end > 0) {
                folders.emplace_back(rest.substr(0, end));
            }
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
    }
    std::error_code error;
    const fs::path program = fs::read_symlink("/proc/self/exe", error);
    if (!error) {
        folders.push_back(program.parent_path().parent_path() / "lib/openarchiver/plugins");
    }
    return folders;
}

struct PluginHost::Impl {
    sdk::Logger& logger;
    std::vector<LoadedPlugin> loaded;
    std::vector<RefusedPlugin> refused;
    std::vector<fs::path> searched;
    std::optional<std::vector<std::string>> allowed;
    std::map<std::string, std::unique_ptr<sdk::Provider>, std::less<>> providers;
    std::map<std::string, std::unique_ptr<sdk::StorageBackend>, std::less<>> backends;

    std::optional<RefusedPlugin> load(const fs::path& file);
    std::optional<RefusedPlugin> admit(const fs::path& file, OpenedLibrary library);
    [[nodiscard]] sdk::Error unknown(PluginKind kind, std::string_view id) const;
};

std::optional<RefusedPlugin> PluginHost::Impl::load(const fs::path& file) {
    auto result = open_library(file, allowed ? &*allowed : nullptr);
    if (auto* refusal = std::get_if<RefusedPlugin>(&result)) {
        return std::move(*refusal);
    }
    return admit(file, std::move(std::get<OpenedLibrary>(result)));
}

/// From here on the library is known to speak the same C++; what it says may still be wrong.
std::optional<RefusedPlugin> PluginHost::Impl::admit(const fs::path& file, OpenedLibrary library) {
    const auto refuse = [&file](Refusal code, const std::string& what) {
        return RefusedPlugin{file, code, "plugin " + file.string() + " refused: " + what};
    };

    Guard guard{file.filename().string(), &logger};
    auto info = guarded(guard, "info",
                        [&]() -> sdk::Result<sdk::PluginInfo> { return library.plugin->info(); });
    if (!info) {
        return refuse(Refusal::plugin_failed, info.error().message);
    }
    if (!good_id(info->id)) {
        return refuse(Refusal::invalid_info,
                      "its id is not made of 1 to 64 of the characters a-z, 0-9 and -, so no "
                      "profile can name it; correct PluginInfo::id");
    }
    guard.plugin = info->id;

    struct Entries {
        sdk::Provider* provider;
        sdk::StorageBackend* backend;
    };

    const auto entries =
        guarded(guard, "provider or storage_backend", [&]() -> sdk::Result<Entries> {
            return Entries{library.plugin->provider(), library.plugin->storage_backend()};
        });
    if (!entries) {
        return refuse(Refusal::plugin_failed, entries.error().message);
    }
    if ((entries->provider == nullptr) == (entries->backend == nullptr)) {
        return refuse(Refusal::wrong_kind,
                      std::string("it is ") + (entries->provider == nullptr ? "neither" : "both") +
                          " provider and storage backend; exactly one of Plugin::provider() and "
                          "Plugin::storage_backend() returns an object");
    }

    const PluginKind kind =
        entries->provider != nullptr ? PluginKind::provider : PluginKind::storage_backend;
    const auto twin = std::ranges::find_if(loaded, [&](const LoadedPlugin& other) {
        return other.kind == kind && other.info.id == info->id;
    });
    if (twin != loaded.end()) {
        return refuse(Refusal::duplicate_id, "the " + std::string(to_string(kind)) + " \"" +
                                                 info->id + "\" is loaded from " +
                                                 twin->file.string() +
                                                 " already; remove one of the two files");
    }

    if (kind == PluginKind::provider) {
        auto guarded_provider = guard_provider(*entries->provider, guard);
        if (!guarded_provider) {
            return refuse(Refusal::plugin_failed, guarded_provider.error().message);
        }
        providers.emplace(info->id, std::move(*guarded_provider));
    } else {
        auto guarded_backend = guard_storage_backend(*entries->backend, guard);
        if (!guarded_backend) {
            return refuse(Refusal::plugin_failed, guarded_backend.error().message);
        }
        backends.emplace(info->id, std::move(*guarded_backend));
    }
    loaded.push_back({std::move(*info), kind, file, library.identity, library.stamp});
    const LoadedPlugin& plugin = loaded.back();
    logger.log(sdk::LogLevel::debug, "plugin loaded",
               {{"plugin", plugin.info.id},
                {"version", plugin.info.version},
                {"file", plugin.file.native()}});
    return std::nullopt;
}

sdk::Error PluginHost::Impl::unknown(PluginKind kind, std::string_view id) const {
    const std::string name(to_string(kind));
    std::vector<std::string> ids;
    for (const LoadedPlugin& plugin : loaded) {
        if (plugin.kind == kind) {
            ids.push_back(plugin.info.id);
        }
    }
    std::string message =
        "no " + name + " \"" + std::string(id) + "\" is loaded; loaded: " +
        (ids.empty() ? "none" : joined(ids, [](const auto& text) { return text; }));
    if (!refused.empty()) {
        message +=
            "; " + joined(refused, [](const RefusedPlugin& plugin) { return plugin.reason; });
    }
    message += "; searched: " +
               (searched.empty() ? "nothing" : joined(searched, [](const fs::path& folder) {
                   std::error_code error;
                   return folder.string() + (fs::is_directory(folder, error) ? "" : " (missing)");
               }));
    return {sdk::Errc::invalid_config, std::move(message)};
}

PluginHost::PluginHost(sdk::Logger& logger) : impl_(new Impl{logger, {}, {}, {}, {}, {}, {}}) {}

PluginHost::~PluginHost() = default;

void PluginHost::allow_only(std::vector<std::string> hashes) {
    impl_->allowed = std::move(hashes);
}

void PluginHost::load_all(const std::vector<fs::path>& folders) {
    for (const fs::path& given : folders) {
        const fs::path folder = canonical_or_absolute(given);
        if (std::ranges::find(impl_->searched, folder) != impl_->searched.end()) {
            continue;
        }
        impl_->searched.push_back(folder);
        std::error_code error;
        std::vector<fs::path> files;
        for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
             entry.increment(error)) {
            if (entry->path().extension() == ".so") {
                files.push_back(entry->path());
            }
        }
        if (error && error != std::errc::no_such_file_or_directory) {
            impl_->logger.log(sdk::LogLevel::warning, "OA-7002 plugin folder can't be read",
                              {{"folder", folder.native()}, {"reason", error.message()}});
        }
        std::ranges::sort(files);
        for (const fs::path& file : files) {
            // A refusal is kept and logged; the other plugins are not concerned.
            (void)load(file);
        }
    }
}

sdk::Status PluginHost::load(const fs::path& file) {
    const fs::path canonical = canonical_or_absolute(file);
    const auto same_file = [&](const auto& plugin) { return plugin.file == canonical; };
    if (std::ranges::any_of(impl_->loaded, same_file)) {
        return {};
    }
    auto refusal = impl_->load(canonical);
    if (!refusal) {
        return {};
    }
    impl_->logger.log(sdk::LogLevel::warning, "OA-7001 " + refusal->reason,
                      {{"code", to_string(refusal->code)}});
    sdk::Error error{sdk::Errc::invalid_config, refusal->reason};
    if (std::ranges::none_of(impl_->refused, same_file)) {
        impl_->refused.push_back(std::move(*refusal));
    }
    return error;
}

const std::vector<LoadedPlugin>& PluginHost::loaded() const noexcept {
    return impl_->loaded;
}

const std::vector<RefusedPlugin>& PluginHost::refused() const noexcept {
    return impl_->refused;
}

const std::vector<fs::path>& PluginHost::searched() const noexcept {
    return impl_->searched;
}

sdk::Result<sdk::Provider*> PluginHost::provider(std::string_view id) const {
    const auto found = impl_->providers.find(id);
    if (found == impl_->providers.end()) {
        return impl_->unknown(PluginKind::provider, id);
    }
    return found->second.get();
}

sdk::Result<sdk::StorageBackend*> PluginHost::storage_backend(std::string_view id) const {
    const auto found = impl_->backends.find(id);
    if (found == impl_->backends.end()) {
        return impl_->unknown(PluginKind::storage_backend, id);
    }
    return found->second.get();
}

}  // namespace openarchiver::plugin
