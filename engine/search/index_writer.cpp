#include "search/index_writer.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>

#include "archive/digest.hpp"
#include "archive/random.hpp"
#include "catalog/catalog_reader.hpp"
#include "search/database.hpp"

namespace openarchiver::search {

using namespace Poco::Data::Keywords;
using catalog::Query;
using catalog::VersionMark;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

// Times are milliseconds since 1970 UTC. `words` keeps no texts, and can only give back numbers of
// documents: `texts` has what goes into it, compressed. `links` has the Message-ID of a document
// and those that it refers to, as numbers.
constexpr const char* kTables[] = {
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    ("CREATE TABLE docs(doc INTEGER PRIMARY KEY, item INTEGER NOT NULL, version INTEGER NOT NULL,"
     " segment INTEGER NOT NULL, account INTEGER NOT NULL, at INTEGER NOT NULL,"
     " size INTEGER NOT NULL, message INTEGER NOT NULL)"),
    // Every word of the index, to find those that begin in some way.
    "CREATE TABLE terms(term TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE UNIQUE INDEX docs_by_item ON docs(item, version)",
    "CREATE TABLE texts(doc INTEGER PRIMARY KEY, fields BLOB NOT NULL)",
    ("CREATE TABLE links(id INTEGER NOT NULL, doc INTEGER NOT NULL, PRIMARY KEY(id, doc))"
     " WITHOUT ROWID"),
    "CREATE INDEX links_by_doc ON links(doc)",
    ("CREATE TABLE gaps(doc INTEGER NOT NULL, position INTEGER NOT NULL, reason INTEGER NOT NULL,"
     " name TEXT NOT NULL, PRIMARY KEY(doc, position)) WITHOUT ROWID"),
    ("CREATE TABLE coverage(account INTEGER NOT NULL, reason INTEGER NOT NULL,"
     " documents INTEGER NOT NULL, PRIMARY KEY(account, reason)) WITHOUT ROWID"),
    ("CREATE VIRTUAL TABLE words USING fts5(sender, recipient, cc, bcc, subject, body, filename,"
     " attachment, tags, content='', tokenize='words')"),
    // A commit is one segment of the index; merging them is most of the work.
    "INSERT INTO words(words, rank) VALUES('hashsize', 268435456)",
    "INSERT INTO words(words, rank) VALUES('automerge', 8)",
    "INSERT INTO words(words, rank) VALUES('pgsz', 8000)",
};

constexpr std::size_t kRemovedAtOnce = 500;
constexpr int kMergePages = 2000;
constexpr std::size_t kKnownTerms = 300'000;

Integer time_of(const catalog::VersionRecord& version) {
    const auto at =
        version.received_at == sdk::Timestamp{} ? version.archived_at : version.received_at;
    // Nobody received anything before 1970 or after 9999, whatever a header says.
    return std::clamp<Integer>(at.time_since_epoch().count(), 0, 253'402'300'799'000);
}

}  // namespace

struct IndexWriter::State {
    explicit State(const std::filesystem::path& folder)
        : session(open_index(folder, catalog::Access::write, &seen)) {}

    std::string meta(const std::string& key) {
        std::string value;
        session << "SELECT value FROM meta WHERE key=?", into(value), bind(key), now;
        return value;
    }

    void set_meta(const std::string& key, const std::string& value) {
        session << "INSERT OR REPLACE INTO meta(key, value) VALUES(?,?)", bind(key), bind(value),
            now;
    }

    [[nodiscard]] bool is_of(const std::string& catalog_id) {
        int version = 0;
        session << "PRAGMA user_version", into(version), now;
        return version == kIndexVersion && meta("catalog") == catalog_id;
    }

    void make(const std::string& catalog_id) {
        session << "BEGIN IMMEDIATE", now;
        for (const char* statement : kTables) {
            session << statement, now;
        }
        set_meta("catalog", catalog_id);
        set_meta("salt", archive::to_hex(archive::random_bytes<32>()));
        set_meta("mark", "0 0 0");
        set_meta("spill", "0");
        set_meta("scrub", "0");
        set_meta("scrubs", "0");
        session << "PRAGMA user_version=" + std::to_string(kIndexVersion), now;
        session << "COMMIT", now;
    }

    void load() {
        const std::string text = meta("mark");
        char* rest = nullptr;
        mark.segment = std::strtoll(text.c_str(), &rest, 10);
        mark.item_key = std::strtoll(rest, &rest, 10);
        mark.version = std::strtoll(rest, &rest, 10);
        spill = std::strtoll(meta("spill").c_str(), nullptr, 10);
        salt = meta("salt");
        statements = std::make_unique<Statements>(session);
    }

