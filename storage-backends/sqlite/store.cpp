#include "store.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <openarchiver/sdk/object_key.hpp>
#include <system_error>

namespace openarchiver::sqlite {

namespace {

using sdk::Errc;
using sdk::Error;

constexpr std::size_t kPiece = 1024 * 1024;
/// The pieces of an object have the row ids from `object * kPiecesOfObject` on.
constexpr std::int64_t kPiecesOfObject = 1024 * 1024;
constexpr std::uint64_t kMaxObjectBytes = std::uint64_t{kPiece} * kPiecesOfObject;
constexpr std::size_t kReadAtATime = 256 * 1024;
constexpr std::size_t kIdleConnections = 8;
constexpr std::int64_t kKeysAtATime = 512;

Error no_object(std::string_view key) {
    return {Errc::not_found, "there is no object " + std::string(key)};
}

Error cancelled() {
    return {Errc::cancelled, "stopped on request"};
}

sdk::Timestamp timestamp(std::int64_t milliseconds) {
    return sdk::Timestamp(std::chrono::milliseconds(milliseconds));
}

struct ObjectRow {
    std::int64_t object = 0;
    std::uint64_t size = 0;
    std::int64_t modified_at = 0;
};

/// not_found where there is none.
sdk::Result<ObjectRow> find(Connection& connection, std::string_view key, std::string_view action) {
    OPENARCHIVER_TRY(
        Statement select,
        Statement::prepare(connection, "SELECT object, size, modified_at FROM objects WHERE key=?",
                           action));
    select.bind(1, key);
    OPENARCHIVER_TRY(const bool found, select.step());
    if (!found) {
        return no_object(key);
    }
    return ObjectRow{select.integer(0), static_cast<std::uint64_t>(select.integer(1)),
                     select.integer(2)};
}

sdk::Status remove_rows(Connection& connection, std::int64_t object) {
    constexpr std::string_view kRemoving = "remove an object from";
    OPENARCHIVER_TRY(
        Statement pieces,
        Statement::prepare(connection, "DELETE FROM pieces WHERE piece>=? AND piece<?", kRemoving));
    pieces.bind(1, object * kPiecesOfObject);
    pieces.bind(2, (object + 1) * kPiecesOfObject);
    OPENARCHIVER_CHECK(pieces.run());
    OPENARCHIVER_TRY(
        Statement row,
        Statement::prepare(connection, "DELETE FROM objects WHERE object=?", kRemoving));
    row.bind(1, object);
    return row.run();
}

/// Fills the buffer unless the source ends before.
sdk::Result<std::size_t> fill(sdk::ByteSource& source, std::span<std::byte> buffer,
                              const std::stop_token& stop) {
    std::size_t filled = 0;
    while (filled < buffer.size()) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::size_t count, source.read(buffer.subspan(filled)));
        if (count == 0) {
            break;
        }
        filled += count;
    }
    return filled;
}

}  // namespace

Store::Store(std::string file, std::unique_ptr<Connection> connection) : file_(std::move(file)) {
    idle_.push_back(std::move(connection));
}

Store::Lent::~Lent() {
    if (connection_) {
        connection_->set_stop({});
        const std::lock_guard lock(store_->mutex_);
        if (store_->idle_.size() < kIdleConnections) {
            store_->idle_.push_back(std::move(connection_));
        }
    }
}

sdk::Result<Store::Lent> Store::lend(std::stop_token stop) {
    if (stop.stop_requested()) {
        return cancelled();
    }
    std::unique_ptr<Connection> connection;
    {
        const std::lock_guard lock(mutex_);
        if (!idle_.empty()) {
            connection = std::move(idle_.back());
            idle_.pop_back();
        }
    }
    if (!connection) {
        OPENARCHIVER_TRY(connection, Connection::open(file_));
    }
    connection->set_stop(std::move(stop));
    return Lent(*this, std::move(connection));
}

sdk::StorageCapabilities Store::capabilities() const {
    return {.put_if_absent = true, .max_object_bytes = kMaxObjectBytes, .parallelism = 4};
}

