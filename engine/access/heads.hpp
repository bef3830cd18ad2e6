#pragma once

#include <atomic>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>

#include "archive/archive.hpp"
#include "catalog/catalog_writer.hpp"

namespace spdlog {
class logger;
}

namespace openarchiver::access {

/// The archive's heads: follows those that are there, and writes new ones. Used by the thread that
/// uses the catalog.
class Heads {
public:
    Heads(archive::Archive& archive, catalog::CatalogWriter& catalog,
          std::shared_ptr<spdlog::logger> log);

    /// Takes into the catalog the heads that it has not. A head that does not fit the log is no
    /// error here: it is logged, and no further heads are written (verify tells more).
    sdk::Status catch_up(const std::stop_token& stop);
    /// Signs how the archive stands now; nothing to do where the last head says the same.
    sdk::Status write(sdk::Timestamp now, const std::stop_token& stop);

    /// Whether they contradict the log, as far as catch_up() has come.
    [[nodiscard]] bool broken() const { return broken_; }

    /// The generation of the keyring that the last head knows.
    sdk::Result<std::uint64_t> keyring_generation();
    /// Whether the log says more than the last head covers.
    sdk::Result<bool> wanted();

private:
    sdk::Status check_in_log(const std::string& key, const evidence::Positions& positions);
    sdk::Status take(std::uint64_t number, const std::stop_token& stop);
    sdk::Result<std::string> put(const evidence::Head& head, std::stop_token stop);
    sdk::Result<evidence::Head> last();

    archive::Archive& archive_;
    catalog::CatalogWriter& catalog_;
    std::shared_ptr<spdlog::logger> log_;
    std::atomic<bool> broken_ = false;  // also asked by other threads
};

}  // namespace openarchiver::access
