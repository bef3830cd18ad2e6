#include "catalog/catalog_reader.hpp"

#include <Poco/Data/TypeHandler.h>
#include <Poco/Tuple.h>

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <unordered_map>

#include "catalog/database.hpp"
#include "catalog/item_matcher.hpp"
#include "catalog/properties.hpp"
#include "catalog/schema.hpp"
#include "catalog/tree.hpp"

namespace openarchiver::catalog {

using namespace Poco::Data::Keywords;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

sdk::Timestamp timestamp(Integer value) {
    return sdk::Timestamp(std::chrono::milliseconds(value));
}

std::string text_of(const Blob& blob) {
    return {reinterpret_cast<const char*>(blob.rawContent()), blob.size()};
}

template <std::size_t N>
std::array<std::byte, N> array_of(const Blob& blob) {
    std::array<std::byte, N> bytes{};
    std::copy_n(reinterpret_cast<const std::byte*>(blob.rawContent()), std::min(N, blob.size()),
                bytes.begin());
    return bytes;
}

Blob blob(const archive::Digest& digest) {
    return Blob(reinterpret_cast<const unsigned char*>(digest.data()), digest.size());
}

/// `has` is SQL's word on whether there is a cursor: an empty one is a cursor, too.
std::optional<sdk::Cursor> cursor_of(Integer has, Integer format, const Blob& value) {
    if (has == 0) {
        return std::nullopt;
    }
    return sdk::Cursor{static_cast<std::uint32_t>(format), text_of(value)};
}

/// Runs a query of several rows; `visit` is called with the outputs for each.
template <typename Visit, typename... Out>
void each_row(Poco::Data::Statement& statement, Visit&& visit, Out&... out) {
    ((statement, into(out)), ...);
    statement, range(0, 1);
    while (!statement.done()) {
        if (statement.execute() > 0) {
            visit();
        }
    }
}

Fidelity fidelity_of(Integer value) {
    return value == 0 ? Fidelity::exact : Fidelity::reconstructed;
}

constexpr const char* kVersionColumns =
    "SELECT v.item, v.version, i.ref, s.id, a.account, a.id, a.address, i.id, i.left_at, c.digest,"
    " c.size, c.content, v.tag, v.media_type, v.received_at, v.archived_at,"
    " v.message_id, v.subject, v.sender, v.fidelity, v.segment, v.properties"
    " FROM versions v JOIN items i ON i.item=v.item JOIN accounts a ON a.account=i.account"
    " JOIN sources s ON s.source=a.source JOIN contents c ON c.content=v.content";

/// The row of kVersionColumns.
struct VersionRow {
    Integer item = 0, version = 0, account = 0, left_at = 0, size = 0, content = 0, received_at = 0,
            archived_at = 0, fidelity = 0, segment = 0;
    std::string ref, source, account_id, address, id, tag, media_type, message_id, subject, sender,
        properties;
    Blob digest;

    template <typename Visit>
    void each(Poco::Data::Statement& statement, Visit&& visit) {
        each_row(statement, std::forward<Visit>(visit), item, version, ref, source, account,
                 account_id, address, id, left_at, digest, size, content, tag, media_type,
                 received_at, archived_at, message_id, subject, sender, fidelity, segment,
                 properties);
    }

    void read(const PreparedStatement& statement) {
        int column = 0;
        const auto into = [&](auto&... values) { (statement.read(column++, values), ...); };
        into(item, version, ref, source, account, account_id, address, id, left_at, digest, size,
             content, tag, media_type, received_at, archived_at, message_id, subject, sender,
             fidelity, segment, properties);
    }

    [[nodiscard]] VersionRecord record() const {
        VersionRecord r;
        r.item_key = item;
        r.version = version;
        r.ref = ref;
        r.source = source;
        r.account_key = account;
        r.account = account_id;
        r.address = address;
        r.item = id;
        r.left_at = timestamp(left_at);
        r.content = array_of<32>(digest);
        r.size = static_cast<std::uint64_t>(size);
        r.content_key = content;
        r.content_tag = tag;
        r.media_type = media_type;
        r.received_at = timestamp(received_at);
        r.archived_at = timestamp(archived_at);
        r.message_id = message_id;
        r.subject = subject;
        r.from = sender;
        r.properties = properties;
        r.fidelity = fidelity_of(fidelity);
        r.segment = segment;
        return r;
    }
};

std::string joined(const std::vector<std::string>& path) {
    std::string text;
    for (const auto& name : path) {
        text += text.empty() ? name : "/" + name;
    }
    return text;
}

/// Names of the folders above each folder; a cycle or a missing parent ends the path.
void fill_paths(std::vector<FolderRecord>& folders) {
    std::unordered_map<std::string, const FolderRecord*> by_id;
    for (const auto& folder : folders) {
        by_id[folder.folder.id] = &folder;
    }
    for (auto& folder : folders) {
        const FolderRecord* at = &folder;
        for (std::size_t depth = 0; at != nullptr && depth <= folders.size(); ++depth) {
            folder.path.push_back(at->folder.display_name);
            const auto parent = by_id.find(at->folder.parent_id);
            at = parent == by_id.end() ? nullptr : parent->second;
        }
        std::reverse(folder.path.begin(), folder.path.end());
    }
}

}  // namespace

struct CatalogReader::State {
    State(std::filesystem::path opened_folder, Poco::Data::Session opened)
        : folder(std::move(opened_folder)), session(std::move(opened)) {}

    const std::filesystem::path folder;
    std::mutex mutex;  // guards the connection
    Poco::Data::Session session;
    Query<std::tuple<Integer, std::string, Integer, Integer, Integer>, std::string, Integer,
          std::string>
        find_item{session,
                  "SELECT i.item, coalesce(v.tag, ''), EXISTS(SELECT 1 FROM placements p"
                  " JOIN folders d ON d.folder=p.folder WHERE p.item=i.item AND d.id=?),"
                  " coalesce(v.fidelity, 0), i.disposal"
                  " FROM items i LEFT JOIN versions v ON v.item=i.item"
                  " WHERE i.account=? AND i.id=? ORDER BY v.version DESC LIMIT 1"};
    Query<std::tuple<Integer>, Integer> folder_count{
        session, "SELECT count(*) FROM placements WHERE folder=?"};
    Query<std::tuple<Integer, Integer, Integer>, Integer, Integer> account_counts{
        session,
        "SELECT count(*), coalesce(sum(left_at=0), 0), (SELECT count(*) FROM failures f WHERE"
        " f.account=? AND f.accepted=0) FROM items WHERE account=? AND disposal=0"};

