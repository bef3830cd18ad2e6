#include "access/access.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <limits>
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

sdk::Timestamp now_of(const Context& context) {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(context.clock.now());
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

    OPENARCHIVER_TRY(auto open, open_store(context, Purpose::writing, stop));
    writer->services_ = std::move(open.services);
    const auto marker = Archive::read_marker(*open.store, stop);
    if (!marker && (marker.error().code != Errc::not_found || !create)) {
        return marker.error();
    }
    std::optional<archive::SecretKey> key;
    std::optional<archive::Scrypt> scrypt;
    if (marker) {
        OPENARCHIVER_TRY(key, existing_key(context, *open.store, stop));
    } else {
        OPENARCHIVER_TRY(const auto made, key_of_new_archive(context, announce));
        if (made) {
            key = made->key;
            scrypt = made->scrypt;
        }
    }
    // Leased before it is made or changed; the store lives on inside the archive.
    sdk::ObjectStore& store = *open.store;
    OPENARCHIVER_TRY(auto lease, archive::Lease::acquire(store, context.clock, stop));
    if (marker) {
        OPENARCHIVER_TRY(writer->archive_, Archive::open(std::move(open.store), key, stop));
    } else {
        OPENARCHIVER_TRY(writer->archive_, Archive::create(std::move(open.store), key, scrypt,
                                                           now_of(context), stop));
    }
    writer->lease_ = std::move(lease);
    writer->head_every_ = context.profile.archive.evidence.head_every;
    writer->vault_ = std::make_unique<plugin::FileSecretVault>(
        writer->catalog_folder_ / "secrets",
        secret_sealing(writer->archive_->keyring().archive_key().key));
    return writer;
}

/// Applies what the log has and the catalog has not. Writers took turns (the lease sees to that),
/// so their segments are applied in the order in which they were made.
Status ArchiveWriter::replay(catalog::CatalogWriter& catalog,
                             const std::function<void(const archive::LogPosition&)>& progress,
                             std::uint64_t& beyond_gap, std::stop_token stop) {
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
        const auto apply = [&](const archive::Segment& segment,
                               const archive::LogPosition& position) -> Status {
            std::vector<catalog::EventGroup> groups;
            for (const auto& block : segment.blocks) {
                if (!block.forgotten) {
                    OPENARCHIVER_TRY(auto group, catalog::decode(block.events));
                    groups.push_back(std::move(group));
                }
            }
            OPENARCHIVER_CHECK(catalog.apply(turn.writer, position, groups));
            progress(position);
            ended = position.sequence == turn.last;
            return ended ? Status(Error{Errc::cancelled, "the next writer's turn"}) : Status();
        };
        if (const auto end =
                log.replay(turn.writer, from, apply, stop, alone ? &beyond_gap : nullptr);
            !end && !ended) {
            return end.error();
        }
    }
    return {};
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

Status ArchiveWriter::drop_forgotten_keys(std::stop_token stop) {
    OPENARCHIVER_TRY(const auto reader, catalog::CatalogReader::open(catalog_folder_));
    OPENARCHIVER_TRY(const auto forgotten, reader->forgotten());
    bool dropped = false;
    for (const auto& account : forgotten) {
        dropped = archive_->keyring().forget(account.source, account.account) || dropped;
    }
    return dropped ? archive_->save_keyring(std::move(stop)) : Status();
}

Result<std::uint64_t> ArchiveWriter::catch_up(std::stop_token stop) {
    std::uint64_t beyond_gap = 0;
    OPENARCHIVER_CHECK(replay(*catalog_, [](const auto&) {}, beyond_gap, std::move(stop)));
    return beyond_gap;
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
    writer->heads_ = std::make_unique<Heads>(*writer->archive_, *writer->catalog_, context.log);
    OPENARCHIVER_CHECK(writer->heads_->catch_up(stop));
    OPENARCHIVER_CHECK(writer->drop_forgotten_keys(stop));
    return writer;
}

Result<std::unique_ptr<ArchiveWriter>> ArchiveWriter::rebuild(
    const Context& context, const std::function<void(const archive::LogPosition&)>& progress,
    std::stop_token stop) {
    OPENARCHIVER_TRY(auto writer, open_archive(context, false, [](std::string_view) {}, stop));
    const auto file = catalog::catalog_file(writer->catalog_folder_);
    const auto fresh = writer->catalog_folder_ / "catalog.rebuild.db";
    const auto with = [](std::filesystem::path path, const char* suffix) { return path += suffix; };
    std::error_code code;
    for (const char* suffix : {"", "-wal", "-shm"}) {
        std::filesystem::remove(with(fresh, suffix), code);
    }
    {
        OPENARCHIVER_TRY(auto catalog, catalog::CatalogWriter::fill_file(
                                           fresh, writer->archive_->marker().archive_id));
        std::uint64_t beyond_gap = 0;
        OPENARCHIVER_CHECK(writer->replay(*catalog, progress, beyond_gap, stop));
        OPENARCHIVER_CHECK(Heads(*writer->archive_, *catalog, context.log).catch_up(stop));
        if (beyond_gap != 0) {
            context.log->error(
                "OA-3004 the archive's log has a gap: {} segments beyond it can't be applied, and "
                "what "
                "they say is missing from the new catalog; `openarchiver verify` names the missing "
                "object: bring it back from a copy of the archive and run `openarchiver rebuild` "
                "again",
                beyond_gap);
        }
        OPENARCHIVER_CHECK(catalog->finish());
    }
    for (const char* suffix : {"-wal", "-shm"}) {
        std::filesystem::remove(with(file, suffix), code);
    }
    OPENARCHIVER_CHECK(catalog::put_in_place(fresh, file));
    OPENARCHIVER_TRY(writer->catalog_,
                     catalog::CatalogWriter::open(writer->catalog_folder_,
                                                  writer->archive_->marker().archive_id));
    writer->heads_ = std::make_unique<Heads>(*writer->archive_, *writer->catalog_, context.log);
    OPENARCHIVER_CHECK(writer->heads_->catch_up(stop));
    OPENARCHIVER_CHECK(writer->drop_forgotten_keys(stop));
    return writer;
}

}  // namespace openarchiver::access
