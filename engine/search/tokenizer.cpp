#include "search/tokenizer.hpp"

#include <Poco/Data/DataException.h>
#include <sqlite3.h>

#include "search/words.hpp"

namespace openarchiver::search {

namespace {

// https://www.sqlite.org/fts5.html, "Custom Tokenizers".

struct Tokenizer {
    SeenWords* seen;
};

int create(void* seen, const char**, int, Fts5Tokenizer** tokenizer) {
    *tokenizer = reinterpret_cast<Fts5Tokenizer*>(new Tokenizer{static_cast<SeenWords*>(seen)});
    return SQLITE_OK;
}

void destroy(Fts5Tokenizer* tokenizer) {
    delete reinterpret_cast<Tokenizer*>(tokenizer);
}

int tokenize(Fts5Tokenizer* tokenizer, void* context, int flags, const char* text, int size,
             int (*token)(void*, int, const char*, int, int, int)) {
    int result = SQLITE_OK;
    const bool document = (flags & FTS5_TOKENIZE_DOCUMENT) != 0;
    SeenWords* const seen = document ? reinterpret_cast<Tokenizer*>(tokenizer)->seen : nullptr;
    const auto what = (flags & FTS5_TOKENIZE_QUERY) != 0 ? WordsOf::query : WordsOf::text;
    for_each_word({text, static_cast<std::size_t>(size)}, what, [&](const Word& word) {
        if (seen != nullptr) {
            seen->emplace(word.folded);
        }
        result = token(context, word.same_place ? FTS5_TOKEN_COLOCATED : 0, word.folded.data(),
                       static_cast<int>(word.folded.size()), static_cast<int>(word.begin),
                       static_cast<int>(word.end));
        return result == SQLITE_OK;
    });
    return result;
}

}  // namespace

void register_tokenizer(sqlite3* connection, SeenWords* seen) {
    fts5_api* api = nullptr;
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(connection, "SELECT fts5(?1)", -1, &statement, nullptr) == SQLITE_OK) {
        sqlite3_bind_pointer(statement, 1, static_cast<void*>(&api), "fts5_api_ptr", nullptr);
        sqlite3_step(statement);
    }
    sqlite3_finalize(statement);
    fts5_tokenizer functions{create, destroy, tokenize};
    if (api == nullptr ||
        api->xCreateTokenizer(api, "words", seen, &functions, nullptr) != SQLITE_OK) {
        throw Poco::Data::DataException("this SQLite has no FTS5");
    }
}

}  // namespace openarchiver::search
