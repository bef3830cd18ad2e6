#pragma once

#include <sqlite3.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/result.hpp>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

namespace openarchiver::sqlite {

template <typename Body>
auto guarded(Body body) noexcept {
    return sdk::without_exceptions("the sqlite storage backend", std::move(body));
}

/// A connection to the archive's file. One thread at a time. While another process writes, it
/// waits: as long as `kPatience`, or until the stop token of the call under way.
class Connection {
public:
    static constexpr std::chrono::seconds kPatience{20};

    /// Opens the file, creating archive and file where there is none.
    /// invalid_config: it is something else than an archive; unsupported: a newer one.
    static sdk::Result<std::unique_ptr<Connection>> open(const std::string& file);

    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// The stop token that ends waits from now on.
    void set_stop(std::stop_token stop) { stop_ = std::move(stop); }

    /// What SQLite says of its last failure: "can't ACTION FILE: TEXT; what to do".
    [[nodiscard]] sdk::Error error(std::string_view action) const;

    /// Runs SQL that has no parameters and no result.
    sdk::Status run(const char* sql, std::string_view action);

    [[nodiscard]] sqlite3* handle() const { return handle_.get(); }

private:
    explicit Connection(std::string file) : file_(std::move(file)) {}

    sdk::Status prepare_archive();
    sdk::Result<std::int64_t> pragma(const char* sql);
    static int wait_for_writer(void* connection, int attempt);

    struct Close {
        void operator()(sqlite3* handle) const { sqlite3_close(handle); }
    };

    const std::string file_;
    std::stop_token stop_;
    std::chrono::steady_clock::time_point waiting_since_;
    std::unique_ptr<sqlite3, Close> handle_;
};

/// A statement of a connection. After an Error the connection knows why.
class Statement {
public:
    static sdk::Result<Statement> prepare(Connection& connection, const char* sql,
                                          std::string_view action);

    void bind(int parameter, std::int64_t value) {
        sqlite3_bind_int64(statement_.get(), parameter, value);
    }

    /// The text or bytes must live until the next step().
    void bind(int parameter, std::string_view value);
    void bind(int parameter, std::span<const std::byte> value);

    /// True while there is a row to read.
    sdk::Result<bool> step();
    /// For a statement that gives no rows; ready to run again afterwards.
    sdk::Status run();

    [[nodiscard]] std::int64_t integer(int column) const {
        return sqlite3_column_int64(statement_.get(), column);
    }

    /// Valid until the next step().
    [[nodiscard]] std::string_view text(int column) const;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
    };

    Statement(Connection& connection, sqlite3_stmt* statement, std::string_view action)
        : connection_(&connection), action_(action), statement_(statement) {}

    Connection* connection_;
    std::string_view action_;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// The bytes of a column, read in part: a statement would read the whole row. Goes before the
/// transaction that it is used in.
class Blob {
public:
    /// The names must outlive it.
    Blob(Connection& connection, const char* table, const char* column, std::string_view action)
        : connection_(&connection), table_(table), column_(column), action_(action) {}

    Blob(const Blob&) = delete;
    Blob& operator=(const Blob&) = delete;
    ~Blob();

    /// Goes to a row; false where there is none.
    sdk::Result<bool> open(std::int64_t row);

    [[nodiscard]] std::size_t size() const {
        return static_cast<std::size_t>(sqlite3_blob_bytes(blob_));
    }

    /// Fills `target` from `offset` on, within size().
    sdk::Status read(std::size_t offset, std::span<std::byte> target);

private:
    Connection* connection_;
    const char* table_;
    const char* column_;
    std::string_view action_;
    sqlite3_blob* blob_ = nullptr;
};

/// A transaction that is rolled back unless it was committed.
class Transaction {
public:
    enum class Kind : std::uint8_t { read, write };

    static sdk::Result<Transaction> begin(Connection& connection, Kind kind,
                                          std::string_view action);

    Transaction(Transaction&& other) noexcept
        : connection_(std::exchange(other.connection_, nullptr)), action_(other.action_) {}

    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();

    sdk::Status commit();

private:
    Transaction(Connection& connection, std::string_view action)
        : connection_(&connection), action_(action) {}

    Connection* connection_;
    std::string_view action_;
};

}  // namespace openarchiver::sqlite
