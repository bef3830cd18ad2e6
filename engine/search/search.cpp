#include "search/search.hpp"

#include <algorithm>
#include <deque>
#include <unordered_set>
#include <utility>

#include "search/plan.hpp"

namespace openarchiver::search {

using namespace Poco::Data::Keywords;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

using Kind = Query::Kind;

constexpr std::size_t kMaxConversation = 5000;
/// Of a hit's conversation so many documents are looked at to find the oldest.
constexpr std::size_t kLookedAt = 100;

/// How much a word counts by where it is, in the order of the index's columns; the last are tags.
constexpr const char* kRank = "bm25(words, 3, 2, 1, 1, 5, 1, 3, 0.5, 0)";

Query any_of(Kind kind, const std::vector<std::string>& texts) {
    std::vector<Query> parts;
    for (const auto& text : texts) {
        parts.push_back({.kind = kind, .text = text});
    }
    if (parts.size() == 1) {
        return std::move(parts.front());
    }
    return {.kind = Kind::any_of, .parts = std::move(parts)};
}

/// Accounts, sources, times and folders decide what a search covers.
bool is_scope(const Query& query, bool accounts_only) {
    switch (query.kind) {
        case Kind::account:
        case Kind::source:
            return true;
        case Kind::before:
        case Kind::after:
        case Kind::folder:
            return !accounts_only;
        case Kind::any_of:
            return std::ranges::all_of(
                query.parts, [&](const Query& part) { return is_scope(part, accounts_only); });
        default:
            return false;
    }
}

int year_of(Integer milliseconds) {
    const auto day = std::chrono::floor<std::chrono::days>(
        sdk::Timestamp(std::chrono::milliseconds(milliseconds)));
    return static_cast<int>(std::chrono::year_month_day(day).year());
}

}  // namespace

struct Search::State {
    State(std::filesystem::path catalog_folder, catalog::CatalogReader& reader)
        : folder(std::move(catalog_folder)), catalog(reader) {}

    /// Leaves `session` empty where there is no index of this catalog yet.
    Status open() {
        std::error_code ignored;
        if (!std::filesystem::exists(index_file(folder), ignored)) {
            return {};
        }
        OPENARCHIVER_TRY(const auto catalog_id, catalog.catalog_id());
        return translated("opening the search index", [&]() -> Status {
            auto opened =
                std::make_unique<Poco::Data::Session>(open_index(folder, catalog::Access::read));
            int version = 0;
            *opened << "PRAGMA user_version", into(version), now;
            if (version != kIndexVersion || meta(*opened, "catalog") != catalog_id) {
                return {};
            }
            context = std::make_unique<PlanContext>(
                PlanContext{.session = *opened,
                            .salt = meta(*opened, "salt"),
                            .spill = std::strtoll(meta(*opened, "spill").c_str(), nullptr, 10)});
            const std::string text = meta(*opened, "mark");
            char* rest = nullptr;
            mark.segment = std::strtoll(text.c_str(), &rest, 10);
            mark.item_key = std::strtoll(rest, &rest, 10);
            mark.version = std::strtoll(rest, &rest, 10);
            session = std::move(opened);
            return {};
        });
    }

    static std::string meta(Poco::Data::Session& from, const std::string& key) {
        std::string value;
        from << "SELECT value FROM meta WHERE key=?", into(value), bind(key), now;
        return value;
    }

    Status prepare(const Request& request) {
        OPENARCHIVER_TRY(Query parsed, parse_query(request.query));
        Query all{.kind = Kind::all_of};
        auto& parts = all.parts;
        if (parsed.kind == Kind::all_of) {
            parts = std::move(parsed.parts);
        } else {
            parts.push_back(std::move(parsed));
        }
        const auto& filter = request.filter;
        const auto add = [&](Kind kind, const std::vector<std::string>& texts) {
            if (!texts.empty()) {
                parts.push_back(any_of(kind, texts));
            }
        };
        add(Kind::source, filter.sources);
        add(Kind::account, filter.accounts);
        add(Kind::folder, filter.folders);
        if (filter.since) {
            parts.push_back(
                {.kind = Kind::after, .number = filter.since->time_since_epoch().count()});
        }
        if (filter.until) {
            parts.push_back(
                {.kind = Kind::before, .number = filter.until->time_since_epoch().count()});
        }
        if (!filter.sender.empty()) {
            parts.push_back({.kind = Kind::sender, .text = filter.sender});
        }
        if (!request.recipient.empty()) {
            Query recipient =
                words_query(request.recipient, {Field::to, Field::cc, Field::bcc}, false);
            if (recipient.words.empty()) {
                return Error{Errc::invalid_argument,
                             "the recipient has neither letters nor digits"};
            }
            parts.push_back(std::move(recipient));
        }
        if (request.has_attachment) {
            parts.push_back({.kind = Kind::has_attachment});
        }
        if (!session) {
            return {};
        }
        return translated("searching", [&]() -> Status {
            if (!request.conversation.empty()) {
                OPENARCHIVER_TRY(Query documents, conversation_of(request.conversation));
                parts.push_back(std::move(documents));
            }
            OPENARCHIVER_CHECK(plan_scope(parts, false, scope, scope_parts));
            OPENARCHIVER_CHECK(plan_scope(parts, true, accounts_scope, account_parts));
            OPENARCHIVER_TRY(plan, make_plan(all, *context));
            return {};
        });
    }

