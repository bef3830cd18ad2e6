#include "catalog/catalog_writer.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <random>
#include <type_traits>
#include <unordered_map>

#include "catalog/database.hpp"
#include "catalog/properties.hpp"
#include "catalog/put_in_place.hpp"
#include "catalog/removal.hpp"
#include "catalog/schema.hpp"
#include "catalog/tree.hpp"

namespace openarchiver::catalog {

using namespace Poco::Data::Keywords;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

Integer millis(sdk::Timestamp time) {
    return time.time_since_epoch().count();
}

Blob blob(std::span<const std::byte> bytes) {
    return Blob(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
}

Blob blob(std::string_view text) {
    return blob(std::as_bytes(std::span(text.data(), text.size())));
}

template <std::size_t N>
bool copy(const Blob& from, std::array<std::byte, N>& to) {
    if (from.size() != N) {
        return false;
    }
    std::copy_n(reinterpret_cast<const std::byte*>(from.rawContent()), N, to.begin());
    return true;
}

std::string new_writer_id() {
    constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
    std::random_device random;
    std::uniform_int_distribution<std::size_t> pick(0, kAlphabet.size() - 1);
    std::string id(16, '\0');
    std::generate(id.begin(), id.end(), [&] { return kAlphabet[pick(random)]; });
    return id;
}

using NoRow = std::tuple<>;
using OneInteger = std::tuple<Integer>;

enum class HistoryKind : std::uint8_t { archived, placed, left };

/// By when what a retention policy disposed of is out of its packs. A pack loses items day by day;
/// written anew each time, the whole archive would be, all the time.
constexpr std::chrono::days kDisposedStays{30};

/// Every statement that apply() may need, prepared once.
struct Statements {
    explicit Statements(Poco::Data::Session& session) : s(session) {}

    Poco::Data::Session& s;

    Query<NoRow, std::string, Integer, Blob> set_position{
        s,
        "INSERT INTO writers(writer, sequence, digest) VALUES(?,?,?) ON CONFLICT(writer)"
        " DO UPDATE SET sequence=excluded.sequence, digest=excluded.digest"};
    Query<OneInteger, std::string> find_source{s, "SELECT source FROM sources WHERE id=?"};
    Query<NoRow, std::string, std::string, std::string> put_source{
        s,
        "INSERT INTO sources(id, name, provider) VALUES(?,?,?) ON CONFLICT(id)"
        " DO UPDATE SET name=excluded.name, provider=excluded.provider"};
    Query<NoRow, Integer, Integer> source_imported{
        s, "UPDATE sources SET imported_at=? WHERE source=? AND imported_at=0"};
    Query<NoRow, Integer, Blob, Integer> source_cursor{
        s, "UPDATE sources SET cursor_format=?, cursor=? WHERE source=?"};
    Query<NoRow, Integer> source_no_cursor{
        s, "UPDATE sources SET cursor_format=-1, cursor=NULL WHERE source=?"};
    Query<NoRow, Integer, Integer> run_started{
        s, "UPDATE sources SET run_started_at=?, run_ended_at=0 WHERE source=?"};
    Query<NoRow, Integer, Integer, std::string, std::string, std::string, Integer> run_ended{
        s,
        "UPDATE sources SET run_ended_at=?, good_run_at=max(good_run_at, ?), error_code=?,"
        " error_message=?, run_report=? WHERE source=?"};
    Query<NoRow, Integer, std::string, Integer> run_stopped{
        s, "UPDATE sources SET run_ended_at=?, run_report=? WHERE source=?"};

    Query<OneInteger, Integer, std::string> find_account{
        s, "SELECT account FROM accounts WHERE source=? AND id=?"};
    Query<NoRow, Integer, std::string, std::string, std::string, Integer, std::string> put_account{
        s,
        "INSERT INTO accounts(source, id, address, display_name, state, reason)"
        " VALUES(?,?,?,?,?,?) ON CONFLICT(source, id) DO UPDATE SET address=excluded.address,"
        " display_name=excluded.display_name, state=excluded.state, reason=excluded.reason"};
    Query<NoRow, Integer, Integer, Integer> account_passed{
        s,
        "UPDATE accounts SET last_pass_at=?, first_pass_at=CASE first_pass_at WHEN 0 THEN ?"
        " ELSE first_pass_at END WHERE account=?"};
    Query<NoRow, Integer, Blob, Integer> account_cursor{
        s, "UPDATE accounts SET cursor_format=?, cursor=? WHERE account=?"};
    Query<NoRow, Integer> account_no_cursor{
        s, "UPDATE accounts SET cursor_format=-1, cursor=NULL WHERE account=?"};
    Query<NoRow, Integer, std::string, std::string, std::string, Integer> account_failed{
        s,
        "UPDATE accounts SET error_at=?, error_code=?, error_message=?, error_request_id=?,"
        " attempts=attempts+1 WHERE account=?"};
    Query<NoRow, Integer, Integer> account_visited{
        s,
        "UPDATE accounts SET last_pass_at=?, error_at=0, error_code='', error_message='',"
        " error_request_id='', attempts=0 WHERE account=?"};

    Query<OneInteger, Integer, std::string> find_folder{
        s, "SELECT folder FROM folders WHERE account=? AND id=?"};
    Query<NoRow, Integer, std::string, std::string, std::string, std::string, Integer, Integer>
        put_folder{
            s,
            "INSERT INTO folders(account, id, parent_id, name, well_known, hidden, archived)"
            " VALUES(?,?,?,?,?,?,?) ON CONFLICT(account, id) DO UPDATE SET"
            " parent_id=excluded.parent_id, name=excluded.name, well_known=excluded.well_known,"
            " hidden=excluded.hidden, archived=excluded.archived, removed_at=0"};
    Query<NoRow, Integer, Integer> folder_removed{
        s, "UPDATE folders SET removed_at=?, cursor_format=-1, cursor=NULL WHERE folder=?"};
    Query<NoRow, Integer, Blob, Integer, Integer> folder_cursor{
        s, "UPDATE folders SET cursor_format=?, cursor=?, cursor_logged_at=? WHERE folder=?"};
    Query<NoRow, Integer, Blob, Integer> folder_cursor_moved{
        s, "UPDATE folders SET cursor_format=?, cursor=? WHERE folder=?"};
    Query<NoRow, Integer> folder_no_cursor{
        s, "UPDATE folders SET cursor_format=-1, cursor=NULL WHERE folder=?"};
    Query<NoRow, Integer, Integer, Integer> folder_counted{
        s, "UPDATE folders SET item_count=?, counted_at=? WHERE folder=?"};
    Query<NoRow, Integer> folder_compared{
        s,
        "UPDATE folders SET unexplained=max(0, item_count"
        " - (SELECT count(*) FROM placements p WHERE p.folder=folders.folder)"
        " - (SELECT count(*) FROM failures x WHERE x.account=folders.account"
        " AND x.folder=folders.folder AND NOT EXISTS(SELECT 1 FROM items i JOIN placements p"
        " ON p.item=i.item WHERE i.account=x.account AND i.id=x.item AND p.folder=x.folder)))"
        " WHERE folder=? AND item_count>=0"};
    Query<NoRow, Integer, Integer> folder_visited{
        s,
        "UPDATE folders SET synced_at=?, error_at=0, error_code='', error_message='',"
        " error_request_id='', attempts=0 WHERE folder=?"};
    Query<NoRow, Integer, std::string, std::string, std::string, Integer> folder_failed{
        s,
        "UPDATE folders SET error_at=?, error_code=?, error_message=?, error_request_id=?,"
        " attempts=attempts+1 WHERE folder=?"};

    Query<OneInteger, Blob> find_pack{s, "SELECT pack FROM packs WHERE id=?"};
    Query<NoRow, Blob, Integer> put_pack{s, "INSERT OR IGNORE INTO packs(id, size) VALUES(?,?)"};
    Query<NoRow, Integer, Integer> size_pack{s, "UPDATE packs SET size=? WHERE pack=?"};
    Query<OneInteger, Integer> pack_replaced{s, "SELECT replaced FROM packs WHERE pack=?"};
    Query<NoRow, Integer, Integer> replace_pack{
        s, "UPDATE packs SET replaced=?, rewrite_by=0 WHERE pack=?"};
    Query<NoRow, Integer> remove_frames{s, "DELETE FROM frames WHERE pack=?"};
    Query<NoRow, Integer, Integer, Integer, Integer, Integer, Integer, Integer> move_contents{
        s,
        "UPDATE contents SET pack=?, frame=?, offset=offset+? WHERE pack=? AND frame=?"
        " AND offset>=? AND offset<?"};
    Query<NoRow, Integer, Integer, Integer, Integer> move_parts{
        s, "UPDATE parts SET pack=?, frame=? WHERE pack=? AND frame=?"};
    Query<NoRow, Integer, Integer, Blob, Integer, Integer, Integer> put_frame{
        s,
        "INSERT OR IGNORE INTO frames(pack, frame, key, offset, stored, raw)"
        " VALUES(?,?,?,?,?,?)"};
    Query<OneInteger, Integer, Blob> find_content{
        s, "SELECT content FROM contents WHERE account=? AND digest=?"};
    Query<std::tuple<Blob, Integer, Integer, Integer, Integer>, Integer, Blob> place_of_content{
        s,
        "SELECT p.id, c.frame, c.offset, c.composition, c.content FROM contents c"
        " JOIN packs p ON p.pack=c.pack WHERE c.account=? AND c.digest=?"};
    Query<NoRow, Integer, Blob, Integer, Integer, Integer, Integer, Integer> put_content{
        s,
        "INSERT INTO contents(account, digest, size, pack, frame, offset, composition)"
        " VALUES(?,?,?,?,?,?,?)"};
    Query<OneInteger, Blob> find_part_by_key{s, "SELECT part FROM parts WHERE key=?"};
    Query<NoRow, Blob, Blob, Integer, Integer, Integer> put_part{
        s, "INSERT INTO parts(digest, key, size, pack, frame) VALUES(?,?,?,?,?)"};
    Query<NoRow, Integer, Integer, Blob> put_held_part{
        s, "INSERT OR IGNORE INTO held_parts(part, account, wrapped) VALUES(?,?,?)"};
    Query<NoRow, Integer, Integer, Integer> put_content_part{
        s, "INSERT INTO content_parts(content, position, part) VALUES(?,?,?)"};
    Query<std::tuple<Blob, Integer, Blob, Blob, Blob, Integer>, Integer, Integer> part_of_content{
        s,
        "SELECT x.digest, x.size, x.key, h.wrapped, p.id, x.frame FROM content_parts cp"
        " JOIN contents c ON c.content=cp.content JOIN parts x ON x.part=cp.part"
        " JOIN held_parts h ON h.part=x.part AND h.account=c.account"
        " JOIN packs p ON p.pack=x.pack WHERE cp.content=? AND cp.position=?"};
    Query<std::tuple<Blob, Integer, Blob, Blob, Blob, Integer, std::string, std::string>, Blob,
          Integer>
        find_part{
            s,
            "SELECT x.digest, x.size, x.key, h.wrapped, p.id, x.frame, s.id, a.id FROM parts x"
            " JOIN held_parts h ON h.part=x.part JOIN accounts a ON a.account=h.account"
            " JOIN sources s ON s.source=a.source JOIN packs p ON p.pack=x.pack"
            " WHERE x.digest=? AND x.class=0 ORDER BY h.account=? DESC LIMIT 1"};

    Query<std::tuple<Integer, Integer>, Integer, std::string> find_item{
        s, "SELECT item, disposal FROM items WHERE account=? AND id=?"};
    Query<NoRow, Integer, std::string, std::string> put_item{
        s, "INSERT INTO items(account, id, ref) VALUES(?,?,?)"};
    Query<std::tuple<Integer, std::string, Integer, Integer>, Integer> last_version{
        s,
        "SELECT version, tag, content, fidelity FROM versions WHERE item=?"
        " ORDER BY version DESC LIMIT 1"};
    Query<NoRow, Integer, Integer, Integer, std::string, std::string, Integer, Integer, std::string,
          std::string, std::string, Integer, Integer, Integer, std::string>
        put_version{s,
                    "INSERT INTO versions(item, version, content, tag, media_type, received_at,"
                    " archived_at, message_id, subject, sender, fidelity, segment, leaf,"
                    " properties) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)"};
    Query<NoRow, std::string, Integer, Integer> retag_version{
        s, "UPDATE versions SET tag=? WHERE item=? AND version=?"};
    Query<NoRow, Integer, Integer> put_placement{
        s, "INSERT OR IGNORE INTO placements(folder, item) VALUES(?,?)"};
    Query<NoRow, Integer, Integer> remove_placement{
        s, "DELETE FROM placements WHERE folder=? AND item=?"};
    Query<NoRow, Integer, Integer> update_left{
        s,
        "UPDATE items SET left_at=CASE WHEN EXISTS(SELECT 1 FROM placements p WHERE"
        " p.item=items.item) THEN 0 WHEN left_at=0 THEN ? ELSE left_at END WHERE item=?"};
    Query<NoRow, std::string, Integer, Integer, Blob> put_segment{
        s, "INSERT OR IGNORE INTO segments(writer, sequence, leaves, hashes) VALUES(?,?,?,?)"};
    Query<OneInteger, std::string, Integer> find_segment{
        s, "SELECT segment FROM segments WHERE writer=? AND sequence=?"};
    Query<std::tuple<Integer, Integer, Blob>, std::string, Integer, Integer> next_segment{
        s,
        "SELECT segment, sequence, hashes FROM segments WHERE writer=? AND sequence>?"
        " AND sequence<=? ORDER BY sequence LIMIT 1"};
    Query<NoRow, Integer, Integer> segment_in_tree{
        s, "UPDATE segments SET first=?, hashes=NULL WHERE segment=?"};
    Query<std::tuple<std::string>> newest_head{s,
                                               "SELECT note FROM heads ORDER BY head DESC LIMIT 1"};
    Query<NoRow, Integer, std::string> put_head{s, "INSERT INTO heads(head, note) VALUES(?,?)"};

    Query<NoRow, Integer, Integer, Integer, Integer, Integer> put_history{
        s,
        "INSERT INTO history(item, position, at, kind, folder) VALUES(?,"
        " (SELECT coalesce(max(position), -1) + 1 FROM history WHERE item=?), ?, ?, ?)"};

    Query<NoRow, Integer, std::string, std::string, Integer, std::string, std::string, Integer,
          std::string, std::string, std::string, std::string, Integer, Integer, Integer,
          std::string, std::string>
        put_failure{s,
                    "INSERT INTO failures(account, item, ref, folder, tag, media_type, received_at,"
                    " code, message, service_code, request_id, attempts, first_at, last_at,"
                    " next_try_at, title, properties) VALUES(?,?,?,?,?,?,?,?,?,?,?,1,?,?,?,?,?)"
                    " ON CONFLICT(account, item)"
                    " DO UPDATE SET folder=excluded.folder, tag=excluded.tag, code=excluded.code,"
                    " title=excluded.title, properties=excluded.properties,"
                    " message=excluded.message, service_code=excluded.service_code,"
                    " request_id=excluded.request_id, last_at=excluded.last_at"};
    Query<NoRow, Integer, std::string> remove_failure{
        s, "DELETE FROM failures WHERE account=? AND item=?"};
    Query<NoRow, Integer, std::string> accept_failure{
        s, "UPDATE failures SET accepted=1 WHERE account=? AND item=?"};
    Query<OneInteger, Integer, std::string> failure_attempts{
        s, "SELECT attempts FROM failures WHERE account=? AND item=?"};
    Query<NoRow, std::string, std::string, std::string, std::string, Integer, Integer, Integer,
          Integer, std::string>
        retry_failed{
            s,
            "UPDATE failures SET code=?, message=?, service_code=?, request_id=?, attempts=?,"
            " last_at=?, next_try_at=? WHERE account=? AND item=?"};
};

std::string code_of(const Error& error) {
    return std::string(to_string(error.code));
}

std::string shown_code(const Error& error) {
    return error.service_code.empty() ? code_of(error) : error.service_code;
}

}  // namespace

std::string item_ref(std::string_view source, std::string_view account, std::string_view item) {
    archive::Sha256 hash;
    for (const auto part : {source, account, item}) {
        hash.update(std::as_bytes(std::span(part.data(), part.size())));
        hash.update(std::array{std::byte{0}});
    }
    return archive::to_hex(hash.finish()).substr(0, 24);
}

sdk::Timestamp next_try(sdk::Timestamp last, int attempts) {
    using namespace std::chrono_literals;
    constexpr std::chrono::minutes kDelays[] = {0min, 15min, 60min, 240min, 1440min};
    const auto index = std::clamp<std::size_t>(static_cast<std::size_t>(std::max(attempts, 1) - 1),
                                               0, std::size(kDelays) - 1);
    return last + kDelays[index];
}

struct CatalogWriter::State {
    explicit State(Poco::Data::Session opened) : session(std::move(opened)), sql(session) {}

