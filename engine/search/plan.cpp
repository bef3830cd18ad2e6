#include "search/plan.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace openarchiver::search {

using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

using Kind = Query::Kind;

// In the order of Field.
constexpr std::array<std::string_view, kFields> kColumns{
    "sender", "recipient", "cc", "bcc", "subject", "body", "filename", "attachment"};

constexpr std::size_t kMaxFolders = 50'000;
constexpr Integer kMaxCompletions = 250;

std::string in_quotes(std::string_view word) {
    return '"' + std::string(word) + '"';  // a folded word has no quotes
}

/// A part of a plan: for FTS5 or for SQL.
struct Piece {
    std::string match = {};
    std::string exclude = {};  ///< of FTS5: what must not match
    std::string where = {};
    std::vector<Parameter> parameters = {};
};

/// FTS5 can only take away from something.
Piece settled(Piece piece) {
    if (!piece.exclude.empty()) {
        const auto from = piece.match.empty() ? in_quotes(tag_everything()) : piece.match;
        piece.match = "(" + from + ") NOT (" + std::exchange(piece.exclude, {}) + ")";
    }
    return piece;
}

class Planner {
public:
    explicit Planner(PlanContext& context) : context_(context) {}

    Result<Plan> plan(const Query& query) {
        Plan plan;
        std::vector<const Query*> parts;
        if (query.kind == Kind::all_of) {
            for (const auto& part : query.parts) {
                parts.push_back(&part);
            }
        } else {
            parts.push_back(&query);
        }
        std::vector<Piece> pieces;
        for (const Query* const part : parts) {
            bound(*part, plan);
            OPENARCHIVER_TRY(Piece piece, compile(*part));
            pieces.push_back(std::move(piece));
            highlight(*part, plan.highlighted);
        }
        Piece all = settled(conjunction(std::move(pieces)));
        plan.match = std::move(all.match);
        plan.where = std::move(all.where);
        plan.parameters = std::move(all.parameters);
        return plan;
    }

private:
    /// Documents outside of a time need not be looked at.
    void bound(const Query& query, Plan& plan) const {
        if (query.kind == Kind::after) {
            plan.first = std::max(plan.first, query.number / 1000 * kPerSecond);
        } else if (query.kind == Kind::before) {
            plan.last =
                std::min(plan.last, (query.number / 1000 + context_.spill + 1) * kPerSecond);
        }
    }

    static void highlight(const Query& query, std::vector<Query>& words) {
        if (query.kind == Kind::words) {
            words.push_back(query);
        } else if (query.kind != Kind::none_of) {
            for (const auto& part : query.parts) {
                highlight(part, words);
            }
        }
    }

    Result<Piece> compile(const Query& query) {
        switch (query.kind) {
            case Kind::everything:
                return Piece{};
            case Kind::words:
                return Piece{.match = words(query)};
            case Kind::has_attachment:
                return Piece{.match = in_quotes(tag_attachment())};
            case Kind::account:
            case Kind::source:
                return accounts(query);
            case Kind::larger:
                return number("d.size > ?", query.number);
            case Kind::before:
                return number("d.at < ?", query.number);
            case Kind::after:
                return number("d.at >= ?", query.number);
            case Kind::message_id:
                return number("d.message = ?", id_number(context_.salt, query.text));
            case Kind::sender:
                return Piece{.where =
                                 "EXISTS (SELECT 1 FROM catalog.versions v WHERE"
                                 " v.item=d.item AND v.version=d.version AND"
                                 " instr(lower(v.sender), lower(?))>0)",
                             .parameters = {{.text = query.text, .is_text = true}}};
            case Kind::documents:
                return Piece{.where = "d.doc IN (" + query.text + ")"};
            case Kind::folder:
                return folder(query);
            case Kind::none_of:
                return negation(query);
            case Kind::all_of: {
                std::vector<Piece> pieces;
                for (const auto& part : query.parts) {
                    OPENARCHIVER_TRY(Piece piece, compile(part));
                    pieces.push_back(std::move(piece));
                }
                return settled(conjunction(std::move(pieces)));
            }
            case Kind::any_of:
                return disjunction(query);
        }
        return Piece{};
    }

