#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "search/document.hpp"
#include "search/query.hpp"

namespace openarchiver::search {

/// A piece of a text around what was found. One line, without control characters.
struct Snippet {
    std::string text;
    /// Bytes of `text` that were searched for, from and to, in order.
    std::vector<std::pair<std::size_t, std::size_t>> highlights;
};

/// The best place of the document's text for these words; its beginning where there is none.
[[nodiscard]] Snippet make_snippet(const Document& document, const std::vector<Query>& words);

}  // namespace openarchiver::search