    Status plan_scope(const std::vector<Query>& parts, bool accounts_only, Plan& made,
                      std::size_t& count) const {
        Query wanted{.kind = Kind::all_of};
        std::ranges::copy_if(parts, std::back_inserter(wanted.parts),
                             [&](const Query& part) { return is_scope(part, accounts_only); });
        count = wanted.parts.size();
        PlanContext in_sql{.session = *session,
                           .salt = context->salt,
                           .spill = context->spill,
                           .accounts_in_sql = true};
        OPENARCHIVER_TRY(made, make_plan(wanted, in_sql));
        return {};
    }

    Result<Query> conversation_of(const std::string& ref) {
        OPENARCHIVER_TRY(const auto versions, catalog.versions(ref));
        std::vector<Integer> documents;
        for (const auto& version : versions) {
            PreparedStatement statement(*session,
                                        "SELECT doc FROM docs WHERE item=? AND version=?");
            statement.bind(1, version.item_key);
            statement.bind(2, version.version);
            if (statement.step()) {
                Integer doc = 0;
                statement.read(0, doc);
                for (const Integer one : connected(doc, kMaxConversation)) {
                    documents.push_back(one);
                }
            }
        }
        Query query{.kind = Kind::documents};
        for (const Integer doc : documents) {
            query.text += (query.text.empty() ? "" : ",") + std::to_string(doc);
        }
        return query;
    }

    /// Prepared once for all hits: that takes longer than asking.
    PreparedStatement& prepared(std::unique_ptr<PreparedStatement>& statement, const char* sql) {
        if (!statement) {
            statement = std::make_unique<PreparedStatement>(*session, sql);
        }
        statement->reset();
        return *statement;
    }

    /// Documents that refer to one another, over any number of steps; the first one included.
    std::vector<Integer> connected(Integer doc, std::size_t limit) {
        auto& ids = prepared(ids_of, "SELECT id FROM links WHERE doc=?");
        auto& docs = prepared(docs_of, "SELECT doc FROM links WHERE id=? LIMIT 5000");
        std::unordered_set<Integer> known{doc};
        std::unordered_set<Integer> seen_ids;
        std::vector<Integer> found{doc};
        for (std::size_t i = 0; i < found.size() && found.size() < limit; ++i) {
            for (const Integer id : column(ids, found[i])) {
                if (!seen_ids.insert(id).second) {
                    continue;
                }
                for (const Integer other : column(docs, id)) {
                    if (found.size() < limit && known.insert(other).second) {
                        found.push_back(other);
                    }
                }
            }
        }
        return found;
    }

    static std::vector<Integer> column(PreparedStatement& statement, Integer key) {
        std::vector<Integer> values;
        statement.bind(1, key);
        while (statement.step()) {
            statement.read(0, values.emplace_back());
        }
        statement.reset();
        return values;
    }

    struct DocumentRow {
        Integer item = 0;
        Integer version = 0;
        Integer segment = 0;
    };

    std::optional<DocumentRow> row(Integer doc) {
        auto& statement = prepared(row_of, "SELECT item, version, segment FROM docs WHERE doc=?");
        statement.bind(1, doc);
        if (!statement.step()) {
            return std::nullopt;
        }
        DocumentRow found;
        statement.read(0, found.item);
        statement.read(1, found.version);
        statement.read(2, found.segment);
        return found;
    }