    Query<std::tuple<Blob, Integer, Integer, Integer, Integer, Integer, Blob, Integer>, Integer>
        place_of_content{session,
                         "SELECT c.digest, c.size, c.pack, c.frame, c.offset, c.composition, p.id,"
                         " p.size FROM contents c JOIN packs p ON p.pack=c.pack"
                         " WHERE c.content=?"};
    Query<std::tuple<Integer, Integer, Integer, Blob, Blob, Blob, Integer>, Integer, Integer>
        part_of_content{session,
                        "SELECT x.pack, x.frame, x.size, x.key, h.wrapped, p.id, p.size"
                        " FROM content_parts cp JOIN contents c ON c.content=cp.content"
                        " JOIN parts x ON x.part=cp.part JOIN held_parts h ON h.part=x.part"
                        " AND h.account=c.account JOIN packs p ON p.pack=x.pack"
                        " WHERE cp.content=? AND cp.position=?"};
    PreparedStatement folders_with{session,
                                   "SELECT folder FROM placements WHERE item=? ORDER BY folder"};
    PreparedStatement last_folder{
        session, "SELECT folder FROM history WHERE item=? ORDER BY position DESC LIMIT 1"};
    PreparedStatement one_version{
        session, (std::string(kVersionColumns) + " WHERE v.item=? AND v.version=?").c_str()};
    Query<std::tuple<>> begin{session, "BEGIN"};
    Query<std::tuple<>> commit{session, "COMMIT"};

    /// What is read while it lives is of one moment.
    class OneMoment {
    public:
        explicit OneMoment(State& state) : commit_(state.commit) { state.begin(); }

        OneMoment(const OneMoment&) = delete;
        OneMoment& operator=(const OneMoment&) = delete;

        ~OneMoment() {
            try {
                commit_();
            } catch (const Poco::Exception&) {
                // A snapshot is let go with its connection, too.
            }
        }

    private:
        Query<std::tuple<>>& commit_;
    };

    Query<std::tuple<Integer, Integer, Integer>, Blob> find_pack{
        session, "SELECT replaced, locked_until, held FROM packs WHERE id=?"};
    Query<std::tuple<Blob, Integer, Integer, Integer>, Integer, Integer> frame{
        session, "SELECT key, offset, stored, raw FROM frames WHERE pack=? AND frame=?"};

    static std::vector<std::int64_t> folders(PreparedStatement& statement, Integer item) {
        const ResetAtEnd reset(statement);
        std::vector<std::int64_t> keys;
        statement.bind(1, item);
        while (statement.step()) {
            statement.read(0, keys.emplace_back());
        }
        return keys;
    }

    /// What is known of the frames that hold `size` bytes from a place on.
    archive::PackInfo some_frames(Integer pack, const Blob& id, Integer pack_size,
                                  const archive::Placement& from, std::uint64_t size) {
        archive::PackInfo info;
        info.id = array_of<32>(id);
        info.size = static_cast<std::uint64_t>(pack_size);
        info.first_frame = from.frame;
        const std::uint64_t end = from.offset + size;
        Integer number = from.frame;
        for (std::uint64_t known = 0; known < end && frame(pack, number); ++number) {
            info.frames.push_back({array_of<16>(frame.get<0>()),
                                   static_cast<std::uint64_t>(frame.get<1>()),
                                   static_cast<std::uint64_t>(frame.get<2>()),
                                   static_cast<std::uint64_t>(frame.get<3>())});
            known += info.frames.back().raw_size;
        }
        return info;
    }

    archive::StoredContent stored(Integer key) {
        archive::StoredContent content;
        if (!place_of_content(key)) {
            throw Poco::NotFoundException("no such content");
        }
        auto& place = place_of_content;
        content.id = array_of<32>(place.get<0>());
        content.size = static_cast<std::uint64_t>(place.get<1>());
        content.placement = {static_cast<std::uint32_t>(place.get<3>()),
                             static_cast<std::uint64_t>(place.get<4>())};
        content.composition_size = static_cast<std::uint64_t>(place.get<5>());
        const bool composed = content.composition_size > 0;
        content.pack =
            some_frames(place.get<2>(), place.get<6>(), place.get<7>(), content.placement,
                        composed ? content.composition_size : content.size);
        for (Integer i = 0; composed && part_of_content(key, i); ++i) {
            auto& row = part_of_content;
            archive::StoredPart part;
            part.frame = static_cast<std::uint32_t>(row.get<1>());
            part.size = static_cast<std::uint64_t>(row.get<2>());
            part.key = array_of<16>(row.get<3>());
            part.wrapped = array_of<48>(row.get<4>());
            part.pack =
                some_frames(row.get<0>(), row.get<5>(), row.get<6>(), {part.frame, 0}, part.size);
            content.parts.push_back(std::move(part));
        }
        return content;
    }

    /// Runs `action` alone on the connection.
    template <typename Action>
    auto read(Action&& action) -> decltype(action()) {
        const std::lock_guard lock(mutex);
        return translated("reading the catalog", std::forward<Action>(action));
    }

    template <typename Visit>
    void each_source(const char* where, const std::string& id, Visit&& visit) {
        Poco::Data::Statement statement(session);
        SourceRecord r;
        Integer imported = 0, started = 0, ended = 0, good = 0, has = 0, format = 0;
        Blob value;
        statement << std::string(
                         "SELECT source, id, name, provider, imported_at, run_started_at,"
                         " run_ended_at, good_run_at, error_code, error_message,"
                         " run_report, cursor_format >= 0, cursor_format,"
                         " coalesce(cursor, x'') FROM sources ") +
                         where,
            bind(id);
        each_row(
            statement,
            [&] {
                r.imported_at = timestamp(imported);
                r.run_started_at = timestamp(started);
                r.run_ended_at = timestamp(ended);
                r.good_run_at = timestamp(good);
                r.accounts_cursor = cursor_of(has, format, value);
                visit(r);
            },
            r.key, r.id, r.name, r.provider, imported, started, ended, good, r.error_code,
            r.error_message, r.run_report, has, format, value);
    }

    std::vector<std::int64_t> folders_of(Integer item) {
        auto keys = folders(folders_with, item);
        return keys.empty() ? folders(last_folder, item) : keys;
    }

