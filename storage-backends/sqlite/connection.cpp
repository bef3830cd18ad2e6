#include "connection.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

namespace openarchiver::sqlite {

namespace {

using sdk::Errc;
using sdk::Error;

/// "OAOB": says in the file's header that these are an archive's objects.
constexpr std::int64_t kApplicationId = 0x4f414f42;
/// 1, of versions before the first release, had pieces without row ids, which can't be read in
/// part.
constexpr std::int64_t kFormat = 2;

/// Set before the first table is made; later they change nothing.
constexpr const char* kCreation = "PRAGMA page_size=32768; PRAGMA auto_vacuum=INCREMENTAL";
/// FULL: a commit is on the disk when it returns. The cache bounds the memory of a transaction.
constexpr const char* kSettings =
    "PRAGMA synchronous=FULL; PRAGMA cache_size=-4096; PRAGMA journal_size_limit=33554432;"
    "PRAGMA trusted_schema=OFF";
constexpr const char* kTables =
    "CREATE TABLE objects(object INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
    " size INTEGER NOT NULL, modified_at INTEGER NOT NULL);"
    "CREATE TABLE pieces(piece INTEGER PRIMARY KEY, bytes BLOB NOT NULL);";

struct Classification {
    Errc code;
    std::string_view remedy;
};

Classification classify(int result) {
    switch (result & 0xff) {
        case SQLITE_FULL:
            return {Errc::resource_exhausted, "free space there or move the archive"};
        case SQLITE_NOMEM:
            return {Errc::resource_exhausted, "the machine is out of memory"};
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {Errc::unavailable, "another program keeps it locked: find out which"};
        case SQLITE_READONLY:
        case SQLITE_PERM:
        case SQLITE_CANTOPEN:
        case SQLITE_AUTH:
            return {Errc::permission_denied,
                    "let the user that runs the engine write the file and its folder"};
        case SQLITE_NOTADB:
            return {Errc::invalid_config, "name another file: this one is no SQLite database"};
        case SQLITE_CORRUPT:
            return {Errc::corrupt, "bring the file back from a copy"};
        default:
            return {Errc::unavailable, "check that the disk is mounted and healthy"};
    }
}

/// A file that only its owner may read, durable in its folder; SQLite makes its companions alike.
sdk::Status create_file(const std::string& file) {
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return Error{Errc::permission_denied,
                     "can't open " + file + ": " + std::system_category().message(errno) +
                         "; let the user that runs the engine write the file and its folder"};
    }
    ::close(descriptor);
    const std::string folder = file.substr(0, file.rfind('/') + 1);
    const int parent = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool synced = parent >= 0 && ::fsync(parent) == 0;
    if (parent >= 0) {
        ::close(parent);
    }
    return synced ? sdk::Status()
                  : Error{Errc::unavailable, "can't sync the folder " + folder + ": " +
                                                 std::system_category().message(errno)};
}

}  // namespace

