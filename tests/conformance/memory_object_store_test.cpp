// The object store in memory stands in for a real one in tests of the engine, so it keeps the same
// contract.
#include <openarchiver/testkit/catch2.hpp>
#include <openarchiver/testkit/memory_object_store.hpp>
#include <openarchiver/testkit/storage_checks.hpp>

using namespace openarchiver;

TEST_CASE("The object store in memory keeps the storage contract", "[conformance][storage]") {
    const auto objects = std::make_shared<testkit::MemoryObjects>();
    testkit::check_conformance(
        testkit::storage_checks({.open = [&]() -> sdk::Result<std::unique_ptr<sdk::ObjectStore>> {
            return std::make_unique<testkit::MemoryObjectStore>(objects);
        }}));
}