    std::vector<FolderRecord> folders_of_account(Integer account_key) {
        std::vector<FolderRecord> folders;
        Poco::Data::Statement statement(session);
        FolderRecord r;
        Integer hidden = 0, archived = 0, count = 0, removed = 0, synced = 0, logged = 0,
                counted = 0, unexplained = 0, error_at = 0, attempts = 0, has = 0, format = 0;
        Blob value;
        statement
            << "SELECT folder, account, id, parent_id, name, well_known, hidden, archived,"
               " item_count, removed_at, synced_at, cursor_logged_at, counted_at, unexplained,"
               " error_at, error_code, error_message, error_request_id, attempts, cursor_format >= "
               "0,"
               " cursor_format, coalesce(cursor, x'') FROM folders WHERE account=?"
               " ORDER BY folder",
            bind(account_key);
        each_row(
            statement,
            [&] {
                r.folder.hidden = hidden != 0;
                r.folder.archived = archived != 0;
                r.folder.item_count.reset();
                if (count >= 0) {
                    r.folder.item_count = static_cast<std::uint64_t>(count);
                }
                r.removed_at = timestamp(removed);
                r.synced_at = timestamp(synced);
                r.cursor_logged_at = timestamp(logged);
                r.counted_at = timestamp(counted);
                r.unexplained.reset();
                if (unexplained >= 0) {
                    r.unexplained = static_cast<std::uint64_t>(unexplained);
                }
                r.error.at = timestamp(error_at);
                r.error.attempts = static_cast<int>(attempts);
                r.cursor = cursor_of(has, format, value);
                folders.push_back(r);
            },
            r.key, r.account_key, r.folder.id, r.folder.parent_id, r.folder.display_name,
            r.folder.well_known_name, hidden, archived, count, removed, synced, logged, counted,
            unexplained, error_at, r.error.code, r.error.message, r.error.request_id, attempts, has,
            format, value);
        fill_paths(folders);
        return folders;
    }
};

CatalogReader::CatalogReader(std::unique_ptr<State> state) : state_(std::move(state)) {}

CatalogReader::~CatalogReader() = default;

Result<std::unique_ptr<CatalogReader>> CatalogReader::open(const std::filesystem::path& folder) {
    const auto file = catalog_file(folder);
    OPENARCHIVER_CHECK(check_schema(file));
    return translated("opening the catalog", [&]() -> Result<std::unique_ptr<CatalogReader>> {
        auto state = std::make_unique<State>(folder, open_session(file, Access::read));
        return std::unique_ptr<CatalogReader>(new CatalogReader(std::move(state)));
    });
}

const std::filesystem::path& CatalogReader::folder() const {
    return state_->folder;
}

Result<std::string> CatalogReader::archive_id() {
    return state_->read([&]() -> Result<std::string> {
        std::string id;
        state_->session << "SELECT value FROM meta WHERE key='archive'", into(id), now;
        return id;
    });
}

Result<std::string> CatalogReader::catalog_id() {
    return state_->read([&]() -> Result<std::string> {
        std::string id;
        state_->session << "SELECT value FROM meta WHERE key='writer'", into(id), now;
        return id;
    });
}

Result<std::vector<std::pair<std::string, archive::LogPosition>>> CatalogReader::positions() {
    using Positions = std::vector<std::pair<std::string, archive::LogPosition>>;
    return state_->read([&]() -> Result<Positions> {
        Positions positions;
        Poco::Data::Statement statement(state_->session);
        std::string writer;
        Integer sequence = 0;
        Blob digest;
        statement << "SELECT writer, sequence, digest FROM writers ORDER BY writer";
        each_row(
            statement,
            [&] {
                positions.emplace_back(writer,
                                       archive::LogPosition{static_cast<std::uint64_t>(sequence),
                                                            array_of<32>(digest)});
            },
            writer, sequence, digest);
        return positions;
    });
}

Result<std::vector<SourceRecord>> CatalogReader::sources() {
    return state_->read([&]() -> Result<std::vector<SourceRecord>> {
        std::vector<SourceRecord> records;
        state_->each_source("WHERE ?1='' ORDER BY id", "",
                            [&](const SourceRecord& r) { records.push_back(r); });
        return records;
    });
}

Result<SourceRecord> CatalogReader::source(std::string_view id) {
    return state_->read([&]() -> Result<SourceRecord> {
        std::optional<SourceRecord> record;
        state_->each_source("WHERE id=?", std::string(id),
                            [&](const SourceRecord& r) { record = r; });
        if (!record) {
            return Error{Errc::not_found,
                         "the archive holds nothing of source '" + std::string(id) + "' yet"};
        }
        return std::move(*record);
    });
}

Result<std::vector<AccountRecord>> CatalogReader::accounts(std::string_view source) {
    return state_->read([&]() -> Result<std::vector<AccountRecord>> {
        std::vector<AccountRecord> records;
        Poco::Data::Statement statement(state_->session);
        AccountRecord r;
        Integer state = 0, first = 0, last = 0, error_at = 0, attempts = 0, has = 0, format = 0;
        Blob value;
        statement << "SELECT a.account, s.id, a.id, a.address, a.display_name, a.state, a.reason,"
                     " a.first_pass_at, a.last_pass_at, a.error_at, a.error_code,"
                     " a.error_message, a.error_request_id, a.attempts, a.cursor_format >= 0,"
                     " a.cursor_format, coalesce(a.cursor, x'') FROM accounts a JOIN sources s"
                     " ON s.source=a.source WHERE s.id=? ORDER BY a.account",
            bind(std::string(source));
        each_row(
            statement,
            [&] {
                r.state = static_cast<sdk::AccountState>(state);
                r.first_pass_at = timestamp(first);
                r.last_pass_at = timestamp(last);
                r.error.at = timestamp(error_at);
                r.error.attempts = static_cast<int>(attempts);
                r.folders_cursor = cursor_of(has, format, value);
                records.push_back(r);
            },
            r.key, r.source, r.id, r.address, r.display_name, state, r.reason, first, last,
            error_at, r.error.code, r.error.message, r.error.request_id, attempts, has, format,
            value);
        return records;
    });
}

Result<std::vector<FolderRecord>> CatalogReader::folders(std::int64_t account_key) {
    return state_->read([&]() -> Result<std::vector<FolderRecord>> {
        return state_->folders_of_account(account_key);
    });
}

Result<std::vector<std::int64_t>> CatalogReader::folders_at(const std::vector<std::string>& paths,
                                                            const std::vector<std::string>& ids) {
    return state_->read([&]() -> Result<std::vector<std::int64_t>> {
        const std::unordered_set<std::string_view> wanted_ids(ids.begin(), ids.end());
        std::vector<std::int64_t> keys;
        if (paths.empty() && ids.empty()) {
            return keys;
        }
        std::vector<Integer> accounts;
        state_->session << "SELECT account FROM accounts", into(accounts), now;
        for (const Integer account : accounts) {
            const auto folders = state_->folders_of_account(account);
            std::unordered_map<std::string_view, std::string_view> parents;
            for (const auto& folder : folders) {
                parents.emplace(folder.folder.id, folder.folder.parent_id);
            }
            const auto is_below = [&](std::string_view id) {
                for (std::size_t steps = 0; steps <= folders.size(); ++steps) {
                    if (wanted_ids.contains(id)) {
                        return true;
                    }
                    const auto parent = parents.find(id);
                    if (parent == parents.end()) {
                        break;
                    }
                    id = parent->second;
                }
                return false;
            };
            for (const auto& folder : folders) {
                const std::string path = joined(folder.path);
                const bool wanted = std::any_of(paths.begin(), paths.end(), [&](const auto& p) {
                    return path == p || path.starts_with(p + "/");
                });
                if (wanted || (!wanted_ids.empty() && is_below(folder.folder.id))) {
                    keys.push_back(folder.key);
                }
            }
        }
        return keys;
    });
}

