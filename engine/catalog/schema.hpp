#pragma once

#include <filesystem>
#include <openarchiver/sdk/result.hpp>

namespace Poco::Data {
class Session;
}

namespace openarchiver::catalog {

/// The version of the catalog's tables that this engine works with.
inline constexpr int kSchemaVersion = 10;

[[nodiscard]] std::filesystem::path catalog_file(const std::filesystem::path& folder);

/// Makes the tables, or brings older ones up to date. unsupported: the tables are newer than this
/// engine; corrupt: not a catalog, or a damaged one.
sdk::Status migrate(const std::filesystem::path& file);

/// For who only reads: not_found where there is no catalog. Older tables are brought up to date:
/// that only adds to them.
sdk::Status check_schema(const std::filesystem::path& file);

/// Indexes of random values that applying events does without: made in one go once a catalog is
/// filled, they take a fraction of the time. For an empty catalog, and for a full one.
void drop_late_indexes(Poco::Data::Session& session);
void make_late_indexes(Poco::Data::Session& session);

}  // namespace openarchiver::catalog