sdk::Status Store::put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                       std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        OPENARCHIVER_CHECK(sdk::check_key(key));
        OPENARCHIVER_TRY(const Lent connection, lend(stop));
        OPENARCHIVER_TRY(auto transaction, Transaction::begin(*connection, Transaction::Kind::write,
                                                              "store an object in"));
        OPENARCHIVER_CHECK(put_rows(*connection, key, source, mode, stop));
        return transaction.commit();
    });
}

sdk::Status Store::put_rows(Connection& connection, std::string_view key, sdk::ByteSource& source,
                            sdk::PutMode mode, const std::stop_token& stop) {
    constexpr std::string_view kStoring = "store an object in";
    if (const auto present = find(connection, key, kStoring)) {
        if (mode == sdk::PutMode::if_absent) {
            return Error{Errc::already_exists,
                         "there is an object " + std::string(key) + " already"};
        }
        OPENARCHIVER_CHECK(remove_rows(connection, present->object));
    } else if (present.error().code != Errc::not_found) {
        return present.error();
    }
    const std::uint64_t size = source.size();
    if (size > kMaxObjectBytes) {
        return Error{Errc::invalid_argument, "an object may have no more than " +
                                                 std::to_string(kMaxObjectBytes) + " bytes"};
    }
    OPENARCHIVER_TRY(
        Statement object,
        Statement::prepare(connection, "INSERT INTO objects(key, size, modified_at) VALUES(?,?,?)",
                           kStoring));
    object.bind(1, key);
    object.bind(2, static_cast<std::int64_t>(size));
    object.bind(3, std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now())
                       .time_since_epoch()
                       .count());
    OPENARCHIVER_CHECK(object.run());
    std::int64_t piece = sqlite3_last_insert_rowid(connection.handle()) * kPiecesOfObject;

    OPENARCHIVER_TRY(
        Statement insert,
        Statement::prepare(connection, "INSERT OR REPLACE INTO pieces(piece, bytes) VALUES(?,?)",
                           kStoring));
    std::vector<std::byte> buffer(
        static_cast<std::size_t>(std::clamp<std::uint64_t>(size, 1, kPiece)));
    std::uint64_t stored = 0;
    for (;; ++piece) {
        OPENARCHIVER_TRY(const std::size_t count, fill(source, buffer, stop));
        stored += count;
        if (count == 0 || stored > size) {
            break;
        }
        insert.bind(1, piece);
        insert.bind(2, std::span<const std::byte>(buffer).first(count));
        OPENARCHIVER_CHECK(insert.run());
    }
    if (stored != size) {
        return Error{Errc::invalid_argument, "the source of an object announced " +
                                                 std::to_string(size) + " bytes and had " +
                                                 (stored > size ? "more" : std::to_string(stored))};
    }
    return {};
}

sdk::Status Store::get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                       std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        constexpr std::string_view kReading = "read an object of";
        OPENARCHIVER_CHECK(sdk::check_key(key));
        OPENARCHIVER_TRY(const Lent connection, lend(stop));
        // Both statements see one state, whatever others write meanwhile.
        OPENARCHIVER_TRY(auto transaction,
                         Transaction::begin(*connection, Transaction::Kind::read, kReading));
        OPENARCHIVER_TRY(const ObjectRow object, find(*connection, key, kReading));
        if (range.offset > object.size ||
            (range.length && *range.length > object.size - range.offset)) {
            return Error{Errc::invalid_argument, "the range asked of object " + std::string(key) +
                                                     " reaches beyond its " +
                                                     std::to_string(object.size) + " bytes"};
        }
        std::uint64_t remaining = range.length.value_or(object.size - range.offset);
        std::vector<std::byte> buffer(std::min<std::uint64_t>(remaining, kReadAtATime));
        Blob piece(*connection, "pieces", "bytes", kReading);
        std::uint64_t number = range.offset / kPiece;
        std::uint64_t within = range.offset % kPiece;
        for (; remaining > 0; ++number, within = 0) {
            const auto row = object.object * kPiecesOfObject + static_cast<std::int64_t>(number);
            OPENARCHIVER_TRY(const bool found, piece.open(row));
            const auto size = std::min<std::uint64_t>(kPiece, object.size - number * kPiece);
            if (!found || piece.size() != size) {
                return Error{Errc::corrupt, "object " + std::string(key) + " lacks bytes in " +
                                                file_ + "; bring the file back from a copy"};
            }
            while (remaining > 0 && within < size) {
                if (stop.stop_requested()) {
                    return cancelled();
                }
                const auto part = std::span(buffer).first(
                    std::min({remaining, size - within, std::uint64_t{buffer.size()}}));
                OPENARCHIVER_CHECK(piece.read(within, part));
                OPENARCHIVER_CHECK(sink.write(part));
                within += part.size();
                remaining -= part.size();
            }
        }
        return {};
    });
}