Result<std::optional<KnownItem>> CatalogReader::find_item(std::int64_t account_key,
                                                          std::string_view item_id,
                                                          std::string_view folder_id) {
    return state_->read([&]() -> Result<std::optional<KnownItem>> {
        auto& query = state_->find_item;
        if (!query(std::string(folder_id), account_key, std::string(item_id))) {
            return std::optional<KnownItem>();
        }
        return std::optional(KnownItem{query.get<0>(), query.get<1>(), query.get<2>() != 0,
                                       fidelity_of(query.get<3>()), query.get<4>() != 0});
    });
}

Status CatalogReader::visit_folder(std::int64_t folder_key,
                                   const std::function<void(std::int64_t, std::string)>& visit) {
    return state_->read([&]() -> Status {
        Poco::Data::Statement statement(state_->session);
        Integer key = 0;
        std::string id;
        statement << "SELECT i.item, i.id FROM placements p JOIN items i ON i.item=p.item"
                     " WHERE p.folder=?",
            bind(folder_key);
        each_row(statement, [&] { visit(key, id); }, key, id);
        return {};
    });
}

Result<ItemCounts> CatalogReader::account_counts(std::int64_t account_key) {
    return state_->read([&]() -> Result<ItemCounts> {
        auto& query = state_->account_counts;
        query(account_key, account_key);
        return ItemCounts{static_cast<std::uint64_t>(query.get<0>()),
                          static_cast<std::uint64_t>(query.get<1>()),
                          static_cast<std::uint64_t>(query.get<2>())};
    });
}

Result<std::unordered_map<std::int64_t, FolderCounts>> CatalogReader::folder_counts(
    std::int64_t account_key) {
    using Counts = std::unordered_map<std::int64_t, FolderCounts>;
    return state_->read([&]() -> Result<Counts> {
        Counts counts;
        Integer folder = 0, first = 0, second = 0;
        {
            Poco::Data::Statement statement(state_->session);
            statement << "SELECT p.folder, count(*), 0 FROM items i"
                         " JOIN placements p ON p.item=i.item"
                         " WHERE i.account=? AND i.disposal>0 GROUP BY 1",
                bind(account_key);
            each_row(
                statement, [&] { counts[folder].disposed = static_cast<std::uint64_t>(first); },
                folder, first, second);
        }
        {
            Poco::Data::Statement statement(state_->session);
            statement << "SELECT f.folder, count(p.item), 0 FROM folders f"
                         " JOIN placements p ON p.folder=f.folder WHERE f.account=? GROUP BY 1",
                bind(account_key);
            each_row(
                statement,
                [&] {
                    auto& of_folder = counts[folder];
                    of_folder.items = static_cast<std::uint64_t>(first) - of_folder.disposed;
                },
                folder, first, second);
        }
        Poco::Data::Statement statement(state_->session);
        statement << "SELECT x.folder, sum(NOT EXISTS(SELECT 1 FROM items i JOIN placements p"
                     " ON p.item=i.item WHERE i.account=x.account AND i.id=x.item"
                     " AND p.folder=x.folder)), sum(x.accepted=0) FROM failures x"
                     " WHERE x.account=? GROUP BY x.folder",
            bind(account_key);
        each_row(
            statement,
            [&] {
                counts[folder].failed = static_cast<std::uint64_t>(first);
                counts[folder].outstanding = static_cast<std::uint64_t>(second);
            },
            folder, first, second);
        return counts;
    });
}

Result<std::uint64_t> CatalogReader::folder_count(std::int64_t folder_key) {
    return state_->read([&]() -> Result<std::uint64_t> {
        state_->folder_count(folder_key);
        return static_cast<std::uint64_t>(state_->folder_count.get<0>());
    });
}

Result<Totals> CatalogReader::totals() {
    return state_->read([&]() -> Result<Totals> {
        Integer items = 0, versions = 0, version_bytes = 0, contents = 0, content_bytes = 0,
                parts = 0, part_bytes = 0, shared_bytes = 0, packs = 0, raw_bytes = 0,
                pack_bytes = 0;
        auto& session = state_->session;
        session << "SELECT count(*) - (SELECT count(*) FROM items WHERE disposal>0) FROM items",
            into(items), now;
        session << "SELECT count(*), coalesce(sum(c.size), 0) FROM versions v JOIN contents c"
                   " ON c.content=v.content",
            into(versions), into(version_bytes), now;
        session << "SELECT count(*), coalesce(sum(size), 0) FROM contents", into(contents),
            into(content_bytes), now;
        session << "SELECT count(*), coalesce(sum(size), 0) FROM parts", into(parts),
            into(part_bytes), now;
        session << "SELECT coalesce(sum(p.size), 0) FROM content_parts cp"
                   " JOIN parts p ON p.part=cp.part",
            into(shared_bytes), now;
        session << "SELECT count(*), coalesce(sum(size), 0) FROM packs WHERE replaced=0",
            into(packs), into(pack_bytes), now;
        session << "SELECT coalesce(sum(raw), 0) FROM frames", into(raw_bytes), now;
        const auto u = [](Integer n) { return static_cast<std::uint64_t>(n); };
        return Totals{.items = u(items),
                      .versions = u(versions),
                      .version_bytes = u(version_bytes),
                      .contents = u(contents),
                      .content_bytes = u(content_bytes),
                      .parts = u(parts),
                      .part_bytes = u(part_bytes),
                      .shared_bytes = u(shared_bytes - part_bytes),
                      .packs = u(packs),
                      .raw_bytes = u(raw_bytes),
                      .pack_bytes = u(pack_bytes)};
    });
}

Status CatalogReader::visit_versions(const ItemFilter& filter,
                                     const std::function<Status(const VersionRecord&)>& visit,
                                     VersionPosition after) {
    OPENARCHIVER_TRY(const auto matcher, ItemMatcher::make(*this, filter));
    // In pages, so that neither the connection nor a snapshot is held while `visit` works.
    constexpr std::size_t kPage = 500;
    while (true) {
        std::vector<VersionRecord> page;
        OPENARCHIVER_CHECK(state_->read([&]() -> Status {
            Poco::Data::Statement statement(state_->session);
            statement << std::string(kVersionColumns) +
                             " WHERE (v.item, v.version) > (?, ?) ORDER BY v.item, v.version"
                             " LIMIT " +
                             std::to_string(kPage),
                bind(after.item), bind(after.version);
            VersionRow row;
            row.each(statement, [&] { page.push_back(row.record()); });
            return {};
        }));
        for (const auto& record : page) {
            OPENARCHIVER_TRY(const bool wanted, matcher.matches(record));
            if (wanted) {
                OPENARCHIVER_CHECK(visit(record));
            }
        }
        if (page.size() < kPage) {
            return {};
        }
        after = {page.back().item_key, page.back().version};
    }
}