    /// Nothing where the catalog does not have it any more.
    Result<std::optional<catalog::VersionRecord>> version_of(Integer doc) {
        const auto found = row(doc);
        if (!found) {
            return std::optional<catalog::VersionRecord>();
        }
        OPENARCHIVER_TRY(auto version, catalog.find_version(found->item, found->version));
        if (version && version->segment != found->segment) {
            version.reset();
        }
        return version;
    }

    /// "... FROM words, docs WHERE ..." of the plan, selecting `columns`. `w` and `d` are there as
    /// far as they are needed; with `needs_docs` both.
    [[nodiscard]] std::string select(const std::string& columns, bool needs_docs) const {
        const bool docs = needs_docs || !plan.where.empty() || plan.match.empty();
        std::string sql = "SELECT " + columns + " FROM ";
        if (!plan.match.empty()) {
            sql += "words";
            sql += docs ? " CROSS JOIN docs d ON d.doc=words.rowid" : "";
            sql += " WHERE words MATCH ? AND words.rowid BETWEEN ? AND ?";
        } else {
            sql += "docs d WHERE d.doc BETWEEN ? AND ?";
        }
        if (!plan.where.empty()) {
            sql += " AND (" + plan.where + ")";
        }
        return sql;
    }

    [[nodiscard]] std::string number_column() const {
        return plan.match.empty() ? "d.doc" : "words.rowid";
    }

    /// Binds what select() has; the number of the next parameter.
    int bind_plan(PreparedStatement& statement) const {
        int next = 0;
        if (!plan.match.empty()) {
            statement.bind(++next, plan.match);
        }
        statement.bind(++next, plan.first);
        statement.bind(++next, plan.last);
        return bind_parameters(statement, plan, next) + 1;
    }

    static int bind_parameters(PreparedStatement& statement, const Plan& of, int last) {
        for (const auto& parameter : of.parameters) {
            if (parameter.is_text) {
                statement.bind(++last, parameter.text);
            } else {
                statement.bind(++last, parameter.number);
            }
        }
        return last;
    }

    std::vector<Integer> newest(std::uint64_t offset, std::uint64_t count) {
        const std::string sql = select(number_column(), false) + " ORDER BY " + number_column() +
                                " DESC LIMIT ? OFFSET ?";
        PreparedStatement statement(*session, sql.c_str());
        const int next = bind_plan(statement);
        statement.bind(next, static_cast<Integer>(count));
        statement.bind(next + 1, static_cast<Integer>(offset));
        std::vector<Integer> documents;
        while (statement.step()) {
            statement.read(0, documents.emplace_back());
        }
        return documents;
    }

    std::vector<Integer> ranked(std::uint64_t offset, std::uint64_t count, bool& partial) {
        if (plan.match.empty()) {
            return newest(offset, count);
        }
        // FTS5 gives the better ones the smaller numbers.
        const std::string sql =
            select(std::string("words.rowid, CAST(1e12*") + kRank + " AS INTEGER)", false) +
            " ORDER BY words.rowid DESC LIMIT ?";
        PreparedStatement statement(*session, sql.c_str());
        const int next = bind_plan(statement);
        statement.bind(next, static_cast<Integer>(kRanked + 1));
        std::vector<std::pair<Integer, Integer>> scores;  // score, the newest first
        while (statement.step()) {
            auto& [score, doc] = scores.emplace_back();
            statement.read(0, doc);
            statement.read(1, score);
            doc = -doc;
        }
        partial = scores.size() > kRanked;
        scores.resize(std::min<std::size_t>(scores.size(), kRanked));
        std::ranges::sort(scores);
        std::vector<Integer> documents;
        for (std::size_t i = offset; i < scores.size() && documents.size() < count; ++i) {
            documents.push_back(-scores[i].second);
        }
        return documents;
    }

    Result<Hit> hit(Integer doc, catalog::VersionRecord version) {
        Hit hit;
        hit.conversation = version.ref;
        const auto others = connected(doc, kLookedAt);
        if (const Integer oldest = *std::ranges::min_element(others); oldest != doc) {
            OPENARCHIVER_TRY(const auto first, version_of(oldest));
            if (first) {
                hit.conversation = first->ref;
            }
        }
        auto& text = prepared(text_of, "SELECT fields FROM texts WHERE doc=?");
        text.bind(1, doc);
        Document document;
        if (text.step()) {
            Blob packed;
            text.read(0, packed);
            if (unpack_fields(packed, document)) {
                hit.snippet = make_snippet(document, plan.highlighted);
            }
        }
        auto& attachment = prepared(tagged, "SELECT 1 FROM words WHERE words MATCH ? AND rowid=?");
        const std::string tag = tag_attachment();
        attachment.bind(1, tag);
        attachment.bind(2, doc);
        hit.has_attachment = attachment.step();
        hit.version = std::move(version);
        return hit;
    }

