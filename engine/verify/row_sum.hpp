#pragma once

#include <Poco/Data/Session.h>

#include <array>
#include <cstdint>
#include <stop_token>
#include <string>

#include "archive/seal.hpp"

/// Only for .cpp files: Poco's headers are heavy.
namespace openarchiver::verify {

/// What the rows of a query add up to, in whatever order they come: of each a keyed SHA-256, all
/// of them added. With a key that nobody could know, two queries have equal sums only if they have
/// the same rows. That takes no memory and no sorting, however many there are.
struct RowSum {
    std::uint64_t rows = 0;
    std::array<std::uint64_t, 4> sum{};

    bool operator==(const RowSum&) const = default;
};

/// Throws Poco::Exception. Stopped, it is the sum of some rows.
[[nodiscard]] RowSum sum_of_rows(Poco::Data::Session& session, const std::string& sql,
                                 const archive::Salt& key, const std::stop_token& stop);

}  // namespace openarchiver::verify