Result<std::vector<VersionRecord>> CatalogReader::versions_after(const VersionMark& mark,
                                                                 std::size_t limit) {
    return state_->read([&]() -> Result<std::vector<VersionRecord>> {
        std::vector<VersionRecord> records;
        Poco::Data::Statement statement(state_->session);
        Integer segment = mark.segment;
        Integer item = mark.item_key;
        Integer version = mark.version;
        statement << std::string(kVersionColumns) +
                         " WHERE (v.segment, v.item, v.version) > (?, ?, ?)"
                         " ORDER BY v.segment, v.item, v.version LIMIT " +
                         std::to_string(limit),
            use(segment), use(item), use(version);
        VersionRow row;
        row.each(statement, [&] { records.push_back(row.record()); });
        return records;
    });
}

Result<std::uint64_t> CatalogReader::count_after(const VersionMark& mark,
                                                 const std::vector<std::int64_t>& account_keys) {
    return state_->read([&]() -> Result<std::uint64_t> {
        std::string sql =
            "SELECT count(*) FROM versions v JOIN items i ON i.item=v.item"
            " WHERE (v.segment, v.item, v.version) > (?, ?, ?)";
        if (!account_keys.empty()) {
            std::string keys;
            for (const auto key : account_keys) {
                keys += (keys.empty() ? "" : ",") + std::to_string(key);
            }
            sql += " AND i.account IN (" + keys + ")";
        }
        Query<std::tuple<Integer>, Integer, Integer, Integer> query(state_->session, sql.c_str());
        query(mark.segment, mark.item_key, mark.version);
        return static_cast<std::uint64_t>(query.get<0>());
    });
}

Result<std::optional<VersionRecord>> CatalogReader::find_version(std::int64_t item_key,
                                                                 std::int64_t version) {
    return state_->read([&]() -> Result<std::optional<VersionRecord>> {
        auto& statement = state_->one_version;
        const ResetAtEnd reset(statement);
        statement.bind(1, item_key);
        statement.bind(2, version);
        std::optional<VersionRecord> record;
        if (statement.step()) {
            VersionRow row;
            row.read(statement);
            record = row.record();
        }
        return record;
    });
}

Result<std::vector<VersionRecord>> CatalogReader::versions(std::string_view ref) {
    return state_->read([&]() -> Result<std::vector<VersionRecord>> {
        std::vector<VersionRecord> records;
        Poco::Data::Statement statement(state_->session);
        statement << std::string(kVersionColumns) + " WHERE i.ref=? ORDER BY v.version",
            bind(std::string(ref));
        VersionRow row;
        row.each(statement, [&] { records.push_back(row.record()); });
        if (records.empty()) {
            std::string disposal;
            state_->session << "SELECT d.id FROM items i JOIN disposals d ON d.disposal=i.disposal"
                               " WHERE i.ref=?",
                bind(std::string(ref)), into(disposal), now;
            return Error{Errc::not_found,
                         disposal.empty()
                             ? "no archived item has the ref '" + std::string(ref) +
                                   "': refs are in the manifest of an export, as 24 hexadecimal "
                                   "digits"
                             : "the item " + std::string(ref) + " was disposed of by disposal " +
                                   disposal + "; `openarchiver retention list` shows it"};
        }
        return records;
    });
}

namespace {

/// Its row: writer, sequence, leaf in the segment, the segment's first leaf in the tree.
template <typename LeafQuery>
LeafRecord leaf_record(LeafQuery& query) {
    LeafRecord record{.writer = query.template get<0>(),
                      .sequence = static_cast<std::uint64_t>(query.template get<1>()),
                      .leaf = static_cast<std::uint32_t>(query.template get<2>()),
                      .number = {}};
    if (const Integer first = query.template get<3>(); first >= 0) {
        record.number = static_cast<std::uint64_t>(first) + record.leaf;
    }
    return record;
}

}  // namespace

Result<LeafRecord> CatalogReader::leaf_of(std::int64_t item_key, std::int64_t version) {
    return state_->read([&]() -> Result<LeafRecord> {
        Query<std::tuple<std::string, Integer, Integer, Integer>, Integer, Integer> query(
            state_->session,
            "SELECT s.writer, s.sequence, v.leaf, s.first FROM versions v"
            " JOIN segments s ON s.segment=v.segment WHERE v.item=? AND v.version=?");
        if (!query(item_key, version)) {
            return Error{Errc::not_found, "the archive's tree has no leaf for this version"};
        }
        return leaf_record(query);
    });
}

Result<LeafRecord> CatalogReader::leaf_of_disposal(std::string_view id) {
    return state_->read([&]() -> Result<LeafRecord> {
        Query<std::tuple<std::string, Integer, Integer, Integer>, std::string> query(
            state_->session,
            "SELECT s.writer, s.sequence, d.leaf, s.first FROM disposals d"
            " JOIN segments s ON s.segment=d.segment WHERE d.id=?");
        if (!query(std::string(id))) {
            return Error{Errc::not_found, "there is no disposal " + std::string(id) +
                                              "; `openarchiver retention list` lists them"};
        }
        return leaf_record(query);
    });
}

Result<std::optional<std::string>> CatalogReader::newest_head() {
    return head(0);
}

Result<std::optional<std::string>> CatalogReader::head(std::uint64_t number) {
    return state_->read([&]() -> Result<std::optional<std::string>> {
        Query<std::tuple<std::string>, Integer> query(
            state_->session,
            "SELECT note FROM heads WHERE ? IN (0, head) ORDER BY head DESC LIMIT 1");
        return query(static_cast<Integer>(number)) ? std::optional(query.get<0>()) : std::nullopt;
    });
}

Result<archive::Digest> CatalogReader::subtree(unsigned height, std::uint64_t index) {
    return state_->read(
        [&]() -> Result<archive::Digest> { return Tree(state_->session).subtree(height, index); });
}

Result<std::vector<HistoryRecord>> CatalogReader::history(std::int64_t item_key) {
    return state_->read([&]() -> Result<std::vector<HistoryRecord>> {
        std::vector<HistoryRecord> records;
        Poco::Data::Statement statement(state_->session);
        Integer at = 0, kind = 0, folder = 0;
        statement << "SELECT at, kind, folder FROM history WHERE item=? ORDER BY position",
            bind(item_key);
        each_row(
            statement,
            [&] { records.push_back({timestamp(at), static_cast<HistoryKind>(kind), folder}); }, at,
            kind, folder);
        return records;
    });
}