    Poco::Data::Session session;
    Statements sql;
    Tree tree{session};
    std::string writer_id;
    bool filling = false;  // one transaction, from the beginning to finish()
    /// The segment that is being applied.
    std::string writer;
    Integer sequence = 0;
    Integer segment = 0;
    // Rows that were looked up; they are removed only by forget_lookups()' callers.
    std::map<std::string, Integer, std::less<>> sources;
    std::map<std::pair<Integer, std::string>, Integer> accounts;
    std::map<std::pair<Integer, std::string>, Integer> folders;
    std::pair<Blob, Integer> last_pack;

    Integer source(const std::string& id) {
        if (const auto found = sources.find(id); found != sources.end()) {
            return found->second;
        }
        if (!sql.find_source(id)) {
            sql.put_source(id, id, "");
            sql.find_source(id);
        }
        return sources[id] = sql.find_source.get<0>();
    }

    Integer account(Integer source, const std::string& id) {
        const auto key = std::make_pair(source, id);
        if (const auto found = accounts.find(key); found != accounts.end()) {
            return found->second;
        }
        if (!sql.find_account(source, id)) {
            sql.put_account(source, id, id, "", 0, "");
            sql.find_account(source, id);
        }
        return accounts[key] = sql.find_account.get<0>();
    }