    /// The words of the index that begin with the given one; nothing where there are too many: FTS5
    /// merges what it has of all of them before it gives the first document.
    std::vector<std::string> completions(const std::string& beginning) const {
        PreparedStatement statement(context_.session,
                                    "SELECT term FROM terms WHERE term>=?1 AND term<?2 LIMIT ?3");
        const std::string end = beginning + "\xF4\x8F\xBF\xBF";  // the last character there is
        statement.bind(1, beginning);
        statement.bind(2, end);
        statement.bind(3, kMaxCompletions + 1);
        std::vector<std::string> terms;
        while (statement.step()) {
            statement.read(0, terms.emplace_back());
        }
        if (terms.size() > static_cast<std::size_t>(kMaxCompletions)) {
            terms.clear();
        }
        return terms;
    }

    std::string words(const Query& query) const {
        std::string match;
        if (!query.fields.empty()) {
            match = "{";
            for (const Field field : query.fields) {
                match += std::string(kColumns.at(static_cast<std::size_t>(field))) + " ";
            }
            match.back() = '}';
            match += " : ";
        }
        std::string phrase;
        for (std::size_t i = 0; i + 1 < query.words.size(); ++i) {
            phrase += in_quotes(query.words[i]) + " + ";
        }
        const std::string& last = query.words.back();
        if (!query.prefix) {
            return match + phrase + in_quotes(last);
        }
        const auto terms = completions(last);
        if (terms.empty()) {
            return match + phrase + in_quotes(last) + " *";
        }
        match += "(";
        for (const auto& term : terms) {
            match += (term == terms.front() ? "" : " OR ") + phrase + in_quotes(term);
        }
        return match + ")";
    }

    static Piece number(const char* where, std::int64_t value) {
        return {.where = where, .parameters = {{.number = value}}};
    }

    /// Whatever can't be left to FTS5 becomes SQL.
    static Piece as_where(Piece piece) {
        if (piece.match.empty()) {
            return piece;
        }
        Piece result{.where = "d.doc IN (SELECT rowid FROM words WHERE words MATCH ?)",
                     .parameters = {{.text = piece.match, .is_text = true}}};
        if (!piece.where.empty()) {
            result.where = "(" + result.where + " AND " + piece.where + ")";
            std::ranges::move(piece.parameters, std::back_inserter(result.parameters));
        }
        return result;
    }

    static Piece conjunction(std::vector<Piece> pieces) {
        Piece all;
        for (auto& piece : pieces) {
            if (!piece.exclude.empty()) {
                all.exclude += (all.exclude.empty() ? "(" : " OR (") + piece.exclude + ")";
            }
            if (!piece.match.empty()) {
                all.match += (all.match.empty() ? "(" : " AND (") + piece.match + ")";
            }
            if (!piece.where.empty()) {
                all.where += (all.where.empty() ? "(" : " AND (") + piece.where + ")";
                std::ranges::move(piece.parameters, std::back_inserter(all.parameters));
            }
        }
        return all;
    }

    Result<Piece> disjunction(const Query& query) {
        std::vector<Piece> pieces;
        bool only_match = true;
        for (const auto& part : query.parts) {
            OPENARCHIVER_TRY(Piece piece, compile(part));
            only_match = only_match && piece.where.empty();
            pieces.push_back(settled(std::move(piece)));
        }
        Piece any;
        for (auto& piece : pieces) {
            if (only_match) {
                any.match += (any.match.empty() ? "(" : " OR (") + piece.match + ")";
                continue;
            }
            Piece part = as_where(std::move(piece));
            any.where += (any.where.empty() ? "(" : " OR (") + part.where + ")";
            std::ranges::move(part.parameters, std::back_inserter(any.parameters));
        }
        return any;
    }