Result<std::vector<std::int64_t>> CatalogReader::folders_of(std::int64_t item_key) {
    return state_->read(
        [&]() -> Result<std::vector<std::int64_t>> { return state_->folders_of(item_key); });
}

Result<std::vector<std::vector<std::int64_t>>> CatalogReader::folders_of(
    const std::vector<std::int64_t>& item_keys) {
    return state_->read([&]() -> Result<std::vector<std::vector<std::int64_t>>> {
        const State::OneMoment moment(*state_);
        std::vector<std::vector<std::int64_t>> folders;
        folders.reserve(item_keys.size());
        for (const auto key : item_keys) {
            folders.push_back(state_->folders_of(key));
        }
        return folders;
    });
}

Result<archive::StoredContent> CatalogReader::stored(std::int64_t content_key) {
    OPENARCHIVER_TRY(auto contents, stored(std::vector{content_key}));
    return std::move(contents.front());
}

Result<std::vector<archive::StoredContent>> CatalogReader::stored(
    const std::vector<std::int64_t>& content_keys) {
    return state_->read([&]() -> Result<std::vector<archive::StoredContent>> {
        const State::OneMoment moment(*state_);  // packs are replaced while we read
        std::vector<archive::StoredContent> contents;
        contents.reserve(content_keys.size());
        for (const auto key : content_keys) {
            contents.push_back(state_->stored(key));
        }
        return contents;
    });
}

Result<archive::PackInfo> CatalogReader::pack(std::int64_t pack_key) {
    return state_->read([&]() -> Result<archive::PackInfo> {
        archive::PackInfo info;
        Blob id;
        Integer size = 0;
        state_->session << "SELECT id, size FROM packs WHERE pack=?", bind(pack_key), into(id),
            into(size), now;
        if (id.size() != info.id.size()) {
            return Error{Errc::corrupt,
                         "the catalog names a pack that it does not know; run `rebuild`"};
        }
        info.id = array_of<32>(id);
        info.size = static_cast<std::uint64_t>(size);
        Poco::Data::Statement statement(state_->session);
        Blob key;
        Integer offset = 0, stored = 0, raw = 0;
        statement << "SELECT key, offset, stored, raw FROM frames WHERE pack=? ORDER BY frame",
            bind(pack_key);
        each_row(
            statement,
            [&] {
                info.frames.push_back({array_of<16>(key), static_cast<std::uint64_t>(offset),
                                       static_cast<std::uint64_t>(stored),
                                       static_cast<std::uint64_t>(raw)});
            },
            key, offset, stored, raw);
        return info;
    });
}

Result<std::vector<PartRecord>> CatalogReader::parts_in(const archive::Digest& pack) {
    return state_->read([&]() -> Result<std::vector<PartRecord>> {
        std::vector<PartRecord> records;
        Poco::Data::Statement statement(state_->session);
        PartRecord r;
        Blob digest, key, wrapped;
        Integer size = 0, frame = 0;
        statement << "SELECT x.part, x.digest, x.size, x.key, h.wrapped, x.frame, s.id, a.id"
                     " FROM parts x JOIN packs p ON p.pack=x.pack JOIN held_parts h"
                     " ON h.part=x.part JOIN accounts a ON a.account=h.account"
                     " JOIN sources s ON s.source=a.source WHERE p.id=? ORDER BY x.frame, x.part",
            bind(blob(pack));
        each_row(
            statement,
            [&] {
                r.held = {.id = array_of<32>(digest),
                          .size = static_cast<std::uint64_t>(size),
                          .key = array_of<16>(key),
                          .wrapped = array_of<48>(wrapped),
                          .pack = pack,
                          .frame = static_cast<std::uint32_t>(frame)};
                records.push_back(r);
            },
            r.key, digest, size, key, wrapped, frame, r.source, r.account);
        return records;
    });
}

Result<std::vector<SmallPack>> CatalogReader::small_packs(std::uint64_t size,
                                                          std::uint64_t full_frame,
                                                          sdk::Timestamp lock_ends_from,
                                                          sdk::Timestamp lock_ends_until) {
    return state_->read([&]() -> Result<std::vector<SmallPack>> {
        std::vector<SmallPack> packs;
        Poco::Data::Statement statement(state_->session);
        Integer key = 0, stored = 0, raw = 0;
        statement << "SELECT p.pack, p.size, sum(f.raw) FROM packs p JOIN frames f ON f.pack=p.pack"
                     " WHERE p.replaced=0 AND p.rewrite_by=0 AND p.size<?"
                     " AND p.locked_until BETWEEN ? AND ? AND p.held=0 GROUP BY p.pack HAVING "
                     "max(f.raw)<?"
                     " ORDER BY p.pack",
            bind(static_cast<Integer>(size)), bind(lock_ends_from.time_since_epoch().count()),
            bind(lock_ends_until.time_since_epoch().count()),
            bind(static_cast<Integer>(full_frame));
        each_row(
            statement,
            [&] {
                packs.push_back({.key = key,
                                 .size = static_cast<std::uint64_t>(stored),
                                 .raw_bytes = static_cast<std::uint64_t>(raw)});
            },
            key, stored, raw);
        return packs;
    });
}

Result<std::vector<PackToRewrite>> CatalogReader::packs_to_rewrite() {
    return state_->read([&]() -> Result<std::vector<PackToRewrite>> {
        std::vector<PackToRewrite> packs;
        Poco::Data::Statement statement(state_->session);
        Integer key = 0, by = 0, raw = 0, kept = 0;
        Blob id;
        statement << "SELECT p.pack, p.id, p.rewrite_by,"
                     " (SELECT coalesce(sum(f.raw), 0) FROM frames f WHERE f.pack=p.pack) AS raw,"
                     " (SELECT coalesce(sum(CASE c.composition WHEN 0 THEN c.size"
                     " ELSE c.composition END), 0) FROM contents c WHERE c.pack=p.pack)"
                     " + (SELECT coalesce(sum(x.size), 0) FROM parts x WHERE x.pack=p.pack) AS kept"
                     " FROM packs p WHERE p.rewrite_by>0 ORDER BY kept - raw, p.pack";
        each_row(
            statement,
            [&] {
                packs.push_back({.key = key,
                                 .id = array_of<32>(id),
                                 .by = timestamp(by),
                                 .raw_bytes = static_cast<std::uint64_t>(raw),
                                 .kept_bytes = static_cast<std::uint64_t>(kept)});
            },
            key, id, by, raw, kept);
        return packs;
    });
}

