#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <openarchiver/sdk/host.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "access/catalog_lock.hpp"
#include "access/heads.hpp"
#include "archive/archive.hpp"
#include "archive/lease.hpp"
#include "catalog/catalog_reader.hpp"
#include "catalog/catalog_writer.hpp"
#include "plugin/host_services.hpp"
#include "plugin/plugin_host.hpp"
#include "profile/profile.hpp"

namespace spdlog {
class logger;
}

/// Opens what a profile names: storage, archive and catalog, for reading or for writing.
namespace openarchiver::access {

/// What opening takes. All references outlive what is opened.
struct Context {
    const profile::Profile& profile;
    const plugin::PluginHost& plugins;
    std::shared_ptr<spdlog::logger> log;
    sdk::Clock& clock;
};

/// An archive opened for reading, beside whoever writes it.
class ArchiveReader {
public:
    /// not_found: there is no archive yet.
    static sdk::Result<std::unique_ptr<ArchiveReader>> open(const Context& context,
                                                            std::stop_token stop);

    [[nodiscard]] archive::Archive& archive() { return *archive_; }

    /// Writes an archived version's exact bytes to `sink`; discard them on an error.
    sdk::Status read(catalog::CatalogReader& catalog, const catalog::VersionRecord& version,
                     sdk::ByteSink& sink, std::stop_token stop);

private:
    ArchiveReader() = default;
    std::unique_ptr<plugin::PluginServices> services_;
    std::unique_ptr<archive::Archive> archive_;
};

/// What to do where keys are gone that no account's forgetting explains: with an older keyring that
/// was put back, say.
enum class LostKeys : std::uint8_t {
    refuse,
    accept,  ///< go on without what was sealed with them, for good
};

/// An archive opened by its one writer: the catalog is locked, the lease is held, and the catalog
/// knows everything that the log says.
class ArchiveWriter {
public:
    /// Makes archive, key file (if the profile has no encryption section) and catalog where there
    /// are none; `announce` is called with what people must know about that. already_exists: in use
    /// by another engine; not_found: an archive without its catalog: offer `rebuild`.
    static sdk::Result<std::unique_ptr<ArchiveWriter>> open(
        const Context& context, const std::function<void(std::string_view)>& announce,
        std::stop_token stop);
    /// Makes the catalog anew from the archive alone, beside an old one that it then replaces.
    /// `progress` is told of each segment. Nothing is made where there is no archive.
    static sdk::Result<std::unique_ptr<ArchiveWriter>> rebuild(
        const Context& context, LostKeys lost_keys,
        const std::function<void(const archive::LogPosition&)>& progress, std::stop_token stop);
    /// Everything but the catalog: for what changes only the archive. not_found: there is no
    /// archive, and `create` is false.
    static sdk::Result<std::unique_ptr<ArchiveWriter>> open_archive(
        const Context& context, bool create, const std::function<void(std::string_view)>& announce,
        std::stop_token stop);
    ~ArchiveWriter();

    /// Applies to the catalog what the log has and the catalog has not: after a commit that failed
    /// half-way.
    sdk::Status catch_up(std::stop_token stop);

    /// False while the log has a gap or its heads contradict it: then nothing may go on the word of
    /// the log, since a hold may be among what is missing.
    [[nodiscard]] bool history_is_whole() const { return beyond_gap_ == 0 && !heads_->broken(); }

    [[nodiscard]] archive::Archive& archive() { return *archive_; }

    [[nodiscard]] catalog::CatalogWriter& catalog() { return *catalog_; }

    [[nodiscard]] Heads& heads() { return *heads_; }

    /// How often a new head is written while there is something new.
    [[nodiscard]] std::chrono::seconds head_every() const { return head_every_; }

    [[nodiscard]] plugin::SecretVault& secrets() { return *vault_; }

    /// Where large contents spool, on the catalog's volume; emptied when opened.
    [[nodiscard]] const std::filesystem::path& spool_folder() const { return spool_folder_; }

    [[nodiscard]] const std::filesystem::path& catalog_folder() const { return catalog_folder_; }

    /// Destroys the keys of the accounts that the log says are forgotten; durable on return. Done
    /// when opened, too: a crash may have come between.
    sdk::Status drop_forgotten_keys(std::stop_token stop);

    /// False once another engine took the archive over.
    [[nodiscard]] bool lease_held() const { return lease_->held(); }

    /// Keeps in the catalog whether history is whole, so that the status tells it until it is
    /// mended, not only a line in a log. Done when opened, too.
    sdk::Status note_history(sdk::Timestamp now);

private:
    ArchiveWriter() = default;
    sdk::Status check_log_holds_catalog(std::stop_token stop);
    sdk::Status follow_other_writers(std::stop_token stop);
    sdk::Status check_keyring(LostKeys lost_keys, std::stop_token stop);
    sdk::Status replay(catalog::CatalogWriter& catalog, LostKeys lost_keys,
                       const std::function<void(const archive::LogPosition&)>& progress,
                       std::stop_token stop);

    // In the order in which they depend on each other.
    std::unique_ptr<CatalogLock> lock_;
    std::unique_ptr<plugin::PluginServices> services_;
    std::unique_ptr<plugin::SecretVault> vault_;
    std::unique_ptr<archive::Archive> archive_;
    std::unique_ptr<archive::Lease> lease_;
    std::unique_ptr<catalog::CatalogWriter> catalog_;
    std::unique_ptr<Heads> heads_;
    std::atomic<std::uint64_t> beyond_gap_ = 0;  // segments that can't be applied
    std::chrono::seconds head_every_{};
    std::filesystem::path catalog_folder_;
    std::filesystem::path spool_folder_;
};

}  // namespace openarchiver::access