    /// The first number for that time which is free; later seconds lend theirs.
    Integer free_number(Integer at) {
        const Integer base = at / 1000 * kPerSecond;
        Integer room = kPerSecond;
        while (true) {
            statements->last_number(base, base + room - 1);
            const Integer last = statements->last_number.get<0>();
            if (last == 0 && base > 0) {
                return base;
            }
            if (last < base + room - 1) {
                const Integer number = std::max(base, last) + (last >= base && last > 0 ? 1 : 0);
                spill = std::max(spill, number / kPerSecond - base / kPerSecond);
                return std::max<Integer>(number, 1);
            }
            room *= 4;
        }
    }

    bool there(const catalog::VersionRecord& version) {
        return statements->in_catalog(version.item_key, version.version, version.segment);
    }

    void put_document(Integer doc, const Entry& entry) {
        const auto& [version, document] = entry;
        const Integer message =
            document.message_id.empty() ? 0 : id_number(salt, document.message_id);
        statements->put_doc(doc, version.item_key, version.version, version.segment,
                            version.account_key, time_of(version),
                            static_cast<Integer>(version.size), message);
        if (message != 0) {
            statements->put_link(message, doc);
        }
        for (const auto& reference : document.references) {
            statements->put_link(id_number(salt, reference), doc);
        }
        std::set<GapReason> reasons;
        Integer position = 0;
        for (const auto& gap : document.gaps) {
            const auto reason = static_cast<Integer>(gap.reason);
            statements->put_gap(doc, position++, reason, gap.name);
            if (reasons.insert(gap.reason).second) {
                statements->add_coverage(version.account_key, reason, 1);
            }
        }
    }