Result<std::vector<ContentInPack>> CatalogReader::contents_in(std::int64_t pack_key) {
    return state_->read([&]() -> Result<std::vector<ContentInPack>> {
        std::vector<ContentInPack> contents;
        Poco::Data::Statement statement(state_->session);
        Integer key = 0, frame = 0, offset = 0, size = 0;
        statement << "SELECT content, frame, offset,"
                     " CASE composition WHEN 0 THEN size ELSE composition END"
                     " FROM contents WHERE pack=? ORDER BY frame, offset",
            bind(pack_key);
        each_row(
            statement,
            [&] {
                contents.push_back(
                    {key,
                     {static_cast<std::uint32_t>(frame), static_cast<std::uint64_t>(offset)},
                     static_cast<std::uint64_t>(size)});
            },
            key, frame, offset, size);
        return contents;
    });
}

Result<std::optional<PackRecord>> CatalogReader::find_pack(const archive::Digest& id) {
    return state_->read([&]() -> Result<std::optional<PackRecord>> {
        if (!state_->find_pack(blob(id))) {
            return std::optional<PackRecord>();
        }
        return std::optional(PackRecord{.replaced_at = timestamp(state_->find_pack.get<0>()),
                                        .locked_until = timestamp(state_->find_pack.get<1>()),
                                        .held = state_->find_pack.get<2>() != 0});
    });
}

Result<sdk::Timestamp> CatalogReader::packs_collected_at() {
    return state_->read([&]() -> Result<sdk::Timestamp> {
        Integer at = 0;
        state_->session << "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta"
                           " WHERE key='packs_collected_at'), 0)",
            into(at), now;
        return timestamp(at);
    });
}

Result<std::string> CatalogReader::history_problem() {
    return state_->read([&]() -> Result<std::string> {
        std::string problem;
        state_->session << "SELECT coalesce((SELECT value FROM meta WHERE key='history_problem'),"
                           " '')",
            into(problem), now;
        return problem;
    });
}

Result<std::vector<ProtectedPack>> CatalogReader::protected_packs(sdk::Timestamp now) {
    return state_->read([&]() -> Result<std::vector<ProtectedPack>> {
        std::vector<ProtectedPack> packs;
        Poco::Data::Statement statement(state_->session);
        Integer key = 0, size = 0, replaced = 0, locked = 0, held = 0, rewrite = 0, raw = 0;
        Blob id;
        statement
            << "SELECT p.pack, p.id, p.size, p.replaced, p.locked_until, p.held, p.rewrite_by,"
               " (SELECT coalesce(sum(f.raw), 0) FROM frames f WHERE f.pack=p.pack)"
               " FROM packs p WHERE p.replaced=0 OR p.locked_until>? OR p.held<>0"
               " ORDER BY p.pack",
            bind(now.time_since_epoch().count());
        each_row(
            statement,
            [&] {
                packs.push_back({{.replaced_at = timestamp(replaced),
                                  .locked_until = timestamp(locked),
                                  .held = held != 0},
                                 key,
                                 array_of<32>(id),
                                 static_cast<std::uint64_t>(size),
                                 static_cast<std::uint64_t>(raw),
                                 rewrite > 0});
            },
            key, id, size, replaced, locked, held, rewrite, raw);
        return packs;
    });
}

Status CatalogReader::visit_places(const std::function<void(std::int64_t, std::int64_t)>& content,
                                   const std::function<void(std::int64_t, std::int64_t)>& part) {
    return state_->read([&]() -> Status {
        Integer pack = 0, key = 0;
        Poco::Data::Statement contents(state_->session);
        contents << "SELECT pack, content FROM contents";
        each_row(contents, [&] { content(pack, key); }, pack, key);
        if (!part) {
            return {};
        }
        Poco::Data::Statement parts(state_->session);
        parts << "SELECT pack, part FROM parts";
        each_row(parts, [&] { part(pack, key); }, pack, key);
        return {};
    });
}

Status CatalogReader::visit_content_parts(
    const std::function<void(std::int64_t, std::int64_t)>& visit) {
    return state_->read([&]() -> Status {
        Integer content = 0, part = 0;
        Poco::Data::Statement statement(state_->session);
        statement << "SELECT content, part FROM content_parts";
        each_row(statement, [&] { visit(content, part); }, content, part);
        return {};
    });
}

Result<LocksRecord> CatalogReader::locks() {
    return state_->read([&]() -> Result<LocksRecord> {
        LocksRecord record;
        Integer at = 0, log_at = 0;
        state_->session << "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM meta"
                           " WHERE key='locks_kept_at'), 0),"
                           " coalesce((SELECT CAST(value AS INTEGER) FROM meta"
                           " WHERE key='log_locks_kept_at'), 0),"
                           " coalesce((SELECT value FROM meta WHERE key='locks_report'), '')",
            into(at), into(log_at), into(record.report), now;
        record.at = timestamp(at);
        record.log_at = timestamp(log_at);
        return record;
    });
}

Status CatalogReader::visit_packs(const std::function<Status(const archive::PackInfo&)>& visit) {
    std::vector<Integer> keys;
    OPENARCHIVER_CHECK(state_->read([&]() -> Status {
        state_->session << "SELECT pack FROM packs WHERE replaced=0 ORDER BY pack", into(keys), now;
        return {};
    }));
    for (const Integer key : keys) {
        OPENARCHIVER_TRY(const auto info, pack(key));
        OPENARCHIVER_CHECK(visit(info));
    }
    return {};
}

Result<std::vector<HoldRecord>> CatalogReader::holds() {
    return state_->read([&]() -> Result<std::vector<HoldRecord>> {
        std::vector<HoldRecord> holds;
        std::string event, by, reason;
        Integer placed = 0, released = 0;
        Status status;
        Poco::Data::Statement statement(state_->session);
        statement << "SELECT event, placed_at, released_at, released_by, release_reason FROM holds"
                     " ORDER BY placed_at, id";
        each_row(
            statement,
            [&] {
                auto group = decode(event);
                if (!group || group->events.size() != 1 ||
                    !std::holds_alternative<HoldPlaced>(group->events.front().body)) {
                    status = Error{Errc::corrupt,
                                   "the catalog holds a legal hold that can't be read: run "
                                   "`openarchiver rebuild`"};
                    return;
                }
                holds.push_back({std::get<HoldPlaced>(std::move(group->events.front().body)),
                                 timestamp(placed), timestamp(released), by, reason});
            },
            event, placed, released, by, reason);
        OPENARCHIVER_CHECK(status);
        return holds;
    });
}

Result<std::vector<KeptSource>> CatalogReader::kept_sources() {
    return state_->read([&]() -> Result<std::vector<KeptSource>> {
        std::vector<KeptSource> sources;
        std::string event;
        Integer at = 0;
        Status status;
        Poco::Data::Statement statement(state_->session);
        statement << "SELECT event, at FROM kept_sources ORDER BY id";
        each_row(
            statement,
            [&] {
                auto group = decode(event);
                if (!group || group->events.size() != 1 ||
                    !std::holds_alternative<SourceDefined>(group->events.front().body)) {
                    status = Error{Errc::corrupt,
                                   "the catalog holds a source that can't be read: run "
                                   "`openarchiver rebuild`"};
                    return;
                }
                sources.push_back({std::get<SourceDefined>(std::move(group->events.front().body)),
                                   timestamp(at)});
            },
            event, at);
        OPENARCHIVER_CHECK(status);
        return sources;
    });
}

