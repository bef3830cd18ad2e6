#include "access/access.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>
#include <openarchiver/sdk/exceptions.hpp>
#include <set>
#include <thread>
#include <tuple>

#include "access/master_key.hpp"
#include "access/open_store.hpp"
#include "access/secret_sealing.hpp"
#include "catalog/put_in_place.hpp"
#include "catalog/schema.hpp"

namespace openarchiver::access {

using archive::Archive;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

using profile::EncryptionMode;
using profile::KeyReference;

constexpr const char* kUnfinishedCatalog = "catalog.rebuild.db";

void remove_file(std::filesystem::path file, const char* suffix) {
    std::error_code ignored;
    std::filesystem::remove(file += suffix, ignored);
}

void remove_database(const std::filesystem::path& file) {
    for (const char* suffix : {"", "-wal", "-shm"}) {
        remove_file(file, suffix);
    }
}

Status make_folder(const std::filesystem::path& folder) {
    std::error_code code;
    std::filesystem::create_directories(folder, code);
    if (code) {
        return Error{Errc::permission_denied,
                     "can't create the folder " + folder.string() + ": " + code.message()};
    }
    return {};
}

/// The key for an archive that exists.
Result<std::optional<archive::SecretKey>> existing_key(const Context& context,
                                                       sdk::ObjectStore& store,
                                                       std::stop_token stop) {
    OPENARCHIVER_TRY(const auto keyring, Archive::read_keyring_header(store, std::move(stop)));
    return key_of_archive(context.profile, keyring);
}

/// The key for an archive that is to be made: of a profile without an encryption section, made too.
Result<std::optional<MasterKey>> key_of_new_archive(
    const Context& context, const std::function<void(std::string_view)>& announce) {
    const auto& encryption = context.profile.archive.encryption;
    if (encryption.mode == EncryptionMode::none) {
        return std::optional<MasterKey>();
    }
    auto key = read_new_key(encryption.key);
    if (key) {
        return std::optional(std::move(*key));
    }
    if (key.error().code != Errc::not_found || encryption.key.passphrase) {
        return key.error();
    }
    if (encryption.section_present || encryption.key.kind != KeyReference::Kind::file) {
        return Error{Errc::not_found,
                     key.error().message + "; make one with `openarchiver key new`"};
    }
    OPENARCHIVER_TRY(const auto made, archive::create_master_key(encryption.key.value));
    announce("made the archive's key: " + encryption.key.value +
             " - keep a copy of it in a safe place: without it the archive is lost");
    return std::optional(MasterKey{.key = made, .scrypt = {}});
}

}  // namespace

Result<std::unique_ptr<ArchiveReader>> ArchiveReader::open(const Context& context,
                                                           std::stop_token stop) {
    OPENARCHIVER_TRY(auto open, open_store(context, Purpose::reading, stop));
    OPENARCHIVER_TRY(const auto marker, Archive::read_marker(*open.store, stop));
    OPENARCHIVER_TRY(auto key, existing_key(context, *open.store, stop));
    auto reader = std::unique_ptr<ArchiveReader>(new ArchiveReader());
    reader->services_ = std::move(open.services);
    OPENARCHIVER_TRY(reader->archive_,
                     Archive::open(std::move(open.store), std::move(key), std::move(stop)));
    return reader;
}

Status ArchiveReader::read(catalog::CatalogReader& catalog, const catalog::VersionRecord& version,
                           sdk::ByteSink& sink, std::stop_token stop) {
    OPENARCHIVER_TRY(const auto content, catalog.stored(version.content_key));
    return archive_->packs().read(content, sink, std::move(stop));
}

