#include <algorithm>
#include <chrono>
#include <openarchiver/sdk/object_key.hpp>
#include <openarchiver/testkit/memory_object_store.hpp>

namespace openarchiver::testkit {

namespace {

constexpr std::size_t kPiece = 65536;

sdk::Timestamp now() {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

sdk::Error absent(std::string_view key) {
    return {.code = sdk::Errc::not_found, .message = "there is no object " + std::string(key)};
}

sdk::Error cancelled() {
    return {.code = sdk::Errc::cancelled, .message = "stopped on request"};
}

}  // namespace

std::map<std::string, MemoryObjects::Object, std::less<>> MemoryObjects::all() const {
    const std::lock_guard lock(mutex_);
    return objects_;
}

sdk::Status MemoryObjectStore::begin(std::string_view operation, std::string_view key,
                                     const std::stop_token& stop) const {
    if (stop.stop_requested()) {
        return cancelled();
    }
    return objects_->before ? objects_->before(operation, key) : sdk::Status();
}

sdk::Result<MemoryObjects::Object> MemoryObjectStore::find(std::string_view key) const {
    const std::lock_guard lock(objects_->mutex_);
    const auto found = objects_->objects_.find(key);
    if (found == objects_->objects_.end()) {
        return absent(key);
    }
    return found->second;
}

sdk::StorageCapabilities MemoryObjectStore::capabilities() const {
    return {.put_if_absent = true,
            .max_object_bytes = UINT64_MAX,
            .parallelism = 8,
            .lock = true,
            .hold = true};
}

sdk::Status MemoryObjectStore::put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                                   std::stop_token stop) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    OPENARCHIVER_CHECK(begin("put", key, stop));
    Bytes bytes;
    Bytes buffer(kPiece);
    while (true) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const std::size_t count, source.read(buffer));
        if (count == 0) {
            break;
        }
        bytes.insert(bytes.end(), buffer.begin(),
                     buffer.begin() + static_cast<std::ptrdiff_t>(count));
    }
    if (bytes.size() != source.size()) {
        return sdk::Error{.code = sdk::Errc::invalid_argument,
                          .message = "the source has not as many bytes as it announced"};
    }
    MemoryObjects::Object object;
    object.bytes = std::make_shared<const Bytes>(std::move(bytes));
    object.modified_at = now();
    const std::lock_guard lock(objects_->mutex_);
    if (mode == sdk::PutMode::if_absent && objects_->objects_.contains(key)) {
        return sdk::Error{.code = sdk::Errc::already_exists,
                          .message = "there is an object " + std::string(key) + " already"};
    }
    objects_->objects_.insert_or_assign(std::string(key), std::move(object));
    return {};
}

sdk::Status MemoryObjectStore::get(std::string_view key, const sdk::Range& range,
                                   sdk::ByteSink& sink, std::stop_token stop) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    OPENARCHIVER_CHECK(begin("get", key, stop));
    OPENARCHIVER_TRY(const MemoryObjects::Object object, find(key));
    const std::uint64_t size = object.bytes->size();
    if (range.offset > size || (range.length && *range.length > size - range.offset)) {
        return sdk::Error{.code = sdk::Errc::invalid_argument,
                          .message = "the range reaches beyond the end of the object"};
    }
    std::span<const std::byte> rest =
        std::span(*object.bytes)
            .subspan(static_cast<std::size_t>(range.offset),
                     static_cast<std::size_t>(range.length.value_or(size - range.offset)));
    while (!rest.empty()) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        const std::size_t count = std::min(rest.size(), kPiece);
        OPENARCHIVER_CHECK(sink.write(rest.first(count)));
        rest = rest.subspan(count);
    }
    return {};
}

sdk::Result<sdk::ObjectInfo> MemoryObjectStore::stat(std::string_view key, std::stop_token stop) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    OPENARCHIVER_CHECK(begin("stat", key, stop));
    OPENARCHIVER_TRY(const MemoryObjects::Object object, find(key));
    return sdk::ObjectInfo{
        .key = std::string(key), .size = object.bytes->size(), .modified_at = object.modified_at};
}

sdk::Status MemoryObjectStore::list(std::string_view prefix, std::string_view start_after,
                                    sdk::ObjectListSink& sink, std::stop_token stop) {
    OPENARCHIVER_CHECK(begin("list", prefix, stop));
    for (const auto& [key, object] : objects_->all()) {
        if (stop.stop_requested()) {
            return cancelled();
        }
        if (key.starts_with(prefix) && key > start_after &&
            !sink.object(
                {.key = key, .size = object.bytes->size(), .modified_at = object.modified_at})) {
            break;
        }
    }
    return {};
}

sdk::Status MemoryObjectStore::remove(std::string_view key, std::stop_token stop) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    OPENARCHIVER_CHECK(begin("remove", key, stop));
    const std::lock_guard lock(objects_->mutex_);
    const auto found = objects_->objects_.find(key);
    if (found == objects_->objects_.end()) {
        return {};
    }
    const sdk::Protection& protection = found->second.protection;
    if (protection.held || protection.locked_until.value_or(sdk::Timestamp::min()) > now()) {
        return sdk::Error{.code = sdk::Errc::permission_denied,
                          .message = "the object " + std::string(key) + " is locked or held"};
    }
    objects_->objects_.erase(found);
    return {};
}

sdk::Status MemoryObjectStore::protect(std::string_view operation, std::string_view key,
                                       const std::stop_token& stop,
                                       const std::function<void(sdk::Protection&)>& change) {
    OPENARCHIVER_CHECK(sdk::check_key(key));
    OPENARCHIVER_CHECK(begin(operation, key, stop));
    const std::lock_guard lock(objects_->mutex_);
    const auto found = objects_->objects_.find(key);
    if (found == objects_->objects_.end()) {
        return absent(key);
    }
    change(found->second.protection);
    return {};
}

sdk::Status MemoryObjectStore::lock(std::string_view key, sdk::Timestamp until,
                                    std::stop_token stop) {
    return protect("lock", key, stop, [&](sdk::Protection& protection) {
        protection.locked_until = std::max(protection.locked_until.value_or(until), until);
    });
}

sdk::Status MemoryObjectStore::hold(std::string_view key, bool held, std::stop_token stop) {
    return protect("hold", key, stop, [&](sdk::Protection& protection) { protection.held = held; });
}

sdk::Result<sdk::Protection> MemoryObjectStore::protection(std::string_view key,
                                                           std::stop_token stop) {
    sdk::Protection told;
    OPENARCHIVER_CHECK(protect("protection", key, stop,
                               [&](const sdk::Protection& protection) { told = protection; }));
    return told;
}

sdk::Result<sdk::Capacity> MemoryObjectStore::capacity(std::stop_token) {
    return sdk::Error{.code = sdk::Errc::unsupported, .message = "memory has no known capacity"};
}

}  // namespace openarchiver::testkit
