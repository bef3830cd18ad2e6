#pragma once

#include <cstdint>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <vector>

#include "search/database.hpp"
#include "search/query.hpp"

namespace openarchiver::search {

/// A parameter of SQL.
struct Parameter {
    std::string text = {};
    Integer number = 0;
    bool is_text = false;
};

/// How a query is run: FTS5 goes through the documents with the words in the order of their
/// numbers, from the newest down; SQL looks at the rest of what is asked for. `d` is the row of
/// `docs`.
struct Plan {
    std::string match;  ///< of FTS5; empty: all documents are looked at
    std::string where;  ///< SQL; empty: nothing more is asked for
    std::vector<Parameter> parameters;
    Integer first = 1;  ///< number of a document
    Integer last = std::int64_t{1} << 62;
    /// The words that were asked for, for snippets: folded, a phrase each.
    std::vector<Query> highlighted;
};

/// What a plan has to look up.
struct PlanContext {
    Poco::Data::Session& session;
    std::string salt;
    Integer spill = 0;
    /// Accounts in SQL, `d.account`, and not among the words.
    bool accounts_in_sql = false;
};

/// invalid_argument: an account, source or folder that there is not. Throws Poco::Exception.
[[nodiscard]] sdk::Result<Plan> make_plan(const Query& query, PlanContext& context);

}  // namespace openarchiver::search