    /// 0: there is none; none is made.
    Integer known_account(const std::string& in_source, const std::string& id) {
        auto source = sources.find(in_source);
        if (source == sources.end()) {
            if (!sql.find_source(in_source)) {
                return 0;
            }
            source = sources.emplace(in_source, sql.find_source.get<0>()).first;
        }
        auto key = std::make_pair(source->second, id);
        auto account = accounts.find(key);
        if (account == accounts.end()) {
            if (!sql.find_account(key.first, id)) {
                return 0;
            }
            account = accounts.emplace(std::move(key), sql.find_account.get<0>()).first;
        }
        return account->second;
    }

    Integer folder(Integer account, const std::string& id) {
        const auto key = std::make_pair(account, id);
        if (const auto found = folders.find(key); found != folders.end()) {
            return found->second;
        }
        if (!sql.find_folder(account, id)) {
            sql.put_folder(account, id, "", id, "", 0, 1);
            sql.find_folder(account, id);
        }
        return folders[key] = sql.find_folder.get<0>();
    }

    Integer pack(const archive::Digest& id) {
        Blob key = blob(id);
        if (last_pack.second != 0 && last_pack.first == key) {
            return last_pack.second;
        }
        if (!sql.find_pack(key)) {
            sql.put_pack(key, 0);
            sql.find_pack(key);
        }
        last_pack = {std::move(key), sql.find_pack.get<0>()};
        return last_pack.second;
    }

