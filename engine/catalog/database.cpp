#include "catalog/database.hpp"

#include <Poco/Data/SQLite/Connector.h>
#include <Poco/Data/SQLite/SQLiteException.h>
#include <Poco/Data/SQLite/Utility.h>
#include <sqlite3.h>

#include <mutex>

namespace openarchiver::catalog {

namespace sqlite = Poco::Data::SQLite;
using namespace Poco::Data::Keywords;
using sdk::Errc;

Poco::Data::Session open_session(const std::filesystem::path& file, Access access) {
    static std::once_flag registered;
    std::call_once(registered, [] {
        // Nobody asks how much memory SQLite has: counting that takes a lock of the whole process
        // at each allocation. Refused once SQLite is in use, which is all the same.
        (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        sqlite::Connector::registerConnector();
    });
    Poco::Data::Session session(sqlite::Connector::KEY, file.string());
    session << "PRAGMA busy_timeout=20000", now;
    if (access == Access::write) {
        // The log is the truth: what a power cut takes from the catalog is replayed from there.
        session << "PRAGMA journal_mode=WAL", now;
        session << "PRAGMA synchronous=NORMAL", now;
        session << "PRAGMA wal_autocheckpoint=4000", now;
        session << "PRAGMA secure_delete=ON", now;  // what is forgotten leaves no free pages
    } else if (access == Access::fill) {
        session << "PRAGMA locking_mode=EXCLUSIVE", now;
        session << "PRAGMA journal_mode=OFF", now;
        session << "PRAGMA synchronous=OFF", now;
    } else {
        session << "PRAGMA query_only=1", now;
    }
    // KiB. Writing touches pages all over the indexes, filling ever more of them at once.
    const char* const cache = access == Access::fill    ? "262144"
                              : access == Access::write ? "40960"
                                                        : "16384";
    session << "PRAGMA cache_size=-" + std::string(cache), now;
    if (access != Access::fill) {  // where an index of all items is sorted
        session << "PRAGMA temp_store=MEMORY", now;
    }
    return session;
}

sdk::Error translate(const Poco::Exception& exception, const char* doing) {
    const std::string what = std::string(doing) + ": " + exception.displayText();
    const auto is = [&]<typename Kind>(std::type_identity<Kind>) {
        return dynamic_cast<const Kind*>(&exception) != nullptr;
    };
    if (is(std::type_identity<sqlite::CorruptImageException>{}) ||
        is(std::type_identity<sqlite::DBAccessDeniedException>{}) ||
        what.find("not a database") != std::string::npos ||
        what.find("malformed") != std::string::npos) {
        return {Errc::corrupt,
                "the catalog is damaged (" + what +
                    "); it can be made anew from the archive: run `openarchiver rebuild`"};
    }
    if (is(std::type_identity<sqlite::DatabaseFullException>{})) {
        return {Errc::resource_exhausted,
                "no space left for the catalog (" + what + "); free space on its volume"};
    }
    if (is(std::type_identity<sqlite::ReadOnlyException>{}) ||
        is(std::type_identity<sqlite::CantOpenDBFileException>{})) {
        return {Errc::permission_denied, "the catalog can't be opened for writing (" + what +
                                             "); check the rights on its folder"};
    }
    return {Errc::unavailable, "the catalog failed (" + what + ")"};
}

PreparedStatement::PreparedStatement(Poco::Data::Session& session, const char* sql)
    : connection_(sqlite::Utility::dbHandle(session)) {
    const int code =
        sqlite3_prepare_v3(connection_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
    if (code != SQLITE_OK) {
        sqlite::Utility::throwException(connection_, code, sql);
    }
}

PreparedStatement::~PreparedStatement() {
    sqlite3_finalize(statement_);
}

// What is bound outlives the step (Query's arguments do), so SQLite need not copy it.

void PreparedStatement::bind(int parameter, Integer value) {
    sqlite3_bind_int64(statement_, parameter, value);
}

void PreparedStatement::bind(int parameter, const std::string& value) {
    sqlite3_bind_text64(statement_, parameter, value.data(), value.size(), SQLITE_STATIC,
                        SQLITE_UTF8);
}

void PreparedStatement::bind(int parameter, const Blob& value) {
    sqlite3_bind_blob64(statement_, parameter, value.rawContent(), value.size(), SQLITE_STATIC);
}

bool PreparedStatement::step() {
    const int code = sqlite3_step(statement_);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        sqlite::Utility::throwException(connection_, code, sqlite3_sql(statement_));
    }
    return code == SQLITE_ROW;
}

void PreparedStatement::read(int column, Integer& value) const {
    value = sqlite3_column_int64(statement_, column);
}

void PreparedStatement::read(int column, std::string& value) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    value.assign(text != nullptr ? text : "",
                 static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

void PreparedStatement::read(int column, Blob& value) const {
    const auto* bytes = static_cast<const unsigned char*>(sqlite3_column_blob(statement_, column));
    value = Blob(bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}

int PreparedStatement::changes() const {
    return sqlite3_changes(connection_);
}

Integer PreparedStatement::last_row() const {
    return sqlite3_last_insert_rowid(connection_);
}

void PreparedStatement::reset() noexcept {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
}

}  // namespace openarchiver::catalog