namespace {

/// An empty store beside a catalog is one that is not mounted, or a wrong address: not the place
/// for a new archive. Nor is a catalog given up for that of another archive.
Status check_is_of_catalog(const std::filesystem::path& folder,
                           const Result<Archive::Marker>& marker) {
    const auto reader = catalog::CatalogReader::open(folder);
    if (!reader) {
        return {};  // there is none, or it can't tell
    }
    const auto known = (*reader)->archive_id();
    if (!known || known->empty() || (marker && marker->archive_id == *known)) {
        return {};
    }
    return Error{Errc::invalid_config,
                 "the catalog in " + folder.string() + " is that of archive " + *known +
                     ", but the store holds " +
                     (marker ? "the archive " + marker->archive_id : "no archive") +
                     ": is it mounted, and is it the right one? Correct archive.storage or "
                     "archive.catalog.path; to begin anew there, move the catalog's folder away"};
}

/// Makes the store's keyring the newest that this engine knows. Where the profile's key opens
/// neither, opening the archive says what is wrong.
Status bring_keyring_back(const Context& context, sdk::ObjectStore& store,
                          const Archive::Marker& marker, const std::filesystem::path& file,
                          std::stop_token stop) {
    const auto kept = Archive::read_keyring_header(file);
    auto key = kept ? key_of_archive(context.profile, *kept) : existing_key(context, store, stop);
    if (kept && !key) {
        key = existing_key(context, store, stop);
    }
    if (!key) {
        return {};
    }
    OPENARCHIVER_TRY(const bool brought_back,
                     Archive::match_keyring(store, marker, *key, file, stop));
    if (brought_back) {
        context.log->warn(
            "OA-3013 the store held an older keyring than this engine had saved: the newest was "
            "put back, from {}",
            file.string());
    }
    return {};
}

Error older_keyring(const std::string& how) {
    return {
        Errc::corrupt,
        "the archive's keyring is an older one: it " + how +
            "; bring the newest keyring back from a copy of the archive. If it is lost for "
            "good, `openarchiver rebuild --accept-lost-keys` goes on without the mail that only "
            "its keys open"};
}

/// A run of segments by one writer, up to `last`.
struct Turn {
    std::string writer;
    sdk::Timestamp at;
    std::uint64_t last = 0;
};

/// The order in which the segments that the catalog does not know were made.
Result<std::vector<Turn>> turns_of(archive::SegmentLog& log, catalog::CatalogWriter& catalog,
                                   const std::vector<std::string>& writers,
                                   std::uint64_t& beyond_gap, std::stop_token stop) {
    std::vector<Turn> turns;
    for (const auto& writer : writers) {
        OPENARCHIVER_TRY(const auto from, catalog.position(writer));
        sdk::Timestamp last{};  // a clock that went back does not change a writer's own order
        const auto note = [&](const archive::Segment& segment,
                              const archive::LogPosition& position) {
            last = std::max(last, segment.created_at);
            turns.push_back({writer, last, position.sequence});
            return Status();
        };
        OPENARCHIVER_TRY(const auto end, log.replay(writer, from, note, stop, &beyond_gap));
        (void)end;
    }
    std::sort(turns.begin(), turns.end(), [](const Turn& a, const Turn& b) {
        return std::tie(a.at, a.writer, a.last) < std::tie(b.at, b.writer, b.last);
    });
    // Neighbours of one writer are one turn.
    std::vector<Turn> joined;
    for (auto& turn : turns) {
        if (!joined.empty() && joined.back().writer == turn.writer) {
            joined.back().last = turn.last;
        } else {
            joined.push_back(std::move(turn));
        }
    }
    return joined;
}

}  // namespace

ArchiveWriter::~ArchiveWriter() = default;