    const std::filesystem::path folder;
    catalog::CatalogReader& catalog;
    std::unique_ptr<Poco::Data::Session> session;
    std::unique_ptr<PlanContext> context;
    catalog::VersionMark mark;
    Plan plan;
    Plan scope;
    std::size_t scope_parts = 0;
    Plan accounts_scope;
    std::size_t account_parts = 0;
    std::unique_ptr<PreparedStatement> ids_of;
    std::unique_ptr<PreparedStatement> docs_of;
    std::unique_ptr<PreparedStatement> row_of;
    std::unique_ptr<PreparedStatement> text_of;
    std::unique_ptr<PreparedStatement> tagged;
};

Search::Search(std::unique_ptr<State> state) : state_(std::move(state)) {}

Search::~Search() = default;

Result<std::unique_ptr<Search>> Search::open(const std::filesystem::path& catalog_folder,
                                             catalog::CatalogReader& catalog,
                                             const Request& request) {
    auto state = std::make_unique<State>(catalog_folder, catalog);
    OPENARCHIVER_CHECK(state->open());
    OPENARCHIVER_CHECK(state->prepare(request));
    return std::unique_ptr<Search>(new Search(std::move(state)));
}

Result<Page> Search::page(Order order, std::uint64_t offset, std::uint64_t limit) {
    if (!state_->session) {
        return Page{};
    }
    return translated("searching", [&]() -> Result<Page> {
        Page page;
        auto documents = order == Order::relevance ? state_->ranked(offset, limit + 1, page.partial)
                                                   : state_->newest(offset, limit + 1);
        page.more = documents.size() > limit;
        documents.resize(std::min<std::size_t>(documents.size(), limit));
        for (const Integer doc : documents) {
            OPENARCHIVER_TRY(auto version, state_->version_of(doc));
            if (version) {
                OPENARCHIVER_TRY(Hit hit, state_->hit(doc, std::move(*version)));
                page.hits.push_back(std::move(hit));
            }
        }
        return page;
    });
}

Result<Counts> Search::counts() {
    Counts counts;
    if (!state_->session) {
        return counts;
    }
    OPENARCHIVER_CHECK(translated("counting", [&]() -> Status {
        struct Account {
            std::string source;
            std::string id;
        };
        std::map<Integer, Account> accounts;
        PreparedStatement names(*state_->session,
                                "SELECT a.account, s.id, a.id FROM catalog.accounts a"
                                " JOIN catalog.sources s ON s.source=a.source");
        while (names.step()) {
            Integer key = 0;
            names.read(0, key);
            names.read(1, accounts[key].source);
            names.read(2, accounts[key].id);
        }
        const std::string sql = state_->select("d.account, d.at", true);
        PreparedStatement statement(*state_->session, sql.c_str());
        (void)state_->bind_plan(statement);
        std::map<std::pair<Integer, int>, std::uint64_t> found;
        while (statement.step()) {
            Integer account = 0;
            Integer at = 0;
            statement.read(0, account);
            statement.read(1, at);
            ++found[{account, year_of(at)}];
        }
        for (const auto& [key, number] : found) {
            const auto account = accounts.find(key.first);
            if (account == accounts.end()) {
                continue;  // purged this moment
            }
            counts.total += number;
            counts.years[key.second] += number;
            counts.sources[account->second.source] += number;
            counts.accounts[{account->second.source, account->second.id}] += number;
        }
        return {};
    }));
    return counts;
}

namespace {

Result<std::vector<VersionKey>> read_versions(PreparedStatement& statement,
                                              const std::stop_token& stop) {
    std::vector<VersionKey> keys;
    while (statement.step()) {
        if (stop.stop_requested()) {
            return Error{Errc::cancelled, "stopped while searching"};
        }
        VersionKey key;
        statement.read(0, key.item_key);
        statement.read(1, key.version);
        keys.push_back(key);
    }
    return keys;
}

}  // namespace

Result<std::vector<VersionKey>> Search::versions(std::stop_token stop) {
    if (!state_->session) {
        return std::vector<VersionKey>();
    }
    return translated("searching", [&]() -> Result<std::vector<VersionKey>> {
        const std::string sql = state_->select("d.item, d.version", true);
        PreparedStatement statement(*state_->session, sql.c_str());
        (void)state_->bind_plan(statement);
        return read_versions(statement, stop);
    });
}

