#pragma once

struct sqlite3;

namespace openarchiver::search {

/// Makes the tokenizer `words` (words.hpp) known to FTS5 on this connection. Throws
/// Poco::Exception.
void register_tokenizer(sqlite3* connection);

}  // namespace openarchiver::search
