#pragma once

#include <exception>
#include <memory>
#include <openarchiver/sdk/provider.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

/// The wall between engine and plugins: no exception passes it in either direction. The engine gets
/// its providers and storage backends from PluginHost, which has them wrapped already.
namespace openarchiver::plugin {

/// Whose call it is, and who is told when it goes wrong. `logger` must outlive the guard.
struct Guard {
    std::string plugin;
    sdk::Logger* logger = nullptr;
};

/// Logs "plugin misbehaving" and makes the Errc::internal for it.
[[nodiscard]] sdk::Error misbehaving(const Guard& guard, std::string_view call,
                                     std::string_view what);

/// Runs one call into a plugin. Whatever it throws becomes Errc::internal, as text: the exception
/// object belongs to the plugin's library and is not kept.
template <typename Call>
std::invoke_result_t<Call> guarded(const Guard& guard, std::string_view name, Call&& call) {
    try {
        return std::forward<Call>(call)();
    } catch (const std::exception& exception) {
        return misbehaving(guard, name, exception.what());
    } catch (...) {
        return misbehaving(guard, name, "an exception of unknown type");
    }
}

/// Wraps a plugin's entry; what it opens is wrapped by the classes below. Reads the schema once.
[[nodiscard]] sdk::Result<std::unique_ptr<sdk::Provider>> guard_provider(sdk::Provider& inner,
                                                                         Guard guard);
[[nodiscard]] sdk::Result<std::unique_ptr<sdk::StorageBackend>> guard_storage_backend(
    sdk::StorageBackend& inner, Guard guard);

/// Passes every call on through guarded(). The engine's sinks and sources that the plugin calls
/// back are wrapped as well: what they throw is kept, the plugin is told to stop, and the outer
/// call returns Errc::internal. Success that contradicts what the sink saw is not believed: a
/// listing that was stopped is Errc::cancelled, a transfer whose sink or source failed returns that
/// error, and ids or cursors beyond the SDK's bounds are Errc::internal.
class GuardedProviderSession final : public sdk::ProviderSession {
public:
    GuardedProviderSession(std::unique_ptr<sdk::ProviderSession> inner, Guard guard);
    ~GuardedProviderSession() override;

    [[nodiscard]] sdk::SessionLimits limits() const override;
    sdk::Result<std::vector<sdk::Check>> check(std::stop_token stop) override;
    [[nodiscard]] std::optional<sdk::Timestamp> credentials_expire() const override;
    sdk::Result<sdk::Listing> discover(const std::optional<sdk::Cursor>& cursor,
                                       sdk::AccountSink& sink, std::stop_token stop) override;
    sdk::Result<sdk::Account> find_account(const std::string& account_id,
                                           std::stop_token stop) override;
    sdk::Result<sdk::FolderListing> list_folders(const std::string& account_id,
                                                 const std::optional<sdk::Cursor>& cursor,
                                                 sdk::FolderSink& sink,
                                                 std::stop_token stop) override;
    sdk::Status sync_folder(const std::string& account_id, const std::string& folder_id,
                            const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                            std::stop_token stop) override;
    sdk::Result<std::unique_ptr<sdk::ByteReader>> open_content(const std::string& account_id,
                                                               const std::string& item_id,
                                                               std::stop_token stop) override;
    sdk::Result<std::unique_ptr<sdk::ByteReader>> reconstruct_content(
        const std::string& account_id, const std::string& item_id, const sdk::Error& why,
        std::stop_token stop) override;
    sdk::Status probe(const std::string& account_id, std::stop_token stop) override;
    sdk::Result<sdk::WebhookAnswer> webhook(const sdk::WebhookRequest& request,
                                            std::stop_token stop) override;
    sdk::Result<sdk::Estimate> estimate(std::stop_token stop) override;

private:
    std::unique_ptr<sdk::ProviderSession> inner_;
    Guard guard_;
};

/// As GuardedProviderSession. A put that read less than the source, and a get that wrote another
/// length than the range, are Errc::internal.
class GuardedObjectStore final : public sdk::ObjectStore {
public:
    GuardedObjectStore(std::unique_ptr<sdk::ObjectStore> inner, Guard guard);
    ~GuardedObjectStore() override;

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
    sdk::Status lock(std::string_view key, sdk::Timestamp until, std::stop_token stop) override;
    sdk::Status hold(std::string_view key, bool held, std::stop_token stop) override;
    sdk::Result<sdk::Protection> protection(std::string_view key, std::stop_token stop) override;

private:
    std::unique_ptr<sdk::ObjectStore> inner_;
    Guard guard_;
};

}  // namespace openarchiver::plugin