Result<std::vector<VersionKey>> Search::searched(std::stop_token stop) {
    if (!state_->session) {
        return std::vector<VersionKey>();
    }
    return translated("asking what was searched", [&]() -> Result<std::vector<VersionKey>> {
        const Plan& scope = state_->scope;
        const std::string sql =
            "SELECT d.item, d.version FROM docs d WHERE d.doc NOT IN (SELECT doc FROM gaps)" +
            (scope.where.empty() ? std::string() : " AND (" + scope.where + ")");
        PreparedStatement statement(*state_->session, sql.c_str());
        (void)State::bind_parameters(statement, scope, 0);
        return read_versions(statement, stop);
    });
}

Result<Coverage> Search::coverage() {
    Coverage coverage;
    State& state = *state_;
    std::vector<Integer> accounts;
    if (state.session) {
        OPENARCHIVER_CHECK(translated("asking what was searched", [&]() -> Status {
            const auto restricted = [](const Plan& plan) {
                return plan.where.empty() ? std::string("1") : plan.where;
            };
            std::string sql;
            const bool only_accounts = state.scope_parts == state.account_parts;
            if (only_accounts) {
                sql = "SELECT d.reason, sum(d.documents) FROM coverage d WHERE " +
                      restricted(state.scope) + " GROUP BY 1";
            } else {
                sql =
                    "SELECT g.reason, count(DISTINCT g.doc) FROM gaps g JOIN docs d ON"
                    " d.doc=g.doc WHERE " +
                    restricted(state.scope) + " AND g.doc BETWEEN ? AND ? GROUP BY 1";
            }
            PreparedStatement statement(*state.session, sql.c_str());
            int last = State::bind_parameters(statement, state.scope, 0);
            if (!only_accounts) {
                statement.bind(++last, state.scope.first);
                statement.bind(++last, state.scope.last);
            }
            while (statement.step()) {
                Integer reason = 0;
                Integer number = 0;
                statement.read(0, reason);
                statement.read(1, number);
                if (number > 0) {
                    coverage.gaps[static_cast<GapReason>(reason)] =
                        static_cast<std::uint64_t>(number);
                }
            }
            if (state.account_parts > 0) {
                const std::string keys = "SELECT d.account FROM catalog.accounts d WHERE " +
                                         restricted(state.accounts_scope);
                PreparedStatement in_scope(*state.session, keys.c_str());
                while (in_scope.step()) {
                    in_scope.read(0, accounts.emplace_back());
                }
            }
            return {};
        }));
    }
    OPENARCHIVER_TRY(coverage.not_yet_indexed, state.catalog.count_after(state.mark, accounts));
    return coverage;
}

Result<std::vector<Unsearched>> Search::unsearched(std::uint64_t offset, std::uint64_t limit) {
    std::vector<Unsearched> list;
    State& state = *state_;
    if (!state.session) {
        return list;
    }
    OPENARCHIVER_CHECK(translated("asking what was searched", [&]() -> Status {
        const std::string sql =
            "SELECT d.doc FROM docs d WHERE d.doc IN (SELECT doc FROM gaps)" +
            (state.scope.where.empty() ? std::string() : " AND (" + state.scope.where + ")") +
            " ORDER BY d.doc DESC LIMIT ? OFFSET ?";
        PreparedStatement statement(*state.session, sql.c_str());
        const int last = State::bind_parameters(statement, state.scope, 0);
        statement.bind(last + 1, static_cast<Integer>(limit));
        statement.bind(last + 2, static_cast<Integer>(offset));
        PreparedStatement gaps(*state.session,
                               "SELECT reason, name FROM gaps WHERE doc=? ORDER BY position");
        while (statement.step()) {
            Integer doc = 0;
            statement.read(0, doc);
            OPENARCHIVER_TRY(auto version, state.version_of(doc));
            if (!version) {
                continue;
            }
            auto& one = list.emplace_back();
            one.version = std::move(*version);
            gaps.bind(1, doc);
            while (gaps.step()) {
                Integer reason = 0;
                gaps.read(0, reason);
                auto& gap = one.gaps.emplace_back();
                gap.reason = static_cast<GapReason>(reason);
                gaps.read(1, gap.name);
            }
            gaps.reset();
        }
        return {};
    }));
    return list;
}

}  // namespace openarchiver::search
