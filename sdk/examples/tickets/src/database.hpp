#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <vector>

/// The ticket system's database, read only and one connection for each call: sessions are used by
/// several threads.
namespace tickets {

namespace sdk = openarchiver::sdk;

class Database {
public:
    /// unavailable: it can't be opened.
    static sdk::Result<Database> open(const std::filesystem::path& file);

    using Row = std::vector<std::string>;

    /// All rows, values as texts; parameters are bound in order. unavailable: the query failed.
    sdk::Result<std::vector<Row>> rows(const std::string& query,
                                       const std::vector<std::string>& parameters = {});

private:
    explicit Database(sqlite3* handle) : handle_(handle, &sqlite3_close) {}

    std::unique_ptr<sqlite3, int (*)(sqlite3*)> handle_;
};

}  // namespace tickets