    Result<Piece> negation(const Query& query) {
        OPENARCHIVER_TRY(Piece piece, compile(query.parts.front()));
        if (piece.where.empty()) {
            return Piece{.exclude = settled(std::move(piece)).match};
        }
        piece = as_where(settled(std::move(piece)));
        piece.where = "NOT (" + piece.where + ")";
        return piece;
    }

    [[nodiscard]] static Error unknown(const Query& query, const std::string& what) {
        const std::string place = query.position == 0 ? std::string()
                                                      : "the query is wrong at character " +
                                                            std::to_string(query.position) + ": ";
        return {Errc::invalid_argument, place + what};
    }

    Result<Piece> accounts(const Query& query) {
        const bool source = query.kind == Kind::source;
        PreparedStatement statement(
            context_.session,
            source ? "SELECT a.account FROM catalog.accounts a JOIN catalog.sources s"
                     " ON s.source=a.source WHERE s.id=?1"
                   : "SELECT account FROM catalog.accounts WHERE id=?1 OR"
                     " lower(address)=lower(?1)");
        statement.bind(1, query.text);
        std::string match;
        std::string keys;
        while (statement.step()) {
            Integer key = 0;
            statement.read(0, key);
            match += (match.empty() ? "" : " OR ") + in_quotes(tag_account(key));
            keys += (keys.empty() ? "" : ",") + std::to_string(key);
        }
        if (match.empty()) {
            return source ? unknown(query, "nothing was archived of a source \"" + query.text +
                                               "\"; `openarchiver source list` lists them")
                          : unknown(query, "no account has the id or address \"" + query.text +
                                               "\"; `openarchiver accounts` lists them");
        }
        if (context_.accounts_in_sql) {
            return Piece{.where = "d.account IN (" + keys + ")"};
        }
        return Piece{.match = std::move(match)};
    }

    /// An item that has left its account counts as where it was last.
    Result<Piece> folder(const Query& query) {
        PreparedStatement statement(
            context_.session,
            "WITH RECURSIVE tree(folder, account, id, path) AS ("
            " SELECT f.folder, f.account, f.id, f.name FROM catalog.folders f WHERE NOT EXISTS ("
            "  SELECT 1 FROM catalog.folders p WHERE p.account=f.account AND p.id=f.parent_id)"
            " UNION ALL SELECT f.folder, f.account, f.id, tree.path || '/' || f.name FROM tree"
            "  JOIN catalog.folders f ON f.account=tree.account AND f.parent_id=tree.id)"
            " SELECT folder FROM tree WHERE lower(path)=lower(?1)"
            " OR lower(substr(path, 1, length(?1) + 1))=lower(?1) || '/'");
        statement.bind(1, query.text);
        std::string keys;
        std::size_t count = 0;
        while (statement.step()) {
            Integer key = 0;
            statement.read(0, key);
            keys += (keys.empty() ? "" : ",") + std::to_string(key);
            if (++count > kMaxFolders) {
                return unknown(query, "too many folders have the path \"" + query.text +
                                          "\": search in fewer accounts");
            }
        }
        if (keys.empty()) {
            return unknown(query, "no folder has the path \"" + query.text +
                                      "\"; `openarchiver folders` lists them");
        }
        return Piece{.where =
                         "EXISTS (SELECT 1 FROM catalog.placements p WHERE p.item=d.item AND"
                         " p.folder IN (" +
                         keys +
                         ")) OR (NOT EXISTS (SELECT 1 FROM catalog.placements p WHERE"
                         " p.item=d.item) AND (SELECT h.folder FROM catalog.history h WHERE"
                         " h.item=d.item ORDER BY h.position DESC LIMIT 1) IN (" +
                         keys + "))"};
    }

    PlanContext& context_;
};

}  // namespace

Result<Plan> make_plan(const Query& query, PlanContext& context) {
    return Planner(context).plan(query);
}

}  // namespace openarchiver::search