    /// 0: there is none.
    Integer item(Integer account, const std::string& id) {
        return sql.find_item(account, id) ? sql.find_item.get<0>() : 0;
    }

    void record(Integer item, sdk::Timestamp at, HistoryKind kind, Integer folder) {
        sql.put_history(item, item, millis(at), static_cast<Integer>(kind), folder);
    }

    /// Whose events are being applied.
    struct Scope {
        const EventGroup& group;
        Integer source;
        Integer account;
        sdk::Timestamp at;
    };

    void apply(const Scope& scope, const SourceSeen& e) {
        sql.put_source(scope.group.source, e.name, e.provider);
    }

    void apply(const Scope& scope, const AccountSeen& e) {
        sql.put_account(scope.source, scope.group.account, e.address, e.display_name,
                        static_cast<Integer>(e.state), e.reason);
    }

    void apply(const Scope& scope, const FolderSeen& e) {
        const auto& f = e.folder;
        sql.put_folder(scope.account, f.id, f.parent_id, f.display_name, f.well_known_name,
                       f.hidden ? 1 : 0, f.archived ? 1 : 0);
    }

    void apply(const Scope& scope, const FolderRemoved& e) {
        sql.folder_removed(millis(scope.at), folder(scope.account, e.folder));
    }

    void apply(const Scope& scope, const PackStored& e) {
        const Integer key = pack(e.pack.id);
        if (sql.pack_replaced(key) && sql.pack_replaced.get<0>() != 0) {
            return;  // an event that is applied again; the pack's contents are elsewhere by now
        }
        sql.size_pack(static_cast<Integer>(e.pack.size), key);
        Integer index = 0;
        for (const auto& frame : e.pack.frames) {
            sql.put_frame(key, index++, blob(frame.key), static_cast<Integer>(frame.offset),
                          static_cast<Integer>(frame.stored_size),
                          static_cast<Integer>(frame.raw_size));
        }
        for (const auto& replaced : e.replaces) {
            replace(scope, pack(replaced.id), replaced, key);
        }
        for (const auto& taken : e.takes) {
            take(pack(taken.id), taken, key);
        }
    }

    void take(Integer old, const ReplacedPack& taken, Integer by) {
        if (sql.pack_replaced(old) && sql.pack_replaced.get<0>() != 0) {
            return;
        }
        for (const auto& [from, to] : taken.moved) {
            const auto begin = static_cast<Integer>(from.offset);
            sql.move_contents(by, to.frame, static_cast<Integer>(to.offset) - begin, old,
                              from.frame, begin, begin + 1);
            sql.move_parts(by, to.frame, old, from.frame);
        }
    }

    void replace(const Scope& scope, Integer old, const ReplacedPack& replaced, Integer by) {
        if (sql.pack_replaced(old) && sql.pack_replaced.get<0>() != 0) {
            return;
        }
        for (auto moved = replaced.moved.begin(); moved != replaced.moved.end(); ++moved) {
            const auto& [from, to] = *moved;
            const auto next = std::next(moved);
            const bool same_frame = next != replaced.moved.end() && next->from.frame == from.frame;
            const auto begin = static_cast<Integer>(from.offset);
            const Integer end = same_frame ? static_cast<Integer>(next->from.offset)
                                           : std::numeric_limits<Integer>::max();
            sql.move_contents(by, to.frame, static_cast<Integer>(to.offset) - begin, old,
                              from.frame, begin, end);
            sql.move_parts(by, to.frame, old, from.frame);
        }
        retire(scope, old);
    }

    void retire(const Scope& scope, Integer pack) {
        sql.remove_frames(pack);
        sql.replace_pack(millis(scope.at), pack);
    }

    void apply(const Scope& scope, const PackDropped& e) {
        const Integer key = pack(e.id);
        if (!sql.pack_replaced(key) || sql.pack_replaced.get<0>() == 0) {
            retire(scope, key);
        }
    }

