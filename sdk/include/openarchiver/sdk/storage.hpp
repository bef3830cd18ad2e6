#pragma once

#include <cstdint>
#include <memory>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/model.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

/// The storage interface: where the engine keeps an archive.
///
/// Contract
/// - *Whole objects.* A reader sees an object complete or not at all, also after a crash at any
///   point, also while it is being replaced.
/// - *Durable.* After put() returned success the object survives a power cut.
/// - *Read after write*: get(), stat() and list() see a completed put() or remove() at once.
/// - *If-absent creation has no race*: of any number of callers exactly one succeeds.
/// - *No retry, cache, compression or encryption here*: the engine does that, once.
/// - Keys are 1 to 512 characters of `[a-z0-9._/-]`, do not begin or end with `/` and have no
///   `//`, `.` or `..` segments.
/// - Every call notices its stop token within a second where the system allows it.
namespace openarchiver::sdk {

enum class PutMode : std::uint8_t {
    if_absent,  ///< already_exists when there is an object of this key
    replace,
};

struct ObjectInfo {
    std::string key;
    std::uint64_t size = 0;
    Timestamp modified_at;
};

/// The part of an object to read.
struct Range {
    std::uint64_t offset = 0;
    /// Absent: up to the end.
    std::optional<std::uint64_t> length;
};

class ObjectListSink {
public:
    ObjectListSink() = default;
    ObjectListSink(const ObjectListSink&) = delete;
    ObjectListSink& operator=(const ObjectListSink&) = delete;
    virtual ~ObjectListSink();

    /// False ends the listing, successfully.
    virtual bool object(const ObjectInfo& info) = 0;
};

struct Capacity {
    std::uint64_t free_bytes = 0;
    std::uint64_t total_bytes = 0;
};

struct StorageCapabilities {
    /// If-absent creation without a race. An archive shared by several engines needs it.
    bool put_if_absent = false;
    std::uint64_t max_object_bytes = 0;
    /// How many calls at a time make sense.
    std::uint32_t parallelism = 1;
    /// False: a store that lets nobody remove objects (write-once, locked, under a hold of its
    /// own): remove() may answer permission_denied, and the engine does not tidy up. Replacing
    /// works: the store keeps what was replaced to itself.
    bool removal = true;
    /// lock() and protection() work.
    bool lock = false;
    /// hold() and protection() work.
    bool hold = false;
};

/// What keeps an object in the store, whoever asks for its removal.
struct Protection {
    /// Absent: it never was locked.
    std::optional<Timestamp> locked_until;
    /// Without an end: until the hold is taken off.
    bool held = false;
};

/// An opened store. Safe for concurrent use from any thread.
class ObjectStore {
public:
    ObjectStore() = default;
    ObjectStore(const ObjectStore&) = delete;
    ObjectStore& operator=(const ObjectStore&) = delete;
    virtual ~ObjectStore();

    [[nodiscard]] virtual StorageCapabilities capabilities() const = 0;

    /// Stores all bytes of `source` (from where it stands: its first byte) under `key`.
    /// already_exists, resource_exhausted (no space), permission_denied (read-only), unavailable.
    virtual Status put(std::string_view key, ByteSource& source, PutMode mode,
                       std::stop_token stop) = 0;

    /// Writes the range to `sink`. not_found; invalid_argument: the range reaches beyond the end.
    virtual Status get(std::string_view key, const Range& range, ByteSink& sink,
                       std::stop_token stop) = 0;

    /// not_found where there is none.
    virtual Result<ObjectInfo> stat(std::string_view key, std::stop_token stop) = 0;

    /// Reports the objects whose key begins with `prefix` and is greater than `start_after`, in
    /// byte order of their keys.
    virtual Status list(std::string_view prefix, std::string_view start_after, ObjectListSink& sink,
                        std::stop_token stop) = 0;

    /// Success also where there is no such object. permission_denied: the store refuses the removal
    /// (see StorageCapabilities::removal and Protection), now or for good; the object stays as it
    /// is.
    virtual Status remove(std::string_view key, std::stop_token stop) = 0;

    /// unsupported where the store can't tell.
    virtual Result<Capacity> capacity(std::stop_token stop) = 0;

    /// From now on and until that time the store refuses to remove the object. A lock is never
    /// shortened: where it lasts longer already, it stays and this is a success. On return the
    /// store was asked what it keeps, and its lock lasts at least as long as this. The engine locks
    /// objects that were put if absent, and never those that it replaces. not_found; unsupported
    /// without StorageCapabilities::lock.
    virtual Status lock(std::string_view key, Timestamp until, std::stop_token stop);

    /// Puts a hold on the object, or takes it off, beside its lock. not_found; unsupported without
    /// StorageCapabilities::hold.
    virtual Status hold(std::string_view key, bool held, std::stop_token stop);

    /// As the store tells it. not_found; unsupported without either.
    virtual Result<Protection> protection(std::string_view key, std::stop_token stop);
};

/// A storage backend plugin. Stateless; safe for concurrent use.
class StorageBackend {
public:
    StorageBackend() = default;
    StorageBackend(const StorageBackend&) = delete;
    StorageBackend& operator=(const StorageBackend&) = delete;
    virtual ~StorageBackend();

    /// As Provider::config_schema().
    [[nodiscard]] virtual std::string_view config_schema() const = 0;

    /// Opens the store, creating its root where there is none yet. Tries once, as every call.
    virtual Result<std::unique_ptr<ObjectStore>> open(std::string_view config_json,
                                                      const HostServices& host,
                                                      std::stop_token stop) = 0;
};

}  // namespace openarchiver::sdk
