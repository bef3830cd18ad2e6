#include "database.hpp"

namespace tickets {

sdk::Result<Database> Database::open(const std::filesystem::path& file) {
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &handle, SQLITE_OPEN_READONLY, nullptr);
    Database database(handle);
    if (code != SQLITE_OK) {
        return sdk::Error{.code = sdk::Errc::unavailable,
                          .message = "the ticket system's database can't be opened: " +
                                     std::string(sqlite3_errstr(code))};
    }
    sqlite3_busy_timeout(handle, 500);
    return database;
}

sdk::Result<std::vector<Database::Row>> Database::rows(const std::string& query,
                                                       const std::vector<std::string>& parameters) {
    const auto failed = [this] {
        return sdk::Error{.code = sdk::Errc::unavailable,
                          .message = "the ticket system's database can't be read: " +
                                     std::string(sqlite3_errmsg(handle_.get()))};
    };
    sqlite3_stmt* prepared = nullptr;
    if (sqlite3_prepare_v2(handle_.get(), query.c_str(), -1, &prepared, nullptr) != SQLITE_OK) {
        return failed();
    }
    const std::unique_ptr<sqlite3_stmt, int (*)(sqlite3_stmt*)> statement(prepared,
                                                                          &sqlite3_finalize);
    for (std::size_t i = 0; i < parameters.size(); ++i) {
        sqlite3_bind_text(prepared, static_cast<int>(i) + 1, parameters[i].data(),
                          static_cast<int>(parameters[i].size()), SQLITE_TRANSIENT);
    }
    std::vector<Row> rows;
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(prepared)) == SQLITE_ROW) {
        Row& row = rows.emplace_back();
        for (int column = 0; column < sqlite3_column_count(prepared); ++column) {
            const void* const bytes = sqlite3_column_blob(prepared, column);
            const int size = sqlite3_column_bytes(prepared, column);
            row.emplace_back(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
        }
    }
    if (code != SQLITE_DONE) {
        return failed();
    }
    return rows;
}

}  // namespace tickets
