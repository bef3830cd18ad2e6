#include "plugin/guarded.hpp"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>

namespace openarchiver::plugin {

namespace {

constexpr std::size_t kMaxIdBytes = 2048;
constexpr std::size_t kMaxCursorBytes = 65536;
constexpr std::size_t kMaxTextBytes = 300;
constexpr std::size_t kMaxRemarkBytes = 1000;
constexpr std::size_t kMaxNameBytes = 4096;
constexpr std::size_t kMaxTitle = 1024;
constexpr std::size_t kMaxMediaType = 256;
constexpr std::size_t kMaxProperties = 64;
constexpr std::size_t kMaxWebhookAnswer = std::size_t{64} << 10U;
constexpr std::size_t kMaxPropertyName = 64;
constexpr std::size_t kMaxPropertyText = 4096;

/// The engine's side of one call: runs what the plugin calls back, lets no exception of the engine
/// into the plugin, and remembers what the plugin must not gloss over.
class Callback {
public:
    Callback(const Guard& guard, std::string_view call) : guard_(guard), call_(call) {}

    template <typename Call>
    sdk::Flow flow(Call&& call) noexcept {
        if (stopped_.load()) {
            return sdk::Flow::stop;
        }
        try {
            if (call() == sdk::Flow::proceed) {
                return sdk::Flow::proceed;
            }
            stopped_.store(true);
        } catch (const std::exception& exception) {
            engine_failed(exception.what());
        } catch (...) {
            engine_failed("an exception of unknown type");
        }
        return sdk::Flow::stop;
    }

    /// For transfers: T is void or a size.
    template <typename Call>
    std::invoke_result_t<Call> transfer(Call&& call) noexcept {
        if (auto earlier = fault()) {
            return std::move(*earlier);
        }
        try {
            auto result = call();
            if (!result) {
                remember(result.error());
            }
            return result;
        } catch (const std::exception& exception) {
            return engine_failed(exception.what());
        } catch (...) {
            return engine_failed("an exception of unknown type");
        }
    }

    sdk::Flow broken(std::string_view what) noexcept {
        remember(misbehaving(guard_, call_, what));
        return sdk::Flow::stop;
    }

    [[nodiscard]] bool stopped() const noexcept { return stopped_.load(); }

    [[nodiscard]] std::optional<sdk::Error> fault() const {
        const std::lock_guard lock(mutex_);
        return fault_;
    }

    /// The result of the plugin's call, unless what happened in the callbacks speaks against it.
    template <typename T>
    sdk::Result<T> settle(sdk::Result<T> result) const {
        if (auto error = fault(); error && (result || error->code == sdk::Errc::internal)) {
            return std::move(*error);
        }
        if (result && stopped_.load()) {
            return sdk::Error{sdk::Errc::cancelled, "the engine ended " + std::string(call_)};
        }
        return result;
    }

private:
    sdk::Error engine_failed(std::string_view what) noexcept {
        sdk::Error error{sdk::Errc::internal, "the engine failed while it took what plugin " +
                                                  guard_.plugin + " delivered in " +
                                                  std::string(call_) + ": " + std::string(what)};
        if (guard_.logger != nullptr) {
            guard_.logger->log(sdk::LogLevel::error, "OA-7004 " + error.message);
        }
        remember(error);
        return error;
    }

    void remember(const sdk::Error& error) noexcept {
        const std::lock_guard lock(mutex_);
        if (!fault_) {
            fault_ = error;
        }
        stopped_.store(true);
    }

