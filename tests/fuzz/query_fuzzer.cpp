// What somebody types into the search.
#include <cstdint>

#include "input.hpp"
#include "search/query.hpp"
#include "search/words.hpp"

using namespace openarchiver;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto query = search::parse_query(text);
    fuzz::expect(query || query.error().code == sdk::Errc::invalid_argument,
                 "a query is understood, or refused");
    fuzz::expect(query || !query.error().message.empty(), "what is refused says why");
    for (const auto& word : search::words_of(text, search::WordsOf::query)) {
        fuzz::expect(!word.empty() && word.size() <= search::kMaxWord, "a word is bounded");
        fuzz::expect(search::plain_utf8(word) == word, "a word is UTF-8");
    }
    return 0;
}