sdk::Result<std::unique_ptr<Connection>> Connection::open(const std::string& file) {
    OPENARCHIVER_CHECK(create_file(file));
    std::unique_ptr<Connection> connection(new Connection(file));
    sqlite3* handle = nullptr;
    const int result = sqlite3_open_v2(file.c_str(), &handle,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
    connection->handle_.reset(handle);
    if (result != SQLITE_OK) {
        return connection->error("open");
    }
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_handler(handle, &Connection::wait_for_writer, connection.get());
    OPENARCHIVER_CHECK(connection->prepare_archive());
    return connection;
}

sdk::Status Connection::prepare_archive() {
    OPENARCHIVER_CHECK(run(kCreation, "open"));
    OPENARCHIVER_CHECK(run(kSettings, "open"));
    OPENARCHIVER_TRY(std::int64_t application, pragma("PRAGMA application_id"));
    if (application != kApplicationId) {
        OPENARCHIVER_TRY(auto transaction,
                         Transaction::begin(*this, Transaction::Kind::write, "create"));
        // Another process may have been first.
        OPENARCHIVER_TRY(application, pragma("PRAGMA application_id"));
        OPENARCHIVER_TRY(const std::int64_t tables, pragma("SELECT count(*) FROM sqlite_schema"));
        if (application == 0 && tables == 0) {
            const std::string stamp = "PRAGMA application_id=" + std::to_string(kApplicationId) +
                                      "; PRAGMA user_version=" + std::to_string(kFormat);
            OPENARCHIVER_CHECK(run(kTables, "create"));
            OPENARCHIVER_CHECK(run(stamp.c_str(), "create"));
            OPENARCHIVER_CHECK(transaction.commit());
        } else if (application != kApplicationId) {
            return Error{Errc::invalid_config,
                         file_ + " is another program's database; name another file"};
        }
    }
    OPENARCHIVER_TRY(const std::int64_t format, pragma("PRAGMA user_version"));
    if (format != kFormat) {
        return Error{Errc::unsupported, file_ + " has the format " + std::to_string(format) +
                                            ", this version of the plugin knows only " +
                                            std::to_string(kFormat) + "; use " +
                                            (format > kFormat ? "a newer" : "the older") + " one"};
    }
    // Lasts in the file. Fails at once, without a wait, while other processes do the same.
    for (const auto begin = std::chrono::steady_clock::now();;) {
        const auto status = run("PRAGMA journal_mode=WAL", "open");
        if (status || status.error().code != Errc::unavailable ||
            std::chrono::steady_clock::now() - begin > kPatience) {
            return status;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
}

Error Connection::error(std::string_view action) const {
    int result = sqlite3_extended_errcode(handle_.get());
    if ((result & 0xff) == SQLITE_IOERR && sqlite3_system_errno(handle_.get()) == ENOSPC) {
        result = SQLITE_FULL;  // of a companion file
    }
    if (stop_.stop_requested() && ((result & 0xff) == SQLITE_BUSY)) {
        return Error{Errc::cancelled, "stopped while waiting for another writer"};
    }
    const Classification what = classify(result);
    std::string message = "can't ";
    message += action;
    message += " " + file_ + ": " + sqlite3_errmsg(handle_.get()) + "; ";
    message += what.remedy;
    return Error{what.code, std::move(message)};
}

sdk::Status Connection::run(const char* sql, std::string_view action) {
    if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
        return error(action);
    }
    return {};
}

sdk::Result<std::int64_t> Connection::pragma(const char* sql) {
    OPENARCHIVER_TRY(Statement statement, Statement::prepare(*this, sql, "open"));
    OPENARCHIVER_TRY(const bool found, statement.step());
    return found ? statement.integer(0) : 0;
}

int Connection::wait_for_writer(void* connection, int attempt) {
    auto& self = *static_cast<Connection*>(connection);
    const auto now = std::chrono::steady_clock::now();
    if (attempt == 0) {
        self.waiting_since_ = now;
    }
    if (self.stop_.stop_requested() || now - self.waiting_since_ > kPatience) {
        return 0;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(std::min(attempt + 1, 20)));
    return 1;
}

sdk::Result<Statement> Statement::prepare(Connection& connection, const char* sql,
                                          std::string_view action) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(connection.handle(), sql, -1, &statement, nullptr) != SQLITE_OK) {
        return connection.error(action);
    }
    return Statement(connection, statement, action);
}

void Statement::bind(int parameter, std::string_view value) {
    sqlite3_bind_text64(statement_.get(), parameter, value.data(), value.size(), SQLITE_STATIC,
                        SQLITE_UTF8);
}

void Statement::bind(int parameter, std::span<const std::byte> value) {
    sqlite3_bind_blob64(statement_.get(), parameter, value.data(), value.size(), SQLITE_STATIC);
}

sdk::Result<bool> Statement::step() {
    switch (sqlite3_step(statement_.get())) {
        case SQLITE_ROW:
            return true;
        case SQLITE_DONE:
            return false;
        default:
            return connection_->error(action_);
    }
}

sdk::Status Statement::run() {
    const auto stepped = step();
    sqlite3_reset(statement_.get());
    return stepped ? sdk::Status() : stepped.error();
}

std::string_view Statement::text(int column) const {
    const auto* const text = sqlite3_column_text(statement_.get(), column);
    return {reinterpret_cast<const char*>(text),
            static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

Blob::~Blob() {
    sqlite3_blob_close(blob_);
}

sdk::Result<bool> Blob::open(std::int64_t row) {
    const int result = blob_ == nullptr ? sqlite3_blob_open(connection_->handle(), "main", table_,
                                                            column_, row, 0, &blob_)
                                        : sqlite3_blob_reopen(blob_, row);
    if (result == SQLITE_ERROR) {
        return false;
    }
    return result == SQLITE_OK ? sdk::Result<bool>(true) : connection_->error(action_);
}

sdk::Status Blob::read(std::size_t offset, std::span<std::byte> target) {
    if (sqlite3_blob_read(blob_, target.data(), static_cast<int>(target.size()),
                          static_cast<int>(offset)) != SQLITE_OK) {
        return connection_->error(action_);
    }
    return {};
}

sdk::Result<Transaction> Transaction::begin(Connection& connection, Kind kind,
                                            std::string_view action) {
    OPENARCHIVER_CHECK(connection.run(kind == Kind::write ? "BEGIN IMMEDIATE" : "BEGIN", action));
    return Transaction(connection, action);
}

Transaction::~Transaction() {
    if (connection_ != nullptr) {
        // What failed may have rolled it back already.
        sqlite3_exec(connection_->handle(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
}

sdk::Status Transaction::commit() {
    OPENARCHIVER_CHECK(connection_->run("COMMIT", action_));
    connection_ = nullptr;
    return {};
}

}  // namespace openarchiver::sqlite