sdk::Result<sdk::ObjectInfo> Store::stat(std::string_view key, std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::ObjectInfo> {
        OPENARCHIVER_CHECK(sdk::check_key(key));
        OPENARCHIVER_TRY(const Lent connection, lend(std::move(stop)));
        OPENARCHIVER_TRY(const ObjectRow object, find(*connection, key, "examine an object of"));
        return sdk::ObjectInfo{std::string(key), object.size, timestamp(object.modified_at)};
    });
}

sdk::Status Store::list(std::string_view prefix, std::string_view start_after,
                        sdk::ObjectListSink& sink, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        // No character of a key is greater.
        const std::string end = std::string(prefix) + '\x7f';
        std::string after(start_after);
        std::vector<sdk::ObjectInfo> batch;
        do {
            batch.clear();
            {
                OPENARCHIVER_TRY(const Lent connection, lend(stop));
                OPENARCHIVER_TRY(
                    Statement select,
                    Statement::prepare(*connection,
                                       "SELECT key, size, modified_at FROM objects WHERE key>? AND"
                                       " key>=? AND key<? ORDER BY key LIMIT ?",
                                       "list the objects of"));
                select.bind(1, std::string_view(after));
                select.bind(2, prefix);
                select.bind(3, std::string_view(end));
                select.bind(4, kKeysAtATime);
                while (true) {
                    OPENARCHIVER_TRY(const bool found, select.step());
                    if (!found) {
                        break;
                    }
                    batch.push_back({std::string(select.text(0)),
                                     static_cast<std::uint64_t>(select.integer(1)),
                                     timestamp(select.integer(2))});
                }
            }
            // Called with no connection held: the sink may use the store.
            for (const sdk::ObjectInfo& info : batch) {
                if (stop.stop_requested()) {
                    return cancelled();
                }
                if (!sink.object(info)) {
                    return {};
                }
            }
            if (!batch.empty()) {
                after = batch.back().key;
            }
        } while (batch.size() == static_cast<std::size_t>(kKeysAtATime));
        return {};
    });
}

sdk::Status Store::remove(std::string_view key, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        constexpr std::string_view kRemoving = "remove an object from";
        OPENARCHIVER_CHECK(sdk::check_key(key));
        OPENARCHIVER_TRY(const Lent connection, lend(std::move(stop)));
        OPENARCHIVER_TRY(auto transaction,
                         Transaction::begin(*connection, Transaction::Kind::write, kRemoving));
        const auto object = find(*connection, key, kRemoving);
        if (!object) {
            return object.error().code == Errc::not_found ? sdk::Status() : object.error();
        }
        OPENARCHIVER_CHECK(remove_rows(*connection, object->object));
        if (object->size > kPiece) {
            // What was disposed of gives its space back to the file system.
            OPENARCHIVER_CHECK((*connection).run("PRAGMA incremental_vacuum", kRemoving));
        }
        return transaction.commit();
    });
}

sdk::Result<sdk::Capacity> Store::capacity(std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::Capacity> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        struct statvfs status{};
        if (::statvfs(file_.c_str(), &status) != 0) {
            return Error{Errc::unavailable, "can't ask for the free space of " + file_ + ": " +
                                                std::system_category().message(errno)};
        }
        return sdk::Capacity{.free_bytes = std::uint64_t{status.f_bavail} * status.f_frsize,
                             .total_bytes = std::uint64_t{status.f_blocks} * status.f_frsize};
    });
}

}  // namespace openarchiver::sqlite