/// Everything but the catalog: locked, opened or made, leased.
Result<std::unique_ptr<ArchiveWriter>> ArchiveWriter::open_archive(
    const Context& context, bool create, const std::function<void(std::string_view)>& announce,
    std::stop_token stop) {
    auto writer = std::unique_ptr<ArchiveWriter>(new ArchiveWriter());
    writer->catalog_folder_ = context.profile.archive.catalog_path;
    writer->spool_folder_ = writer->catalog_folder_ / "spool";
    OPENARCHIVER_CHECK(make_folder(writer->spool_folder_));
    OPENARCHIVER_TRY(writer->lock_, CatalogLock::acquire(writer->catalog_folder_));
    remove_database(writer->catalog_folder_ / kUnfinishedCatalog);  // of a rebuild that was killed

    OPENARCHIVER_TRY(auto open, open_store(context, Purpose::writing, stop));
    writer->services_ = std::move(open.services);
    const auto marker = Archive::read_marker(*open.store, stop);
    if (!marker && (marker.error().code != Errc::not_found || !create)) {
        return marker.error();
    }
    OPENARCHIVER_CHECK(check_is_of_catalog(writer->catalog_folder_, marker));
    std::optional<MasterKey> made;
    if (!marker) {
        OPENARCHIVER_TRY(made, key_of_new_archive(context, announce));
    }
    const auto keyring_file = writer->catalog_folder_ / "keyring";
    // Leased before it is made or changed; the store lives on inside the archive.
    sdk::ObjectStore& store = *open.store;
    OPENARCHIVER_TRY(auto lease, archive::Lease::acquire(store, context.clock, stop));
    if (marker) {
        OPENARCHIVER_CHECK(bring_keyring_back(context, store, *marker, keyring_file, stop));
        const auto opened = [&]() -> Status {
            OPENARCHIVER_TRY(auto key, existing_key(context, store, stop));
            OPENARCHIVER_TRY(writer->archive_,
                             Archive::open(std::move(open.store), std::move(key), stop));
            return {};
        }();
        if (!opened) {
            auto error = opened.error();
            if (error.code == Errc::corrupt && Archive::read_keyring_header(keyring_file)) {
                error.message +=
                    "; the newest keyring that this engine saved is in " + keyring_file.string();
            }
            return error;
        }
    } else {
        OPENARCHIVER_TRY(
            writer->archive_,
            Archive::create(std::move(open.store), made ? std::optional(made->key) : std::nullopt,
                            made ? made->scrypt : std::nullopt, sdk::timestamp_of(context.clock),
                            stop));
    }
    writer->archive_->keep_keyring_in(keyring_file);
    writer->lease_ = std::move(lease);
    writer->head_every_ = context.profile.archive.evidence.head_every;
    writer->vault_ = std::make_unique<plugin::FileSecretVault>(
        writer->catalog_folder_ / "secrets",
        secret_sealing(writer->archive_->keyring().archive_key().key));
    return writer;
}

/// Applies what the log has and the catalog has not. Writers took turns (the lease sees to that),
/// so their segments are applied in the order in which they were made.
Status ArchiveWriter::replay(catalog::CatalogWriter& catalog, LostKeys lost_keys,
                             const std::function<void(const archive::LogPosition&)>& progress,
                             std::stop_token stop) {
    std::uint64_t beyond_gap = 0;
    std::set<archive::KeyId> missing;
    std::set<archive::KeyId> forgotten;
    auto& log = archive_->log();
    OPENARCHIVER_TRY(const auto writers, log.writers(stop));
    const bool alone = writers.size() == 1;
    std::vector<Turn> turns;
    if (alone) {
        turns.push_back({writers.front(), {}, std::numeric_limits<std::uint64_t>::max()});
    } else {
        OPENARCHIVER_TRY(turns, turns_of(log, catalog, writers, beyond_gap, stop));
    }
    for (const auto& turn : turns) {
        OPENARCHIVER_TRY(const auto from, catalog.position(turn.writer));
        bool ended = false;
        Status applied;
        std::jthread applying;  // one segment, while the next one is read
        const auto apply = [&](const archive::Segment& segment,
                               const archive::LogPosition& position) -> Status {
            std::vector<catalog::EventGroup> groups;
            for (const auto& block : segment.blocks) {
                if (block.forgotten) {
                    missing.insert(block.key.id);
                    continue;
                }
                OPENARCHIVER_TRY(auto group, catalog::decode(block.events));
                for (const auto& event : group.events) {
                    if (const auto* body = std::get_if<catalog::AccountForgotten>(&event.body)) {
                        forgotten.insert(body->key);
                    }
                }
                groups.push_back(std::move(group));
            }
            if (applying.joinable()) {
                applying.join();
                OPENARCHIVER_CHECK(applied);
            }
            applying = std::jthread([&, position, groups = std::move(groups)] {
                applied = sdk::without_exceptions("applying the log", [&]() -> Status {
                    OPENARCHIVER_CHECK(catalog.apply(turn.writer, position, groups));
                    progress(position);
                    return {};
                });
            });
            ended = position.sequence == turn.last;
            return ended ? Status(Error{Errc::cancelled, "the next writer's turn"}) : Status();
        };
        const auto end = log.replay(turn.writer, from, apply, stop, alone ? &beyond_gap : nullptr);
        if (applying.joinable()) {
            applying.join();
        }
        OPENARCHIVER_CHECK(applied);
        if (!end && !ended) {
            return end.error();
        }
    }
    beyond_gap_ = beyond_gap;  // at once: others ask meanwhile
    std::erase_if(missing, [&](const archive::KeyId& key) { return forgotten.contains(key); });
    // The gap may have the forgetting.
    if (!missing.empty() && beyond_gap == 0 && lost_keys == LostKeys::refuse) {
        return older_keyring("lacks " + std::to_string(missing.size()) +
                             " keys of accounts that nobody had forgotten");
    }
    return {};
}