Result<std::vector<PausedSource>> CatalogReader::paused_sources() {
    return state_->read([&]() -> Result<std::vector<PausedSource>> {
        std::vector<PausedSource> sources;
        PausedSource source;
        Integer at = 0;
        Poco::Data::Statement statement(state_->session);
        statement << "SELECT id, paused_by, at FROM paused_sources ORDER BY id";
        each_row(
            statement,
            [&] {
                source.at = timestamp(at);
                sources.push_back(source);
            },
            source.id, source.by, at);
        return sources;
    });
}

Result<std::vector<AuditRecord>> CatalogReader::audit(const AuditFilter& filter,
                                                      std::int64_t before, std::size_t limit) {
    return state_->read([&]() -> Result<std::vector<AuditRecord>> {
        std::vector<AuditRecord> records;
        AuditRecord record;
        Integer key = 0, at = 0;
        const Integer last = before > 0 ? before : std::numeric_limits<Integer>::max();
        const Integer most = static_cast<Integer>(limit);
        const Integer since = filter.since ? filter.since->time_since_epoch().count()
                                           : std::numeric_limits<Integer>::min();
        const Integer until = filter.until ? filter.until->time_since_epoch().count()
                                           : std::numeric_limits<Integer>::max();
        const std::string &by = filter.by, &action = filter.action, &object = filter.object;
        Poco::Data::Statement statement(state_->session);
        statement << "SELECT entry, id, at, done_by, role, action, object, detail FROM audit"
                     " WHERE entry<? AND at>=? AND at<? AND (?='' OR done_by=?) AND (?='' OR"
                     " action=?) AND (?='' OR object=?) ORDER BY entry DESC LIMIT ?",
            bind(last), bind(since), bind(until), bind(by), bind(by), bind(action), bind(action),
            bind(object), bind(object), bind(most);
        auto& e = record.entry;
        each_row(
            statement,
            [&] {
                record.key = key;
                record.at = timestamp(at);
                records.push_back(record);
            },
            key, e.id, at, e.by, e.role, e.action, e.object, e.detail);
        return records;
    });
}

Result<std::vector<ForgottenRecord>> CatalogReader::forgotten() {
    return state_->read([&]() -> Result<std::vector<ForgottenRecord>> {
        std::vector<ForgottenRecord> forgotten;
        ForgottenRecord r;
        Integer at = 0;
        Poco::Data::Statement statement(state_->session);
        statement << "SELECT source, account, reason, forgotten_by, at FROM forgotten"
                     " ORDER BY at, source, account";
        each_row(
            statement,
            [&] {
                r.at = timestamp(at);
                forgotten.push_back(r);
            },
            r.source, r.account, r.reason, r.by, at);
        return forgotten;
    });
}

Result<std::vector<DisposalRecord>> CatalogReader::disposals() {
    return state_->read([&]() -> Result<std::vector<DisposalRecord>> {
        std::vector<DisposalRecord> records;
        DisposalRecord r;
        Integer cause = 0, at = 0, items = 0, versions = 0, bytes = 0;
        Poco::Data::Statement statement(state_->session);
        statement << "SELECT id, cause, policy, reason, disposed_by, at, items, versions, bytes"
                     " FROM disposals ORDER BY at DESC, disposal DESC";
        each_row(
            statement,
            [&] {
                r.cause = cause == 0 ? DisposalCause::retention : DisposalCause::forget;
                r.at = timestamp(at);
                r.items = static_cast<std::uint64_t>(items);
                r.versions = static_cast<std::uint64_t>(versions);
                r.bytes = static_cast<std::uint64_t>(bytes);
                records.push_back(r);
            },
            r.id, cause, r.policy, r.reason, r.by, at, items, versions, bytes);
        return records;
    });
}

Result<std::optional<ApprovalRecord>> CatalogReader::approval() {
    return state_->read([&]() -> Result<std::optional<ApprovalRecord>> {
        Query<std::tuple<std::string, std::string, Integer>> newest(
            state_->session,
            "SELECT definition, approved_by, at FROM approvals ORDER BY at DESC LIMIT 1");
        if (!newest()) {
            return std::optional<ApprovalRecord>();
        }
        return std::optional(ApprovalRecord{.definition = newest.get<0>(),
                                            .by = newest.get<1>(),
                                            .at = timestamp(newest.get<2>())});
    });
}

Result<std::vector<FailureRecord>> CatalogReader::failures(std::string_view source) {
    return state_->read([&]() -> Result<std::vector<FailureRecord>> {
        std::vector<FailureRecord> records;
        Poco::Data::Statement statement(state_->session);
        FailureRecord r;
        std::string properties;
        Integer received = 0, attempts = 0, first = 0, last = 0, next = 0, accepted = 0,
                archived = 0;
        statement << "SELECT s.id, a.id, a.address, f.item, f.ref, f.folder, d.id, f.tag,"
                     " f.media_type, f.received_at, f.code, f.message, f.service_code,"
                     " f.request_id, f.attempts, f.first_at, f.last_at, f.next_try_at, f.accepted,"
                     " coalesce((SELECT v.fidelity FROM items i JOIN versions v ON v.item=i.item"
                     " WHERE i.account=f.account AND i.id=f.item ORDER BY v.version DESC LIMIT 1),"
                     " -1), f.title, f.properties FROM failures f JOIN accounts a ON "
                     "a.account=f.account JOIN sources s"
                     " ON s.source=a.source JOIN folders d ON d.folder=f.folder"
                     " WHERE ?1='' OR s.id=?1 ORDER BY f.failure",
            bind(std::string(source));
        each_row(
            statement,
            [&] {
                r.item.received_at.reset();
                if (received != 0) {
                    r.item.received_at = timestamp(received);
                }
                r.attempts = static_cast<int>(attempts);
                r.first_at = timestamp(first);
                r.last_at = timestamp(last);
                r.next_try_at = timestamp(next);
                r.accepted = accepted != 0;
                r.archived.reset();
                if (archived >= 0) {
                    r.archived = fidelity_of(archived);
                }
                r.item.properties = properties_from(properties);
                records.push_back(r);
            },
            r.source, r.account, r.address, r.item.id, r.ref, r.folder_key, r.folder,
            r.item.content_tag, r.item.media_type, received, r.code, r.message, r.service_code,
            r.request_id, attempts, first, last, next, accepted, archived, r.item.title,
            properties);
        return records;
    });
}

}  // namespace openarchiver::catalog
