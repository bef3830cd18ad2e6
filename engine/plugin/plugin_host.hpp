#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <openarchiver/sdk/plugin.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/file_identity.hpp"

/// Finds, checks and loads plugin libraries. A library that is wrong in any way is refused with a
/// reason that says what to do; it never stops the others.
namespace openarchiver::plugin {

enum class PluginKind : std::uint8_t { provider, storage_backend };

/// "provider" or "storage backend".
[[nodiscard]] std::string_view to_string(PluginKind kind) noexcept;

struct LoadedPlugin {
    sdk::PluginInfo info;
    PluginKind kind = PluginKind::provider;
    std::filesystem::path file;
    FileIdentity identity;
    sdk::AbiStamp stamp{};
};

enum class Refusal : std::uint8_t {
    unreadable,          ///< not a file, or not readable
    unsafe_permissions,  ///< others may write the file, or a folder on the way to it
    not_pinned,          ///< the profile names hashes, and not this one
    not_a_library,       ///< the system's loader refuses it
    no_stamp,            ///< no openarchiver_abi_stamp: not a plugin
    wrong_stamp,         ///< a stamp of another magic or size
    other_pointer_size,
    other_epoch,
    other_fingerprint,
    no_factory,      ///< a stamp, but no openarchiver_create_plugin
    factory_failed,  ///< the factory threw or returned null
    plugin_failed,   ///< a call needed for loading threw
    invalid_info,    ///< an id that profiles can't name
    wrong_kind,      ///< neither or both of provider and storage backend
    duplicate_id,
};

/// The stable name of a code ("other_epoch").
[[nodiscard]] std::string_view to_string(Refusal code) noexcept;

struct RefusedPlugin {
    std::filesystem::path file;
    Refusal code = Refusal::unreadable;
    /// Names the file, what is wrong and what to do.
    std::string reason;
};

/// The folders to search, in their order: those of the profile, those of the environment variable
/// OPENARCHIVER_PLUGIN_PATH (a list separated by colons), the one beside the program.
[[nodiscard]] std::vector<std::filesystem::path> plugin_search_path(
    const std::vector<std::filesystem::path>& profile_folders);

/// Loading is for one thread; afterwards the host may be read from any thread. Sessions and stores
/// opened through it may outlive the host: plugins and their libraries stay until the process ends.
class PluginHost {
public:
    /// `logger` is told of refusals and misbehaving plugins; it must outlive the host.
    explicit PluginHost(sdk::Logger& logger);
    PluginHost(const PluginHost&) = delete;
    PluginHost& operator=(const PluginHost&) = delete;
    ~PluginHost();

    /// From now on only libraries of these SHA-256 (hex) are loaded.
    void allow_only(std::vector<std::string> hashes);

    /// Loads every `*.so` of these folders, by name within a folder. A folder that does not exist
    /// is left out; of two plugins with one id the first stays.
    void load_all(const std::vector<std::filesystem::path>& folders);

    /// Loads one library; the error is the refusal's reason (Errc::invalid_config).
    sdk::Status load(const std::filesystem::path& file);

    [[nodiscard]] const std::vector<LoadedPlugin>& loaded() const noexcept;
    [[nodiscard]] const std::vector<RefusedPlugin>& refused() const noexcept;
    /// The folders that load_all() looked into, or would have.
    [[nodiscard]] const std::vector<std::filesystem::path>& searched() const noexcept;

    /// A provider or storage backend by id, never null. Every call through it, and through what it
    /// opens, is guarded (guarded.hpp). The pointer is valid as long as the host. An unknown id is
    /// Errc::invalid_config, with a message that lists what is loaded and what was refused.
    [[nodiscard]] sdk::Result<sdk::Provider*> provider(std::string_view id) const;
    [[nodiscard]] sdk::Result<sdk::StorageBackend*> storage_backend(std::string_view id) const;

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace openarchiver::plugin