    void put_parts(Integer account, Integer content, const std::vector<PartHeld>& parts) {
        Integer position = 0;
        for (const auto& part : parts) {
            const Blob key = blob(part.key);
            if (!sql.find_part_by_key(key)) {
                sql.put_part(blob(part.id), key, static_cast<Integer>(part.size), pack(part.pack),
                             part.frame);
                sql.find_part_by_key(key);
            }
            const Integer row = sql.find_part_by_key.get<0>();
            sql.put_held_part(row, account, blob(part.wrapped));
            sql.put_content_part(content, position++, row);
        }
    }

    void apply(const Scope& scope, const ItemArchived& e) {
        Integer key = item(scope.account, e.item);
        if (key != 0 && sql.find_item.get<1>() != 0) {
            return;  // disposed of; under way, or told again
        }
        const Blob digest = blob(e.content);
        Integer content = 0;
        if (sql.find_content(scope.account, digest)) {
            content = sql.find_content.get<0>();
        } else {
            sql.put_content(scope.account, digest, static_cast<Integer>(e.size), pack(e.place.pack),
                            e.place.placement.frame, static_cast<Integer>(e.place.placement.offset),
                            static_cast<Integer>(e.place.composition_size));
            content = sql.put_content.last_row();
            put_parts(scope.account, content, e.place.parts);
        }
        const bool is_new = key == 0;
        if (is_new) {
            sql.put_item(scope.account, e.item,
                         item_ref(scope.group.source, scope.group.account, e.item));
            key = sql.put_item.last_row();
        }
        const bool known = !is_new && sql.last_version(key);
        const Integer last = known ? sql.last_version.get<0>() : 0;
        const Integer place = folder(scope.account, e.folder);
        // Delivered twice with the same tag (a crash, a replay): one version. The exact bytes are
        // another than a reconstruction.
        const bool same_tag = known && sql.last_version.get<1>() == e.content_tag;
        const bool completes = same_tag && e.fidelity == Fidelity::exact &&
                               sql.last_version.get<3>() != static_cast<Integer>(Fidelity::exact);
        if (known && !same_tag && sql.last_version.get<2>() == content) {
            // A provider may have to change a tag where it can't tell that the bytes stayed.
            sql.retag_version(e.content_tag, key, last);
        } else if (!same_tag || completes) {
            sql.put_version(key, last + 1, content, e.content_tag, e.media_type,
                            e.received_at ? millis(*e.received_at) : 0, millis(scope.at),
                            e.message_id, e.subject, e.from, static_cast<Integer>(e.fidelity),
                            segment, e.leaf, e.properties);
            record(key, scope.at, HistoryKind::archived, place);
        }
        if (!completes) {  // fetched without a listing, it says nothing of where the item is
            sql.put_placement(place, key);
            if (!is_new) {
                sql.update_left(millis(scope.at), key);
            }
        }
        if (e.fidelity == Fidelity::exact) {
            sql.remove_failure(scope.account, e.item);
        }
    }

    void apply(const Scope&, const LeavesAdded& e) {
        sql.put_segment(writer, sequence, static_cast<Integer>(e.hashes.size()), to_blob(e.hashes));
        sql.find_segment(writer, sequence);
        segment = sql.find_segment.get<0>();
    }

    void apply(const Scope& scope, const ItemPlaced& e) {
        if (const Integer key = item(scope.account, e.item); key != 0) {
            const Integer place = folder(scope.account, e.folder);
            if (sql.put_placement(place, key)) {
                record(key, scope.at, HistoryKind::placed, place);
                sql.update_left(millis(scope.at), key);
            }
        }
    }

    void apply(const Scope& scope, const ItemLeft& e) {
        if (const Integer key = item(scope.account, e.item); key != 0) {
            const Integer place = folder(scope.account, e.folder);
            if (sql.remove_placement(place, key)) {
                record(key, scope.at, HistoryKind::left, place);
                sql.update_left(millis(scope.at), key);
            }
        }
    }

    void apply(const Scope& scope, const ItemFailed& e) {
        sql.put_failure(
            scope.account, e.item.id, item_ref(scope.group.source, scope.group.account, e.item.id),
            folder(scope.account, e.folder), e.item.content_tag, e.item.media_type,
            e.item.received_at ? millis(*e.item.received_at) : 0, code_of(e.error), e.error.message,
            e.error.service_code, e.error.request_id, millis(scope.at), millis(scope.at),
            millis(next_try(scope.at, 1)), e.item.title, properties_text(e.item.properties));
    }

    void apply(const Scope& scope, const FailureSettled& e) {
        if (e.accepted) {
            sql.accept_failure(scope.account, e.item);
        } else {
            sql.remove_failure(scope.account, e.item);
        }
    }

    void apply(const Scope& scope, const CursorAdvanced& e) { move_cursor(scope, e, true); }

    void apply(const Scope& scope, const PassCompleted&) {
        if (scope.account == 0) {
            sql.source_imported(millis(scope.at), scope.source);
        } else {
            sql.account_passed(millis(scope.at), millis(scope.at), scope.account);
        }
    }

    void apply(const Scope& scope, const HoldPlaced& e) {
        session << "INSERT OR IGNORE INTO holds(id, event, placed_at) VALUES(?,?,?)", bind(e.id),
            bind(encode({"", "", {{scope.at, e}}})), bind(millis(scope.at)), now;
    }

    void apply(const Scope& scope, const HoldReleased& e) {
        session << "UPDATE holds SET released_at=?, released_by=?, release_reason=?"
                   " WHERE id=? AND released_at=0",
            bind(millis(scope.at)), bind(e.by), bind(e.reason), bind(e.id), now;
    }

    void apply(const Scope& scope, const AccountForgotten& e) {
        session << "INSERT OR IGNORE INTO forgotten(source, account, reason, forgotten_by, at)"
                   " VALUES(?,?,?,?,?)",
            bind(e.source), bind(e.account), bind(e.reason), bind(e.by), bind(millis(scope.at)),
            now;
        if (const Integer account = known_account(e.source, e.account); account != 0) {
            Removal(session).account(account, millis(scope.at));
            forget_lookups();
        }
    }

