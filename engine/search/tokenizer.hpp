#pragma once

#include <string>
#include <unordered_set>

struct sqlite3;

namespace openarchiver::search {

/// Words that went through a tokenizer, each once; null: nobody wants to know.
using SeenWords = std::unordered_set<std::string>;

/// Makes the tokenizer `words` (words.hpp) known to FTS5 on this connection. `seen` outlives it.
/// Throws Poco::Exception.
void register_tokenizer(sqlite3* connection, SeenWords* seen);

}  // namespace openarchiver::search
