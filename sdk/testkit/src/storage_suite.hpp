#pragma once

#include <functional>
#include <openarchiver/testkit/byte_streams.hpp>
#include <openarchiver/testkit/storage_checks.hpp>
#include <string>
#include <string_view>
#include <vector>

/// The parts of the storage suite.
namespace openarchiver::testkit::storage {

using Body = std::function<void(sdk::ObjectStore&, Findings&)>;

/// A check on a store that is opened for it.
ConformanceCheck check(const StorageFixture& fixture, Promise promise, Body body);

sdk::Status put(sdk::ObjectStore& store, std::string_view key, const Bytes& bytes,
                sdk::PutMode mode = sdk::PutMode::replace);
/// Stores an object of its key's bytes under each key, several at a time.
bool put_all(sdk::ObjectStore& store, const std::vector<std::string>& keys, Findings& findings);
sdk::Result<Bytes> get(sdk::ObjectStore& store, std::string_view key, const sdk::Range& range = {});
sdk::Result<std::vector<std::string>> list(sdk::ObjectStore& store, std::string_view prefix,
                                           std::string_view start_after = "");

/// Whether anything of the object can be seen: by get, stat or list.
bool is_visible(sdk::ObjectStore& store, const std::string& key);

void add_object_checks(const StorageFixture& fixture, std::vector<ConformanceCheck>& checks);
void add_write_checks(const StorageFixture& fixture, std::vector<ConformanceCheck>& checks);
void add_listing_checks(const StorageFixture& fixture, std::vector<ConformanceCheck>& checks);
void add_protection_checks(const StorageFixture& fixture, std::vector<ConformanceCheck>& checks);
void add_stop_checks(const StorageFixture& fixture, std::vector<ConformanceCheck>& checks);

}  // namespace openarchiver::testkit::storage
