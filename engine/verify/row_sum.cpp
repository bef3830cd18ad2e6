#include "verify/row_sum.hpp"

#include <Poco/Data/SQLite/Utility.h>
#include <sqlite3.h>

#include <cstring>
#include <memory>
#include <span>
#include <string_view>

#include "archive/digest.hpp"

namespace openarchiver::verify {

namespace sqlite = Poco::Data::SQLite;

namespace {

struct Finalize {
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

/// A value with its type and length in front, so that different rows make different texts.
void append(std::string& row, sqlite3_stmt* statement, int column) {
    const int type = sqlite3_column_type(statement, column);
    const void* const bytes = type == SQLITE_BLOB ? sqlite3_column_blob(statement, column)
                                                  : sqlite3_column_text(statement, column);
    const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
    row += static_cast<char>(type);
    row += std::to_string(size) + ":";
    row += std::string_view(static_cast<const char*>(bytes), bytes == nullptr ? 0 : size);
}

}  // namespace

RowSum sum_of_rows(Poco::Data::Session& session, const std::string& sql, const archive::Salt& key,
                   const std::stop_token& stop) {
    sqlite3* const connection = sqlite::Utility::dbHandle(session);
    sqlite3_stmt* prepared = nullptr;
    int code = sqlite3_prepare_v2(connection, sql.c_str(), -1, &prepared, nullptr);
    const std::unique_ptr<sqlite3_stmt, Finalize> statement(prepared);
    if (code != SQLITE_OK) {
        sqlite::Utility::throwException(connection, code, sql);
    }
    const int columns = sqlite3_column_count(prepared);
    const std::string front(reinterpret_cast<const char*>(key.data()), key.size());
    RowSum result;
    std::string row;
    while (!stop.stop_requested() && (code = sqlite3_step(prepared)) == SQLITE_ROW) {
        row = front;
        for (int column = 0; column < columns; ++column) {
            append(row, prepared, column);
        }
        const archive::Digest digest = archive::sha256(row);
        for (std::size_t i = 0; i < result.sum.size(); ++i) {
            std::uint64_t value = 0;
            std::memcpy(&value, digest.data() + i * sizeof(value), sizeof(value));
            result.sum[i] += value;
        }
        ++result.rows;
    }
    if (code != SQLITE_DONE && !stop.stop_requested()) {
        sqlite::Utility::throwException(connection, code, sql);
    }
    return result;
}

}  // namespace openarchiver::verify