    void put_words(Integer doc, const Entry& entry, const char* command) {
        const Document& document = entry.document;
        std::string tags = tag_everything() + tag_account(entry.version.account_key);
        if (document.has_attachment) {
            tags += tag_attachment();
        }
        const auto& f = document.fields;
        if (command == nullptr) {
            statements->put_words(doc, f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], tags);
        } else {
            statements->remove_words(doc, f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], tags);
        }
    }

    struct Stale {
        Integer doc = 0;
        Integer account = 0;
    };

    /// Then there is nothing stale: each document was in the catalog when it was added.
    bool as_many_as_the_catalog() {
        Query<std::tuple<Integer>, Integer, Integer, Integer> more(
            session,
            "SELECT (SELECT count(*) FROM docs) - (SELECT count(*) FROM catalog.versions"
            " WHERE (segment, item, version) <= (?,?,?))");
        more(mark.segment, mark.item_key, mark.version);
        return more.get<0>() == 0;
    }

    std::vector<Stale> stale() {
        std::vector<Stale> found;
        PreparedStatement statement(
            session,
            "SELECT d.doc, d.account FROM docs d WHERE NOT EXISTS (SELECT 1 FROM catalog.versions v"
            " WHERE v.item=d.item AND v.version=d.version AND v.segment=d.segment)");
        while (statement.step()) {
            Stale one;
            statement.read(0, one.doc);
            statement.read(1, one.account);
            found.push_back(one);
        }
        return found;
    }

    Status remove(const Stale& stale) {
        Entry entry;
        entry.version.account_key = stale.account;
        if (!statements->get_text(stale.doc) ||
            !unpack_fields(statements->get_text.get<0>(), entry.document)) {
            return Error{Errc::corrupt, "the search index has lost a text"};
        }
        statements->has_tag(tag_attachment(), stale.doc);
        entry.document.has_attachment = statements->has_tag.get<0>() > 0;
        put_words(stale.doc, entry, "delete");
        PreparedStatement reasons(session, "SELECT DISTINCT reason FROM gaps WHERE doc=?");
        reasons.bind(1, stale.doc);
        while (reasons.step()) {
            Integer reason = 0;
            reasons.read(0, reason);
            statements->add_coverage(stale.account, reason, -1);
        }
        for (const char* const table : {"docs", "texts", "links", "gaps"}) {
            session << std::string("DELETE FROM ") + table + " WHERE doc=?", bind(stale.doc), now;
        }
        return {};
    }

    struct Statements {
        using None = std::tuple<>;
        using One = std::tuple<Integer>;

        explicit Statements(Poco::Data::Session& s)
            : last_number(s, "SELECT coalesce(max(doc), 0) FROM docs WHERE doc BETWEEN ? AND ?"),
              in_catalog(s,
                         "SELECT 1 FROM catalog.versions"
                         " WHERE item=? AND version=? AND segment=?"),
              known(s, "SELECT doc, account FROM docs WHERE item=? AND version=?"),
              put_doc(s, "INSERT INTO docs VALUES(?,?,?,?,?,?,?,?)"),
              put_link(s, "INSERT OR IGNORE INTO links VALUES(?,?)"),
              put_gap(s, "INSERT INTO gaps VALUES(?,?,?,?)"),
              add_coverage(s,
                           "INSERT INTO coverage VALUES(?,?,?) ON CONFLICT(account, reason)"
                           " DO UPDATE SET documents=documents+excluded.documents"),
              put_term(s, "INSERT OR IGNORE INTO terms VALUES(?)"),
              put_text(s, "INSERT INTO texts VALUES(?,?)"),
              get_text(s, "SELECT fields FROM texts WHERE doc=?"),
              has_tag(s, "SELECT count(*) FROM words WHERE words MATCH ? AND rowid=?"),
              put_words(s,
                        "INSERT INTO words(rowid, sender, recipient, cc, bcc, subject, body,"
                        " filename, attachment, tags) VALUES(?,?,?,?,?,?,?,?,?,?)"),
              remove_words(s,
                           "INSERT INTO words(words, rowid, sender, recipient, cc, bcc, subject,"
                           " body, filename, attachment, tags)"
                           " VALUES('delete',?,?,?,?,?,?,?,?,?,?)") {}

        using Text = std::string;
        Query<One, Integer, Integer> last_number;
        Query<One, Integer, Integer, Integer> in_catalog;
        Query<std::tuple<Integer, Integer>, Integer, Integer> known;
        Query<None, Integer, Integer, Integer, Integer, Integer, Integer, Integer, Integer> put_doc;
        Query<None, Integer, Integer> put_link;
        Query<None, Integer, Integer, Integer, Text> put_gap;
        Query<None, Integer, Integer, Integer> add_coverage;
        Query<None, Text> put_term;
        Query<None, Integer, Blob> put_text;
        Query<std::tuple<Blob>, Integer> get_text;
        Query<One, Text, Integer> has_tag;
        Query<None, Integer, Text, Text, Text, Text, Text, Text, Text, Text, Text> put_words,
            remove_words;
    };

    /// A transaction of the index alone: an immediate one would lock the catalog, too.
    class Transaction {
    public:
        explicit Transaction(State& state) : state_(state) {
            state_.session << "BEGIN", now;
            open_ = true;
            // Takes the lock before anything is looked up in the catalog: what is purged from there
            // later is found here by who purges.
            state_.set_meta("locked", "1");
            // Somebody else may have rewritten the list of words.
            if (const auto times = state_.meta("scrubs"); times != state_.scrubs) {
                state_.known_terms.clear();
                state_.scrubs = times;
            }
        }

        Transaction(const Transaction&) = delete;
        Transaction& operator=(const Transaction&) = delete;

        ~Transaction() {
            if (open_) {
                try {
                    state_.session << "ROLLBACK", now;
                } catch (const Poco::Exception&) {
                    // SQLite did that itself where the error was grave.
                }
            }
        }

        void commit() {
            state_.session << "COMMIT", now;
            open_ = false;
        }

    private:
        State& state_;
        bool open_ = false;
    };

    void put_terms() {
        for (const auto& term : seen) {
            // Most words were there before; a list of what was asked for lately spares looking.
            if (known_terms.insert(term).second) {
                statements->put_term(term);
            }
        }
        seen.clear();
        if (known_terms.size() > kKnownTerms) {
            known_terms.clear();
        }
    }

    SeenWords seen;  // since the last transaction
    SeenWords known_terms;
    std::string scrubs;  // how often it was scrubbed, when known_terms was begun
    Poco::Data::Session session;
    VersionMark mark;
    Integer spill = 0;  // the most seconds by which a number is later than its time
    std::string salt;
    std::unique_ptr<Statements> statements;
};

IndexWriter::IndexWriter(std::unique_ptr<State> state) : state_(std::move(state)) {}

IndexWriter::~IndexWriter() = default;

Result<std::unique_ptr<IndexWriter>> IndexWriter::open(
    const std::filesystem::path& catalog_folder) {
    OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(catalog_folder));
    OPENARCHIVER_TRY(const auto catalog_id, catalog->catalog_id());
    const auto file = index_file(catalog_folder);
    std::unique_ptr<State> state;
    const Status usable = translated("opening the search index", [&]() -> Status {
        state = std::make_unique<State>(catalog_folder);
        if (!state->is_of(catalog_id)) {
            return Error{Errc::not_found, "made anew"};
        }
        state->load();
        return {};
    });
    if (usable) {
        return std::unique_ptr<IndexWriter>(new IndexWriter(std::move(state)));
    }
    if (usable.error().code == Errc::resource_exhausted) {
        return usable.error();
    }
    // It is a view: what can't be used is made anew.
    state.reset();
    std::error_code ignored;
    for (const char* const suffix : {"", "-wal", "-shm"}) {
        std::filesystem::remove(file.string() + suffix, ignored);
    }
    OPENARCHIVER_CHECK(translated("making the search index", [&]() -> Status {
        state = std::make_unique<State>(catalog_folder);
        state->make(catalog_id);
        state->load();
        return {};
    }));
    return std::unique_ptr<IndexWriter>(new IndexWriter(std::move(state)));
}