/// The keyring must be as new as the archive: what an older one lacks would be made anew, and mail
/// sealed with keys that are gone would count as archived.
Status ArchiveWriter::check_keyring(LostKeys lost_keys, std::stop_token stop) {
    auto& keyring = archive_->keyring();
    OPENARCHIVER_TRY(const std::uint64_t known, heads_->keyring_generation());
    if (known <= keyring.generation()) {
        return {};
    }
    if (lost_keys == LostKeys::refuse) {
        return older_keyring("has the generation " + std::to_string(keyring.generation()) +
                             ", the archive's newest head knows " + std::to_string(known));
    }
    keyring.succeed(known);
    return archive_->save_keyring(std::move(stop));
}

/// What the catalog applied must still be in the log: an archive that was put back to an earlier
/// state would get a gap with the next segment.
Status ArchiveWriter::check_log_holds_catalog(std::stop_token stop) {
    OPENARCHIVER_TRY(const auto reader, catalog::CatalogReader::open(catalog_folder_));
    OPENARCHIVER_TRY(const auto positions, reader->positions());
    for (const auto& [writer, position] : positions) {
        const auto there =
            archive_->store().stat(archive::segment_key(writer, position.sequence), stop);
        if (!there && there.error().code == Errc::not_found) {
            return Error{Errc::corrupt,
                         "the catalog is newer than the archive: it knows segment " +
                             std::to_string(position.sequence) + " of writer " + writer +
                             ", which the archive does not hold (was an older copy put back?); run "
                             "`openarchiver rebuild` to go on from what the archive holds"};
        }
        if (!there) {
            return there.error();
        }
    }
    return {};
}

Status ArchiveWriter::follow_other_writers(std::stop_token stop) {
    OPENARCHIVER_TRY(const auto positions, catalog_->positions());
    for (const auto& [writer, position] : positions) {
        if (writer != catalog_->writer_id() && position.sequence > 0) {
            OPENARCHIVER_CHECK(archive_->log().follow(writer, position, stop));
        }
    }
    return {};
}

Status ArchiveWriter::drop_forgotten_keys(std::stop_token stop) {
    OPENARCHIVER_TRY(const auto reader, catalog::CatalogReader::open(catalog_folder_));
    OPENARCHIVER_TRY(const auto forgotten, reader->forgotten());
    bool dropped = false;
    for (const auto& account : forgotten) {
        dropped = archive_->keyring().forget(account.source, account.account) || dropped;
    }
    return dropped ? archive_->save_keyring(std::move(stop)) : Status();
}

Status ArchiveWriter::catch_up(std::stop_token stop) {
    return replay(*catalog_, LostKeys::refuse, [](const auto&) {}, std::move(stop));
}

Status ArchiveWriter::note_history(sdk::Timestamp now) {
    std::string problem;
    if (!history_is_whole()) {
        problem = std::string(beyond_gap_ > 0 ? "the archive's log has a gap"
                                              : "the archive's heads and its log contradict each "
                                                "other, so that no further head is written") +
                  ": run `openarchiver verify`, bring back what it names from a copy of the "
                  "archive, then run `openarchiver rebuild`; until then nothing is disposed of";
    }
    OPENARCHIVER_TRY(const auto reader, catalog::CatalogReader::open(catalog_folder_));
    OPENARCHIVER_TRY(const std::string known, reader->history_problem());
    if (known == problem) {
        return {};
    }
    const catalog::Note note{now, catalog::HistoryChecked{std::move(problem)}};
    return catalog_->apply(std::span(&note, 1));
}