    void apply(const Scope& scope, const RetentionApproved& e) {
        session << "INSERT OR IGNORE INTO approvals(at, definition, approved_by) VALUES(?,?,?)",
            bind(millis(scope.at)), bind(e.definition), bind(e.by), now;
    }

    void apply(const Scope& scope, const Disposal& e) {
        session << "INSERT OR IGNORE INTO disposals(id, cause, policy, reason, disposed_by, at,"
                   " items, versions, bytes, segment, leaf) VALUES(?,?,?,?,?,?,?,?,?,?,?)",
            bind(e.id), bind(static_cast<Integer>(e.cause)), bind(e.policy), bind(e.reason),
            bind(e.by), bind(millis(scope.at)), bind(static_cast<Integer>(e.refs.size())),
            bind(static_cast<Integer>(e.versions)), bind(static_cast<Integer>(e.bytes)),
            bind(segment), bind(static_cast<Integer>(e.leaf)), now;
    }

    void apply(const Scope& scope, const ItemsDisposed& e) {
        Query<std::tuple<Integer, Integer>, std::string> find(
            session, "SELECT disposal, cause FROM disposals WHERE id=?");
        if (!find(e.disposal)) {
            throw Poco::DataFormatException("the log disposes of items by no disposal");
        }
        const bool at_once = find.get<1>() == static_cast<Integer>(DisposalCause::forget);
        Removal(session).items(scope.account, e.items, find.get<0>(),
                               millis(at_once ? scope.at : scope.at + kDisposedStays));
    }

    void apply(const Scope& scope, const SourceDefined& e) {
        session << "INSERT OR REPLACE INTO kept_sources(id, event, at) VALUES(?,?,?)",
            bind(e.source), bind(encode({"", "", {{scope.at, e}}})), bind(millis(scope.at)), now;
    }

    void apply(const Scope&, const SourceRemoved& e) {
        session << "DELETE FROM kept_sources WHERE id=?", bind(e.source), now;
        session << "DELETE FROM paused_sources WHERE id=?", bind(e.source), now;
    }

    void apply(const Scope& scope, const SourcePaused& e) {
        session << "DELETE FROM paused_sources WHERE id=?", bind(e.source), now;
        if (e.paused) {
            session << "INSERT INTO paused_sources(id, paused_by, at) VALUES(?,?,?)",
                bind(e.source), bind(e.by), bind(millis(scope.at)), now;
        }
    }

    void apply(const Scope& scope, const Audited& e) {
        session << "INSERT OR IGNORE INTO audit(id, at, done_by, role, action, object, detail)"
                   " VALUES(?,?,?,?,?,?,?)",
            bind(e.id), bind(millis(scope.at)), bind(e.by), bind(e.role), bind(e.action),
            bind(e.object), bind(e.detail), now;
    }

    void move_cursor(const Scope& scope, const CursorAdvanced& e, bool logged) {
        const Integer format = e.cursor ? e.cursor->format : 0;
        Blob value = e.cursor ? blob(e.cursor->value) : Blob();
        switch (e.scope) {
            case CursorScope::accounts:
                e.cursor ? sql.source_cursor(format, value, scope.source)
                         : sql.source_no_cursor(scope.source);
                break;
            case CursorScope::folders:
                e.cursor ? sql.account_cursor(format, value, scope.account)
                         : sql.account_no_cursor(scope.account);
                break;
            case CursorScope::folder: {
                const Integer key = folder(scope.account, e.folder);
                if (!e.cursor) {
                    sql.folder_no_cursor(key);
                } else if (logged) {
                    sql.folder_cursor(format, value, millis(scope.at), key);
                } else {
                    sql.folder_cursor_moved(format, value, key);
                }
                break;
            }
        }
    }

    Scope scope_of(const EventGroup& group, sdk::Timestamp at) {
        const Integer in_source = group.source.empty() ? 0 : source(group.source);
        const Integer in_account = group.account.empty() ? 0 : account(in_source, group.account);
        return {group, in_source, in_account, at};
    }

    void apply(const EventGroup& group) {
        Scope scope = scope_of(group, {});
        for (const auto& event : group.events) {
            scope.at = event.at;
            std::visit([&](const auto& body) { apply(scope, body); }, event.body);
        }
    }

    void note(sdk::Timestamp at, const CursorMoved& n) {
        const EventGroup group{n.source, n.account, {}};
        move_cursor(scope_of(group, at), n.cursor, false);
    }

    void note(sdk::Timestamp at, const FolderVisited& n) {
        const Integer key = folder(account(source(n.source), n.account), n.folder);
        if (n.error) {
            sql.folder_failed(millis(at), shown_code(*n.error), n.error->message,
                              n.error->request_id, key);
        } else {
            sql.folder_visited(millis(at), key);
        }
    }

    void note(sdk::Timestamp at, const FoldersCounted& n) {
        const Integer in_account = account(source(n.source), n.account);
        for (const auto& count : n.counts) {
            sql.folder_counted(static_cast<Integer>(count.items), millis(at),
                               folder(in_account, count.folder));
        }
    }

    void note(sdk::Timestamp, const FoldersCompared& n) {
        const Integer in_account = account(source(n.source), n.account);
        for (const auto& id : n.folders) {
            sql.folder_compared(folder(in_account, id));
        }
    }

    void note(sdk::Timestamp at, const AccountVisited& n) {
        const Integer key = account(source(n.source), n.account);
        if (n.error) {
            sql.account_failed(millis(at), shown_code(*n.error), n.error->message,
                               n.error->request_id, key);
        } else {
            sql.account_visited(millis(at), key);
        }
    }

    void note(sdk::Timestamp at, const RunStarted& n) {
        sql.run_started(millis(at), source(n.source));
    }

    void note(sdk::Timestamp at, const RunEnded& n) {
        if (n.stopped) {
            sql.run_stopped(millis(at), n.report, source(n.source));
            return;
        }
        sql.run_ended(millis(at), n.error ? 0 : millis(at), n.error ? code_of(*n.error) : "",
                      n.error ? n.error->message : "", n.report, source(n.source));
    }