const VersionMark& IndexWriter::mark() const {
    return state_->mark;
}

Status IndexWriter::add(std::vector<Entry> entries, const VersionMark& mark) {
    return translated("adding to the search index", [&]() -> Status {
        State& state = *state_;
        State::Transaction transaction(state);
        // By number: FTS5 keeps in memory what comes in order.
        std::map<Integer, std::pair<const Entry*, Blob>> order;
        for (const auto& entry : entries) {
            if (!state.there(entry.version)) {
                continue;
            }
            if (state.statements->known(entry.version.item_key, entry.version.version)) {
                // Of an item that was purged, and whose key was given to another one since.
                OPENARCHIVER_CHECK(state.remove({.doc = state.statements->known.get<0>(),
                                                 .account = state.statements->known.get<1>()}));
            }
            const Integer doc = state.free_number(time_of(entry.version));
            state.put_document(doc, entry);
            order.emplace(doc, std::pair(&entry, pack_fields(entry.document)));
        }
        for (const auto& [doc, packed] : order) {
            state.put_words(doc, *packed.first, nullptr);
            state.statements->put_text(doc, packed.second);
        }
        state.put_terms();
        state.set_meta("mark", std::to_string(mark.segment) + " " + std::to_string(mark.item_key) +
                                   " " + std::to_string(mark.version));
        state.set_meta("spill", std::to_string(state.spill));
        transaction.commit();
        state.mark = mark;
        return {};
    });
}

Result<bool> IndexWriter::remove_stale(std::stop_token stop) {
    return translated("purging the search index", [&]() -> Result<bool> {
        const auto stale =
            state_->as_many_as_the_catalog() ? std::vector<State::Stale>() : state_->stale();
        for (std::size_t at = 0; at < stale.size(); at += kRemovedAtOnce) {
            if (stop.stop_requested()) {
                return Error{Errc::cancelled, "stopped while the search index was purged"};
            }
            State::Transaction transaction(*state_);
            state_->set_meta("scrub", "1");
            const auto end = std::min(stale.size(), at + kRemovedAtOnce);
            for (std::size_t i = at; i < end; ++i) {
                OPENARCHIVER_CHECK(state_->remove(stale[i]));
            }
            transaction.commit();
        }
        return state_->meta("scrub") == "1";
    });
}

Status IndexWriter::scrub(std::stop_token stop) {
    return translated("scrubbing the search index", [&]() -> Status {
        // FTS5 keeps what was taken out until its segments have been merged. In steps, so that
        // others may write in between; a negative number takes in all segments.
        Query<std::tuple<>, Integer> merge(state_->session,
                                           "INSERT INTO words(words, rank) VALUES('merge', ?)");
        Query<std::tuple<Integer>> total(state_->session, "SELECT total_changes()");
        Integer pages = -kMergePages;
        while (true) {
            if (stop.stop_requested()) {
                return Error{Errc::cancelled, "stopped while the search index was purged"};
            }
            total();
            const Integer before = total.get<0>();
            merge(pages);
            total();
            if (total.get<0>() - before < 2) {
                break;
            }
            pages = kMergePages;
        }
        state_->session << "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, words, row)",
            now;
        {
            State::Transaction transaction(*state_);
            state_->set_meta("scrubs",
                             std::to_string(std::strtoll(state_->scrubs.c_str(), nullptr, 10) + 1));
            state_->session << "DELETE FROM terms", now;
            state_->session << "INSERT INTO terms SELECT term FROM vocabulary", now;
            transaction.commit();
        }
        state_->session << "DROP TABLE temp.vocabulary", now;
        state_->known_terms.clear();
        state_->statements.reset();
        state_->session << "VACUUM main", now;
        state_->set_meta("scrub", "0");
        state_->session << "PRAGMA main.wal_checkpoint(TRUNCATE)", now;
        state_->statements = std::make_unique<State::Statements>(state_->session);
        return {};
    });
}

Status purge(const std::filesystem::path& catalog_folder, std::stop_token stop) {
    std::error_code ignored;
    if (!std::filesystem::exists(index_file(catalog_folder), ignored)) {
        return {};
    }
    OPENARCHIVER_TRY(const auto index, IndexWriter::open(catalog_folder));
    OPENARCHIVER_TRY(const bool remains, index->remove_stale(stop));
    return remains ? index->scrub(std::move(stop)) : Status();
}

}  // namespace openarchiver::search
