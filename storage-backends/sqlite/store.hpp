#pragma once

#include <memory>
#include <mutex>
#include <openarchiver/sdk/storage.hpp>
#include <string>
#include <vector>

#include "connection.hpp"

namespace openarchiver::sqlite {

/// Objects are rows of one SQLite file, their bytes in pieces of at most 1 MiB. A put is one
/// transaction, durable when it returns; a read sees the objects as they were when it began.
/// Several processes may use the file: SQLite's locks keep them apart, so it has to be on a local
/// disk.
class Store final : public sdk::ObjectStore {
public:
    /// `connection` is the first of those that are opened at need.
    Store(std::string file, std::unique_ptr<Connection> connection);

    [[nodiscard]] sdk::StorageCapabilities capabilities() const override;
    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                    std::stop_token stop) override;
    sdk::Status get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                    std::stop_token stop) override;
    sdk::Result<sdk::ObjectInfo> stat(std::string_view key, std::stop_token stop) override;
    sdk::Status list(std::string_view prefix, std::string_view start_after,
                     sdk::ObjectListSink& sink, std::stop_token stop) override;
    sdk::Status remove(std::string_view key, std::stop_token stop) override;
    sdk::Result<sdk::Capacity> capacity(std::stop_token stop) override;

private:
    /// A connection for the length of a call.
    class Lent {
    public:
        Lent(Store& store, std::unique_ptr<Connection> connection)
            : store_(&store), connection_(std::move(connection)) {}

        Lent(Lent&& other) = default;
        Lent& operator=(Lent&&) = delete;
        ~Lent();

        Connection& operator*() const { return *connection_; }

    private:
        Store* store_;
        std::unique_ptr<Connection> connection_;
    };

    sdk::Result<Lent> lend(std::stop_token stop);
    sdk::Status put_rows(Connection& connection, std::string_view key, sdk::ByteSource& source,
                         sdk::PutMode mode, const std::stop_token& stop);

    const std::string file_;
    std::mutex mutex_;  // guards idle_
    std::vector<std::unique_ptr<Connection>> idle_;
};

}  // namespace openarchiver::sqlite