    void note(sdk::Timestamp at, const RetryFailed& n) {
        const Integer key = account(source(n.source), n.account);
        if (sql.failure_attempts(key, n.item)) {
            const Integer attempts = sql.failure_attempts.get<0>() + 1;
            sql.retry_failed(code_of(n.error), n.error.message, n.error.service_code,
                             n.error.request_id, attempts, millis(at),
                             millis(next_try(at, static_cast<int>(attempts))), key, n.item);
        }
    }

    void note(sdk::Timestamp, const RetryRequested& n) {
        if (n.source.empty()) {
            session << "UPDATE failures SET next_try_at=0", now;
        } else {
            session << "UPDATE failures SET next_try_at=0 WHERE account IN"
                       " (SELECT account FROM accounts WHERE source=?)",
                bind(source(n.source)), now;
        }
    }

    void note(sdk::Timestamp at, const PacksCollected&) {
        put_meta("packs_collected_at", std::to_string(millis(at)));
    }

    void note(sdk::Timestamp, const PackProtected& n) {
        session << "UPDATE packs SET locked_until=?, held=? WHERE id=?",
            bind(millis(n.protection.locked_until.value_or(sdk::Timestamp{}))),
            bind(n.protection.held ? 1 : 0), bind(blob(n.id)), now;
    }

    void note(sdk::Timestamp, const HistoryChecked& n) { put_meta("history_problem", n.problem); }

    void note(sdk::Timestamp at, const LocksKept& n) {
        put_meta("locks_kept_at", std::to_string(millis(at)));
        put_meta("locks_report", n.report);
        if (n.log) {
            put_meta("log_locks_kept_at", std::to_string(millis(at)));
        }
    }

    void put_meta(const std::string& key, const std::string& value) {
        session << "INSERT OR REPLACE INTO meta(key, value) VALUES(?, ?)", bind(key), bind(value),
            now;
    }

    Status add_head(const evidence::Positions& positions, const Seal& seal) {
        evidence::Head last;
        if (sql.newest_head()) {
            OPENARCHIVER_TRY(last, evidence::parse_head(sql.newest_head.get<0>()));
        }
        std::uint64_t size = last.size;
        for (const auto& [of_writer, position] : positions) {
            const auto before = std::ranges::find(last.positions, of_writer,
                                                  &evidence::Positions::value_type::first);
            Integer done =
                before == last.positions.end() ? 0 : static_cast<Integer>(before->second.sequence);
            while (sql.next_segment(of_writer, done, static_cast<Integer>(position.sequence))) {
                const auto hashes = from_blob(sql.next_segment.get<2>());
                tree.append(size, hashes);
                sql.segment_in_tree(static_cast<Integer>(size), sql.next_segment.get<0>());
                size += hashes.size();
                done = sql.next_segment.get<1>();
            }
        }
        OPENARCHIVER_TRY(const auto root, tree.root(size));
        OPENARCHIVER_TRY(const std::string note, seal(size, root));
        OPENARCHIVER_TRY(const auto head, evidence::parse_head(note));
        sql.put_head(static_cast<Integer>(head.number), note);
        return {};
    }

    template <typename Action>
    static Status run(Action& action) {
        if constexpr (std::is_void_v<decltype(action())>) {
            action();
            return {};
        } else {
            return action();
        }
    }

    /// All or nothing; an error of `action`, which may return a Status, undoes it.
    template <typename Action>
    Status transaction(Action&& action) {
        return translated("writing the catalog", [&]() -> Status {
            if (filling) {
                return run(action);
            }
            session << "BEGIN IMMEDIATE", now;
            try {
                Status status = run(action);
                if (!status) {
                    forget_lookups();
                    session << "ROLLBACK", now;
                    return status;
                }
                session << "COMMIT", now;
            } catch (...) {
                forget_lookups();
                try {
                    session << "ROLLBACK", now;
                } catch (const Poco::Exception&) {
                    // The first failure is the one to report; SQLite rolled back by itself.
                }
                throw;
            }
            return {};
        });
    }

