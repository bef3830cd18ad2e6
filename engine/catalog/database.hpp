#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <tuple>
#include <utility>

#include <Poco/Data/LOB.h>
#include <Poco/Data/Session.h>
#include <Poco/Data/Statement.h>
#include <Poco/Exception.h>
#include <Poco/Nullable.h>

#include <openarchiver/sdk/result.hpp>

/// One SQLite connection through Poco::Data. Only for .cpp files: Poco's headers are heavy.
namespace openarchiver::catalog {

using Integer = std::int64_t;
using Blob = Poco::Data::BLOB;

enum class Access : std::uint8_t { read, write };

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

/// A prepared statement with its parameters and its result row: `Query<tuple<Out...>, In...>`.
template <typename Out, typename... In>
class Query;

template <typename... Out, typename... In>
class Query<std::tuple<Out...>, In...> {
public:
    Query(Poco::Data::Session& session, const char* sql) : statement_(session) {
        statement_ << sql;
        std::apply([this](auto&... in) { ((statement_, Poco::Data::Keywords::use(in)), ...); }, in_);
        if constexpr (sizeof...(Out) > 0) {
            std::apply([this](auto&... out) { ((statement_, Poco::Data::Keywords::into(out)), ...); },
                       out_);
        }
    }
    Query(const Query&) = delete;
    Query& operator=(const Query&) = delete;

    /// Executes; true where a row was found (or changed). A result of several rows keeps the last.
    bool operator()(In... in) {
        in_ = std::tuple<In...>(std::move(in)...);
        return statement_.execute() > 0;
    }

    template <std::size_t I>
    [[nodiscard]] auto& get() {
        return std::get<I>(out_);
    }

private:
    std::tuple<In...> in_{};
    std::tuple<Out...> out_{};
    Poco::Data::Statement statement_;
};

}  // namespace openarchiver::catalog