    const Guard& guard_;
    std::string_view call_;
    std::atomic<bool> stopped_{false};
    mutable std::mutex mutex_;  // guards fault_: a plugin may call back from threads of its own
    std::optional<sdk::Error> fault_;
};

/// It becomes a field of an HTTP response.
bool good_media_type(std::string_view type) {
    return type.size() <= kMaxMediaType &&
           std::ranges::all_of(type, [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool good_id(std::string_view id) {
    return !id.empty() && id.size() <= kMaxIdBytes;
}

sdk::Status good_cursor(const Guard& guard, std::string_view call,
                        const std::optional<sdk::Cursor>& cursor) {
    if (cursor && cursor->value.size() > kMaxCursorBytes) {
        return misbehaving(guard, call, "a cursor of more than 64 KiB");
    }
    return {};
}

class Accounts final : public sdk::AccountSink {
public:
    Accounts(sdk::AccountSink& inner, Callback& callback) : inner_(inner), callback_(callback) {}

    sdk::Flow account(const sdk::Account& account) override {
        if (!good_id(account.id)) {
            return callback_.broken("an account id that is empty or longer than 2 KiB");
        }
        if (account.address.size() > kMaxNameBytes || account.display_name.size() > kMaxNameBytes ||
            account.reason.size() > kMaxNameBytes) {
            return callback_.broken("an account's address, name or reason of more than 4 KiB");
        }
        return callback_.flow([&] { return inner_.account(account); });
    }

private:
    sdk::AccountSink& inner_;
    Callback& callback_;
};

class Folders final : public sdk::FolderSink {
public:
    Folders(sdk::FolderSink& inner, Callback& callback) : inner_(inner), callback_(callback) {}

    sdk::Flow folder(const sdk::Folder& folder) override {
        if (!good_id(folder.id) || folder.parent_id.size() > kMaxIdBytes) {
            return callback_.broken("a folder id that is empty or longer than 2 KiB");
        }
        if (folder.display_name.size() > kMaxNameBytes ||
            folder.well_known_name.size() > kMaxNameBytes) {
            return callback_.broken("a folder's name of more than 4 KiB");
        }
        return callback_.flow([&] { return inner_.folder(folder); });
    }

    sdk::Flow folder_removed(std::string_view folder_id) override {
        return callback_.flow([&] { return inner_.folder_removed(folder_id); });
    }

private:
    sdk::FolderSink& inner_;
    Callback& callback_;
};

bool good_property(const sdk::Property& property) {
    const std::string& name = property.name;
    const auto* const text = std::get_if<std::string>(&property.value);
    return !name.empty() && name.size() <= kMaxPropertyName && name.front() >= 'a' &&
           name.front() <= 'z' &&
           std::ranges::all_of(name,
                               [](char c) {
                                   return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                                          c == '_';
                               }) &&
           (text == nullptr || text->size() <= kMaxPropertyText);
}

/// What of an item is beyond the SDK's bounds; empty: nothing.
std::string_view too_much(const sdk::Item& item) {
    if (item.content_tag.size() > kMaxIdBytes || item.media_type.size() > kMaxMediaType) {
        return "a content tag of more than 2 KiB, or a media type of more than 256 bytes";
    }
    if (item.title.size() > kMaxTitle) {
        return "an item's title of more than 1 KiB";
    }
    if (item.properties.size() > kMaxProperties ||
        !std::ranges::all_of(item.properties, good_property)) {
        return "more than 64 properties of an item, or one with a wrong name or too long a text";
    }
    return {};
}

class Items final : public sdk::ItemSink {
public:
    Items(sdk::ItemSink& inner, Callback& callback) : inner_(inner), callback_(callback) {}

    sdk::Flow item(const sdk::Item& item) override {
        if (const std::string_view what = too_much(item); !what.empty()) {
            return callback_.broken(what);
        }
        return with_id(item.id, [&] { return inner_.item(item); });
    }

    sdk::Flow item_left(std::string_view item_id) override {
        return with_id(item_id, [&] { return inner_.item_left(item_id); });
    }

    sdk::Flow item_failed(std::string_view item_id, const sdk::Error& error) override {
        return with_id(item_id, [&] { return inner_.item_failed(item_id, error); });
    }

    sdk::Flow checkpoint(const sdk::Cursor& cursor) override {
        if (cursor.value.size() > kMaxCursorBytes) {
            return callback_.broken("a cursor of more than 64 KiB");
        }
        return callback_.flow([&] { return inner_.checkpoint(cursor); });
    }

    void remark(std::string_view text) override {
        (void)callback_.flow([&] {
            inner_.remark(text.substr(0, kMaxRemarkBytes));
            return sdk::Flow::proceed;
        });
    }

private:
    template <typename Call>
    sdk::Flow with_id(std::string_view id, Call&& call) {
        if (!good_id(id)) {
            return callback_.broken("an item id that is empty or longer than 2 KiB");
        }
        return callback_.flow(std::forward<Call>(call));
    }

    sdk::ItemSink& inner_;
    Callback& callback_;
};

class Reader final : public sdk::ByteReader {
public:
    Reader(std::unique_ptr<sdk::ByteReader> inner, Guard guard)
        : inner_(std::move(inner)), guard_(std::move(guard)) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        auto result = guarded(guard_, "read", [&] { return inner_->read(buffer); });
        if (result && *result > buffer.size()) {
            return misbehaving(guard_, "read", "more bytes than the buffer holds");
        }
        return result;
    }

private:
    std::unique_ptr<sdk::ByteReader> inner_;
    Guard guard_;
};

class Source final : public sdk::ByteSource {
public:
    Source(sdk::ByteSource& inner, Callback& callback)
        : inner_(inner), callback_(callback), size_(inner.size()) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        auto result = callback_.transfer([&] { return inner_.read(buffer); });
        if (result) {
            position_ += *result;
        }
        return result;
    }

    [[nodiscard]] std::uint64_t size() const override { return size_; }

    sdk::Status rewind() override {
        position_ = 0;
        return callback_.transfer([&] { return inner_.rewind(); });
    }

    [[nodiscard]] bool read_to_end() const noexcept { return position_ == size_; }

private:
    sdk::ByteSource& inner_;
    Callback& callback_;
    std::uint64_t size_;
    std::uint64_t position_ = 0;
};

class Sink final : public sdk::ByteSink {
public:
    Sink(sdk::ByteSink& inner, Callback& callback) : inner_(inner), callback_(callback) {}

    sdk::Status write(std::span<const std::byte> bytes) override {
        written_ += bytes.size();
        return callback_.transfer([&] { return inner_.write(bytes); });
    }

    [[nodiscard]] std::uint64_t written() const noexcept { return written_; }

private:
    sdk::ByteSink& inner_;
    Callback& callback_;
    std::uint64_t written_ = 0;
};

class Objects final : public sdk::ObjectListSink {
public:
    Objects(sdk::ObjectListSink& inner, Callback& callback) : inner_(inner), callback_(callback) {}

    bool object(const sdk::ObjectInfo& info) override {
        return callback_.flow([&] {
            return inner_.object(info) ? sdk::Flow::proceed : sdk::Flow::stop;
        }) == sdk::Flow::proceed;
    }

private:
    sdk::ObjectListSink& inner_;
    Callback& callback_;
};

/// What a plugin opens, or the error for a null pointer.
template <typename Guarded, typename Interface>
sdk::Result<std::unique_ptr<Interface>> wrap(sdk::Result<std::unique_ptr<Interface>> opened,
                                             const Guard& guard, std::string_view call) {
    if (!opened) {
        return opened;
    }
    if (*opened == nullptr) {
        return misbehaving(guard, call, "success without an object");
    }
    return std::make_unique<Guarded>(std::move(*opened), guard);
}

class GuardedProvider final : public sdk::Provider {
public:
    GuardedProvider(sdk::Provider& inner, Guard guard, std::string schema)
        : inner_(inner), guard_(std::move(guard)), schema_(std::move(schema)) {}

    [[nodiscard]] std::string_view config_schema() const override { return schema_; }

    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open(
        std::string_view config_json, const sdk::HostServices& host) override {
        const Guard guard{guard_.plugin, &host.logger};
        return wrap<GuardedProviderSession>(
            guarded(guard, "open", [&] { return inner_.open(config_json, host); }), guard, "open");
    }

private:
    sdk::Provider& inner_;
    Guard guard_;
    std::string schema_;
};

class GuardedStorageBackend final : public sdk::StorageBackend {
public:
    GuardedStorageBackend(sdk::StorageBackend& inner, Guard guard, std::string schema)
        : inner_(inner), guard_(std::move(guard)), schema_(std::move(schema)) {}

    [[nodiscard]] std::string_view config_schema() const override { return schema_; }

    sdk::Result<std::unique_ptr<sdk::ObjectStore>> open(std::string_view config_json,
                                                        const sdk::HostServices& host,
                                                        std::stop_token stop) override {
        const Guard guard{guard_.plugin, &host.logger};
        return wrap<GuardedObjectStore>(
            guarded(guard, "open", [&] { return inner_.open(config_json, host, std::move(stop)); }),
            guard, "open");
    }

private:
    sdk::StorageBackend& inner_;
    Guard guard_;
    std::string schema_;
};

template <typename Guarded, typename Interface>
sdk::Result<std::unique_ptr<Interface>> guard_entry(Interface& inner, Guard guard) {
    OPENARCHIVER_TRY(std::string schema,
                     guarded(guard, "config_schema", [&]() -> sdk::Result<std::string> {
                         return std::string(inner.config_schema());
                     }));
    return std::make_unique<Guarded>(inner, std::move(guard), std::move(schema));
}

}  // namespace

sdk::Error misbehaving(const Guard& guard, std::string_view call, std::string_view what) {
    const std::string text(what.substr(0, kMaxTextBytes));
    if (guard.logger != nullptr) {
        guard.logger->log(sdk::LogLevel::error, "OA-7003 plugin misbehaving",
                          {{"plugin", guard.plugin}, {"call", call}, {"what", text}});
    }
    return sdk::Error{sdk::Errc::internal, "plugin " + guard.plugin + " is misbehaving in " +
                                               std::string(call) + ": " + text +
                                               "; report it to the plugin's author"};
}

sdk::Result<std::unique_ptr<sdk::Provider>> guard_provider(sdk::Provider& inner, Guard guard) {
    return guard_entry<GuardedProvider>(inner, std::move(guard));
}

sdk::Result<std::unique_ptr<sdk::StorageBackend>> guard_storage_backend(sdk::StorageBackend& inner,
                                                                        Guard guard) {
    return guard_entry<GuardedStorageBackend>(inner, std::move(guard));
}

GuardedProviderSession::GuardedProviderSession(std::unique_ptr<sdk::ProviderSession> inner,
                                               Guard guard)
    : inner_(std::move(inner)), guard_(std::move(guard)) {}

GuardedProviderSession::~GuardedProviderSession() = default;

sdk::SessionLimits GuardedProviderSession::limits() const {
    const auto limits = guarded(
        guard_, "limits", [&]() -> sdk::Result<sdk::SessionLimits> { return inner_->limits(); });
    if (!limits) {
        return {};
    }
    sdk::SessionLimits usable = *limits;
    usable.accounts_in_parallel = std::max(limits->accounts_in_parallel, 1U);
    usable.readers_per_account = std::max(limits->readers_per_account, 1U);
    return usable;
}

sdk::Result<std::vector<sdk::Check>> GuardedProviderSession::check(std::stop_token stop) {
    return guarded(guard_, "check", [&] { return inner_->check(std::move(stop)); });
}

std::optional<sdk::Timestamp> GuardedProviderSession::credentials_expire() const {
    using Expiry = std::optional<sdk::Timestamp>;
    auto expiry = guarded(guard_, "credentials_expire",
                          [&]() -> sdk::Result<Expiry> { return inner_->credentials_expire(); });
    return expiry ? std::move(*expiry) : Expiry();
}

sdk::Result<sdk::Listing> GuardedProviderSession::discover(const std::optional<sdk::Cursor>& cursor,
                                                           sdk::AccountSink& sink,
                                                           std::stop_token stop) {
    Callback callback(guard_, "discover");
    Accounts accounts(sink, callback);
    auto listing = callback.settle(guarded(
        guard_, "discover", [&] { return inner_->discover(cursor, accounts, std::move(stop)); }));
    if (listing) {
        OPENARCHIVER_CHECK(good_cursor(guard_, "discover", listing->cursor));
    }
    return listing;
}

sdk::Result<sdk::Account> GuardedProviderSession::find_account(const std::string& account_id,
                                                               std::stop_token stop) {
    auto account = guarded(guard_, "find_account",
                           [&] { return inner_->find_account(account_id, std::move(stop)); });
    if (account && account->id != account_id) {
        return misbehaving(guard_, "find_account", "another account than the one asked for");
    }
    return account;
}

sdk::Result<sdk::FolderListing> GuardedProviderSession::list_folders(
    const std::string& account_id, const std::optional<sdk::Cursor>& cursor, sdk::FolderSink& sink,
    std::stop_token stop) {
    Callback callback(guard_, "list_folders");
    Folders folders(sink, callback);
    auto listing = callback.settle(guarded(guard_, "list_folders", [&] {
        return inner_->list_folders(account_id, cursor, folders, std::move(stop));
    }));
    if (listing) {
        OPENARCHIVER_CHECK(good_cursor(guard_, "list_folders", listing->cursor));
    }
    return listing;
}

sdk::Status GuardedProviderSession::sync_folder(const std::string& account_id,
                                                const std::string& folder_id,
                                                const std::optional<sdk::Cursor>& cursor,
                                                sdk::ItemSink& sink, std::stop_token stop) {
    Callback callback(guard_, "sync_folder");
    Items items(sink, callback);
    return callback.settle(guarded(guard_, "sync_folder", [&] {
        return inner_->sync_folder(account_id, folder_id, cursor, items, std::move(stop));
    }));
}

sdk::Result<std::unique_ptr<sdk::ByteReader>> GuardedProviderSession::open_content(
    const std::string& account_id, const std::string& item_id, std::stop_token stop) {
    return wrap<Reader>(
        guarded(guard_, "open_content",
                [&] { return inner_->open_content(account_id, item_id, std::move(stop)); }),
        guard_, "open_content");
}

sdk::Result<std::unique_ptr<sdk::ByteReader>> GuardedProviderSession::reconstruct_content(
    const std::string& account_id, const std::string& item_id, const sdk::Error& why,
    std::stop_token stop) {
    return wrap<Reader>(
        guarded(
            guard_, "reconstruct_content",
            [&] { return inner_->reconstruct_content(account_id, item_id, why, std::move(stop)); }),
        guard_, "reconstruct_content");
}

sdk::Status GuardedProviderSession::probe(const std::string& account_id, std::stop_token stop) {
    return guarded(guard_, "probe", [&] { return inner_->probe(account_id, std::move(stop)); });
}

sdk::Result<sdk::WebhookAnswer> GuardedProviderSession::webhook(const sdk::WebhookRequest& request,
                                                                std::stop_token stop) {
    auto answer =
        guarded(guard_, "webhook", [&] { return inner_->webhook(request, std::move(stop)); });
    if (answer &&
        (answer->status < 200 || answer->status > 599 || answer->body.size() > kMaxWebhookAnswer ||
         !good_media_type(answer->media_type))) {
        return misbehaving(guard_, "webhook",
                           "an answer that is none: a status from 200 to 599, a media type of one "
                           "line, and at most 64 KiB");
    }
    return answer;
}

sdk::Result<sdk::Estimate> GuardedProviderSession::estimate(std::stop_token stop) {
    auto estimate = guarded(guard_, "estimate", [&] { return inner_->estimate(std::move(stop)); });
    if (estimate && estimate->sampled_accounts.size() > estimate->accounts) {
        return misbehaving(guard_, "estimate", "more accounts were looked at than there are");
    }
    return estimate;
}

GuardedObjectStore::GuardedObjectStore(std::unique_ptr<sdk::ObjectStore> inner, Guard guard)
    : inner_(std::move(inner)), guard_(std::move(guard)) {}

GuardedObjectStore::~GuardedObjectStore() = default;

sdk::StorageCapabilities GuardedObjectStore::capabilities() const {
    auto capabilities =
        guarded(guard_, "capabilities",
                [&]() -> sdk::Result<sdk::StorageCapabilities> { return inner_->capabilities(); });
    if (!capabilities) {
        return {};
    }
    capabilities->parallelism = std::max(capabilities->parallelism, 1U);
    return *capabilities;
}

sdk::Status GuardedObjectStore::put(std::string_view key, sdk::ByteSource& source,
                                    sdk::PutMode mode, std::stop_token stop) {
    Callback callback(guard_, "put");
    Source counted(source, callback);
    OPENARCHIVER_CHECK(callback.settle(
        guarded(guard_, "put", [&] { return inner_->put(key, counted, mode, std::move(stop)); })));
    if (!counted.read_to_end()) {
        return misbehaving(guard_, "put", "success without reading the whole object");
    }
    return {};
}

sdk::Status GuardedObjectStore::get(std::string_view key, const sdk::Range& range,
                                    sdk::ByteSink& sink, std::stop_token stop) {
    Callback callback(guard_, "get");
    Sink counted(sink, callback);
    OPENARCHIVER_CHECK(callback.settle(
        guarded(guard_, "get", [&] { return inner_->get(key, range, counted, std::move(stop)); })));
    if (range.length && counted.written() != *range.length) {
        return misbehaving(guard_, "get", "success with another length than was asked for");
    }
    return {};
}

sdk::Result<sdk::ObjectInfo> GuardedObjectStore::stat(std::string_view key, std::stop_token stop) {
    return guarded(guard_, "stat", [&] { return inner_->stat(key, std::move(stop)); });
}

sdk::Status GuardedObjectStore::list(std::string_view prefix, std::string_view start_after,
                                     sdk::ObjectListSink& sink, std::stop_token stop) {
    Callback callback(guard_, "list");
    Objects objects(sink, callback);
    auto result = guarded(guard_, "list", [&] {
        return inner_->list(prefix, start_after, objects, std::move(stop));
    });
    if (auto fault = callback.fault()) {
        return std::move(*fault);
    }
    return result;
}

sdk::Status GuardedObjectStore::remove(std::string_view key, std::stop_token stop) {
    return guarded(guard_, "remove", [&] { return inner_->remove(key, std::move(stop)); });
}

sdk::Result<sdk::Capacity> GuardedObjectStore::capacity(std::stop_token stop) {
    return guarded(guard_, "capacity", [&] { return inner_->capacity(std::move(stop)); });
}

sdk::Status GuardedObjectStore::lock(std::string_view key, sdk::Timestamp until,
                                     std::stop_token stop) {
    return guarded(guard_, "lock", [&] { return inner_->lock(key, until, std::move(stop)); });
}

sdk::Status GuardedObjectStore::hold(std::string_view key, bool held, std::stop_token stop) {
    return guarded(guard_, "hold", [&] { return inner_->hold(key, held, std::move(stop)); });
}

sdk::Result<sdk::Protection> GuardedObjectStore::protection(std::string_view key,
                                                            std::stop_token stop) {
    return guarded(guard_, "protection", [&] { return inner_->protection(key, std::move(stop)); });
}

}  // namespace openarchiver::plugin
