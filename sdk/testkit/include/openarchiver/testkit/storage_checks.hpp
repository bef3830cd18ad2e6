#pragma once

#include <functional>
#include <memory>
#include <openarchiver/sdk/storage.hpp>
#include <openarchiver/testkit/conformance.hpp>
#include <vector>

namespace openarchiver::testkit {

/// The storage backend under test.
struct StorageFixture {
    /// Opens the same store each time. It may hold objects: every check keeps to a prefix of its
    /// own and leaves some behind.
    std::function<sdk::Result<std::unique_ptr<sdk::ObjectStore>>()> open;
};

/// What the contract in sdk/storage.hpp promises, as checks.
[[nodiscard]] std::vector<ConformanceCheck> storage_checks(const StorageFixture& fixture);

}  // namespace openarchiver::testkit