    /// For when rows are gone: with a transaction that was rolled back, or an account.
    void forget_lookups() {
        sources.clear();
        accounts.clear();
        folders.clear();
        last_pack = {};
    }
};

CatalogWriter::CatalogWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

CatalogWriter::~CatalogWriter() = default;

Result<std::unique_ptr<CatalogWriter>> CatalogWriter::open(const std::filesystem::path& folder,
                                                           std::string_view archive_id) {
    const auto file = catalog_file(folder);
    std::error_code code;
    if (!std::filesystem::exists(file, code)) {
        // Made beside and put in place whole: a reader that comes meanwhile finds none, not half.
        const auto fresh = folder / "catalog.new.db";
        for (const char* suffix : {"", "-wal", "-shm"}) {
            std::filesystem::remove(std::filesystem::path(fresh) += suffix, code);
        }
        OPENARCHIVER_CHECK(open_file(fresh, archive_id));  // closed again at once
        OPENARCHIVER_CHECK(put_in_place(fresh, file));
    }
    return open_file(file, archive_id);
}

Result<std::unique_ptr<CatalogWriter>> CatalogWriter::open_file(const std::filesystem::path& file,
                                                                std::string_view archive_id) {
    return open_for(file, archive_id, false);
}

Result<std::unique_ptr<CatalogWriter>> CatalogWriter::fill_file(const std::filesystem::path& file,
                                                                std::string_view archive_id) {
    return open_for(file, archive_id, true);
}

Status CatalogWriter::finish() {
    return translated("writing the catalog", [&]() -> Status {
        Removal(state_->session).mark_hollow_packs();
        state_->session << "COMMIT", now;
        make_late_indexes(state_->session);
        state_->filling = false;
        return {};
    });
}

Result<std::unique_ptr<CatalogWriter>> CatalogWriter::open_for(const std::filesystem::path& file,
                                                               std::string_view archive_id,
                                                               bool fill) {
    OPENARCHIVER_CHECK(migrate(file));
    return translated("opening the catalog", [&]() -> Result<std::unique_ptr<CatalogWriter>> {
        auto state =
            std::make_unique<State>(open_session(file, fill ? Access::fill : Access::write));
        std::string known_archive;
        state->session << "SELECT value FROM meta WHERE key='archive'", into(known_archive), now;
        if (known_archive.empty()) {
            state->writer_id = new_writer_id();
            state->session << "INSERT INTO meta(key, value) VALUES('archive', ?), ('writer', ?)",
                bind(std::string(archive_id)), bind(state->writer_id), now;
        } else if (known_archive != archive_id) {
            return Error{Errc::corrupt, "the catalog " + file.string() + " belongs to archive " +
                                            known_archive + ", not to " + std::string(archive_id) +
                                            ": check the profile's catalog path and storage"};
        } else {
            state->session << "SELECT value FROM meta WHERE key='writer'", into(state->writer_id),
                now;
        }
        if (fill) {
            drop_late_indexes(state->session);
            state->session << "BEGIN", now;
            state->filling = true;
        }
        return std::unique_ptr<CatalogWriter>(new CatalogWriter(std::move(state)));
    });
}

const std::string& CatalogWriter::writer_id() const {
    return state_->writer_id;
}

Result<archive::LogPosition> CatalogWriter::position(std::string_view writer) {
    return translated("reading the catalog", [&]() -> Result<archive::LogPosition> {
        Query<std::tuple<Integer, Blob>, std::string> query(
            state_->session, "SELECT sequence, digest FROM writers WHERE writer=?");
        archive::LogPosition position;
        if (query(std::string(writer))) {
            position.sequence = static_cast<std::uint64_t>(query.get<0>());
            copy(query.get<1>(), position.digest);
        }
        return position;
    });
}

Status CatalogWriter::apply(std::string_view writer, const archive::LogPosition& position,
                            std::span<const EventGroup> groups, std::span<const Note> notes) {
    return state_->transaction([&] {
        state_->writer = writer;
        state_->sequence = static_cast<Integer>(position.sequence);
        state_->segment = 0;
        for (const auto& group : groups) {
            state_->apply(group);
        }
        for (const auto& note : notes) {
            std::visit([&](const auto& body) { state_->note(note.at, body); }, note.body);
        }
        state_->sql.set_position(std::string(writer), static_cast<Integer>(position.sequence),
                                 blob(position.digest));
    });
}

Status CatalogWriter::truncate_log() {
    return translated("writing the catalog", [&]() -> Status {
        state_->session << "PRAGMA wal_checkpoint(TRUNCATE)", now;
        return {};
    });
}

Status CatalogWriter::apply(std::span<const Note> notes) {
    return state_->transaction([&] {
        for (const auto& note : notes) {
            std::visit([&](const auto& body) { state_->note(note.at, body); }, note.body);
        }
    });
}

Result<evidence::Positions> CatalogWriter::positions() {
    return translated("reading the catalog", [&]() -> Result<evidence::Positions> {
        std::vector<std::string> writers;
        state_->session << "SELECT writer FROM writers WHERE sequence>0 ORDER BY writer",
            into(writers), now;
        evidence::Positions positions;
        for (auto& writer : writers) {
            OPENARCHIVER_TRY(const auto at, position(writer));
            positions.emplace_back(std::move(writer), at);
        }
        return positions;
    });
}

Result<std::optional<std::string>> CatalogWriter::newest_head() {
    return translated("reading the catalog", [&]() -> Result<std::optional<std::string>> {
        return state_->sql.newest_head() ? std::optional(state_->sql.newest_head.get<0>())
                                         : std::nullopt;
    });
}

Status CatalogWriter::add_head(const evidence::Positions& positions, const Seal& seal) {
    return state_->transaction([&] { return state_->add_head(positions, seal); });
}

namespace {

/// The columns of part_of_content and find_part.
template <typename PartQuery>
PartHeld part_of(PartQuery& query) {
    PartHeld part;
    copy(query.template get<0>(), part.id);
    part.size = static_cast<std::uint64_t>(query.template get<1>());
    copy(query.template get<2>(), part.key);
    copy(query.template get<3>(), part.wrapped);
    copy(query.template get<4>(), part.pack);
    part.frame = static_cast<std::uint32_t>(query.template get<5>());
    return part;
}

}  // namespace

Result<std::optional<ContentPlace>> CatalogWriter::find_content(std::string_view source,
                                                                std::string_view account,
                                                                const archive::Digest& content) {
    return translated("reading the catalog", [&]() -> Result<std::optional<ContentPlace>> {
        auto& sql = state_->sql;
        const Integer in_account = state_->known_account(std::string(source), std::string(account));
        if (in_account == 0 || !sql.place_of_content(in_account, blob(content))) {
            return std::optional<ContentPlace>();
        }
        ContentPlace known;
        copy(sql.place_of_content.get<0>(), known.pack);
        known.placement.frame = static_cast<std::uint32_t>(sql.place_of_content.get<1>());
        known.placement.offset = static_cast<std::uint64_t>(sql.place_of_content.get<2>());
        known.composition_size = static_cast<std::uint64_t>(sql.place_of_content.get<3>());
        const Integer key = sql.place_of_content.get<4>();
        for (Integer i = 0; known.composition_size > 0 && sql.part_of_content(key, i); ++i) {
            known.parts.push_back(part_of(sql.part_of_content));
        }
        return std::optional<ContentPlace>(std::move(known));
    });
}

Result<std::optional<CatalogWriter::KnownPart>> CatalogWriter::find_part(
    std::string_view source, std::string_view account, const archive::Digest& part) {
    return translated("reading the catalog", [&]() -> Result<std::optional<KnownPart>> {
        auto& sql = state_->sql;
        const Integer in_account = state_->known_account(std::string(source), std::string(account));
        if (!sql.find_part(blob(part), in_account)) {
            return std::optional<KnownPart>();
        }
        return std::optional<KnownPart>(
            {part_of(sql.find_part), sql.find_part.get<6>(), sql.find_part.get<7>()});
    });
}

}  // namespace openarchiver::catalog
