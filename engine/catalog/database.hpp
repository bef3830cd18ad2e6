#pragma once

#include <Poco/Data/LOB.h>
#include <Poco/Data/Session.h>
#include <Poco/Exception.h>

#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <tuple>
#include <utility>

struct sqlite3;
struct sqlite3_stmt;

/// One SQLite connection through Poco::Data. Only for .cpp files: Poco's headers are heavy.
namespace openarchiver::catalog {

using Integer = std::int64_t;
using Blob = Poco::Data::BLOB;

enum class Access : std::uint8_t {
    read,
    write,
    /// By nobody else, and for nothing that has to survive a crash: the file is synced and put in
    /// place once it is full.
    fill,
};

/// Opens the file (made when missing and `access` is write) with write-ahead log and our pragmas.
/// Throws Poco::Exception.
[[nodiscard]] Poco::Data::Session open_session(const std::filesystem::path& file, Access access);

/// What a Poco exception means for the caller; a damaged catalog names `rebuild` as the remedy.
[[nodiscard]] sdk::Error translate(const Poco::Exception& exception, const char* doing);

/// Runs `action` and translates what Poco throws.
template <typename Action>
auto translated(const char* doing, Action&& action) -> decltype(action()) {
    try {
        return action();
    } catch (const Poco::Exception& exception) {
        return translate(exception, doing);
    }
}

/// A statement prepared once on a session's connection. Poco::Data prepares its statements again
/// for each execution, which costs more than most of them do; the few that run for each item do
/// without.
class PreparedStatement {
public:
    PreparedStatement(Poco::Data::Session& session, const char* sql);
    PreparedStatement(const PreparedStatement&) = delete;
    PreparedStatement& operator=(const PreparedStatement&) = delete;
    ~PreparedStatement();

    void bind(int parameter, Integer value);
    void bind(int parameter, const std::string& value);
    void bind(int parameter, const Blob& value);
    /// True while there is a row to read. Throws Poco::Exception.
    bool step();
    void read(int column, Integer& value) const;
    void read(int column, std::string& value) const;
    void read(int column, Blob& value) const;
    /// Rows changed by the statement that ran last on the connection.
    [[nodiscard]] int changes() const;
    /// The row that the connection inserted last.
    [[nodiscard]] Integer last_row() const;
    /// Ready to run again; no lock is held any more.
    void reset() noexcept;

private:
    sqlite3* connection_;
    sqlite3_stmt* statement_ = nullptr;
};

/// Makes a statement ready to run again at the end of a scope, however that ends.
class ResetAtEnd {
public:
    explicit ResetAtEnd(PreparedStatement& statement) : statement_(statement) {}

    ResetAtEnd(const ResetAtEnd&) = delete;
    ResetAtEnd& operator=(const ResetAtEnd&) = delete;

    ~ResetAtEnd() { statement_.reset(); }

private:
    PreparedStatement& statement_;
};

/// A prepared statement with the types of its result row and of its parameters:
/// `Query<tuple<Out...>, In...>`.
template <typename Out, typename... In>
class Query;

template <typename... Out, typename... In>
class Query<std::tuple<Out...>, In...> {
public:
    Query(Poco::Data::Session& session, const char* sql) : statement_(session, sql) {}

    /// Runs it; true where a row was found, or changed. The first row can be read with get().
    bool operator()(const In&... in) {
        const ResetAtEnd reset(statement_);
        int parameter = 0;
        (statement_.bind(++parameter, in), ...);
        if (!statement_.step()) {
            return sizeof...(Out) == 0 && statement_.changes() > 0;
        }
        int column = 0;
        std::apply([&](auto&... out) { (statement_.read(column++, out), ...); }, out_);
        return true;
    }

    /// Of an insertion that just ran: the key of its row.
    [[nodiscard]] Integer last_row() const { return statement_.last_row(); }

    template <std::size_t I>
    [[nodiscard]] auto& get() {
        return std::get<I>(out_);
    }

private:
    std::tuple<Out...> out_{};
    PreparedStatement statement_;
};

}  // namespace openarchiver::catalog
