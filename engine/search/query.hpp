#pragma once

#include <cstddef>
#include <cstdint>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "search/document.hpp"

/// The query language (docs/search.md).
namespace openarchiver::search {

/// What a query asks for, as a tree.
struct Query {
    enum class Kind : std::uint8_t {
        everything,
        all_of,
        any_of,
        none_of,  ///< of its one part
        words,    ///< one after another in one of `fields`
        has_attachment,
        larger,      ///< than `number` bytes
        before,      ///< `number`: milliseconds since 1970 UTC
        after,       ///< ... at that time or later
        folder,      ///< path `text`, and what is below
        account,     ///< id or address `text`
        source,      ///< id `text`
        message_id,  ///< `text`, without angle brackets
        // Not in the language: what options ask for.
        sender,     ///< part `text` of the From header, as catalog::ItemFilter
        documents,  ///< numbers of documents, with commas, in `text`
    };

    Kind kind = Kind::everything;
    std::vector<Query> parts = {};
    std::vector<Field> fields = {};  ///< empty: all
    std::vector<std::string> words = {};
    bool prefix = false;  ///< the last word is the beginning of one
    std::string text = {};
    std::int64_t number = 0;
    std::size_t position = 0;  ///< in the query's text, in characters from 1 on
};

/// invalid_argument: names the position and shows the place. An empty text asks for everything.
[[nodiscard]] sdk::Result<Query> parse_query(std::string_view text);

/// The words of `text` one after another; none where it has no words.
[[nodiscard]] Query words_query(std::string_view text, std::vector<Field> fields, bool prefix);

}  // namespace openarchiver::search