Result<std::unique_ptr<ArchiveWriter>> ArchiveWriter::open(
    const Context& context, const std::function<void(std::string_view)>& announce,
    std::stop_token stop) {
    OPENARCHIVER_TRY(auto writer, open_archive(context, true, announce, stop));
    const auto file = catalog::catalog_file(writer->catalog_folder_);
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored)) {
        OPENARCHIVER_TRY(const auto logs, writer->archive_->log().writers(stop));
        if (!logs.empty()) {
            return Error{Errc::corrupt,
                         "the catalog is missing at " + file.string() +
                             " while the archive holds mail: make it anew from the archive with "
                             "`openarchiver rebuild`, or correct archive.catalog.path"};
        }
    }
    OPENARCHIVER_TRY(writer->catalog_,
                     catalog::CatalogWriter::open(writer->catalog_folder_,
                                                  writer->archive_->marker().archive_id));
    OPENARCHIVER_CHECK(writer->check_log_holds_catalog(stop));
    OPENARCHIVER_CHECK(writer->catch_up(stop));
    OPENARCHIVER_CHECK(writer->follow_other_writers(stop));
    writer->heads_ = std::make_unique<Heads>(*writer->archive_, *writer->catalog_, context.log);
    OPENARCHIVER_CHECK(writer->heads_->catch_up(stop));
    OPENARCHIVER_CHECK(writer->note_history(sdk::timestamp_of(context.clock)));
    OPENARCHIVER_CHECK(writer->check_keyring(LostKeys::refuse, stop));
    OPENARCHIVER_CHECK(writer->drop_forgotten_keys(stop));
    return writer;
}

Result<std::unique_ptr<ArchiveWriter>> ArchiveWriter::rebuild(
    const Context& context, LostKeys lost_keys,
    const std::function<void(const archive::LogPosition&)>& progress, std::stop_token stop) {
    OPENARCHIVER_TRY(auto writer, open_archive(context, false, [](std::string_view) {}, stop));
    const auto file = catalog::catalog_file(writer->catalog_folder_);
    const auto fresh = writer->catalog_folder_ / kUnfinishedCatalog;
    {
        OPENARCHIVER_TRY(auto catalog, catalog::CatalogWriter::fill_file(
                                           fresh, writer->archive_->marker().archive_id));
        OPENARCHIVER_CHECK(writer->replay(*catalog, lost_keys, progress, stop));
        OPENARCHIVER_CHECK(Heads(*writer->archive_, *catalog, context.log).catch_up(stop));
        if (writer->beyond_gap_ != 0) {
            context.log->error(
                "OA-3004 the archive's log has a gap: {} segments beyond it can't be applied, and "
                "what "
                "they say is missing from the new catalog; `openarchiver verify` names the missing "
                "object: bring it back from a copy of the archive and run `openarchiver rebuild` "
                "again",
                writer->beyond_gap_.load());
        }
        OPENARCHIVER_CHECK(catalog->finish());
    }
    for (const char* suffix : {"-wal", "-shm"}) {
        remove_file(file, suffix);
    }
    OPENARCHIVER_CHECK(catalog::put_in_place(fresh, file));
    OPENARCHIVER_TRY(writer->catalog_,
                     catalog::CatalogWriter::open(writer->catalog_folder_,
                                                  writer->archive_->marker().archive_id));
    OPENARCHIVER_CHECK(writer->follow_other_writers(stop));
    writer->heads_ = std::make_unique<Heads>(*writer->archive_, *writer->catalog_, context.log);
    OPENARCHIVER_CHECK(writer->heads_->catch_up(stop));
    OPENARCHIVER_CHECK(writer->note_history(sdk::timestamp_of(context.clock)));
    OPENARCHIVER_CHECK(writer->check_keyring(lost_keys, stop));
    OPENARCHIVER_CHECK(writer->drop_forgotten_keys(stop));
    return writer;
}

}  // namespace openarchiver::access
