// Out-of-line members: one vtable of each interface in each library that links the SDK.
#include <openarchiver/sdk/plugin.hpp>

namespace openarchiver::sdk {

ByteReader::~ByteReader() = default;
ByteSource::~ByteSource() = default;
ByteSink::~ByteSink() = default;
Logger::~Logger() = default;
Secrets::~Secrets() = default;
Clock::~Clock() = default;
Metrics::~Metrics() = default;
Waker::~Waker() = default;
AccountSink::~AccountSink() = default;
FolderSink::~FolderSink() = default;
ItemSink::~ItemSink() = default;
ProviderSession::~ProviderSession() = default;
Provider::~Provider() = default;
ObjectListSink::~ObjectListSink() = default;
ObjectStore::~ObjectStore() = default;
StorageBackend::~StorageBackend() = default;
Plugin::~Plugin() = default;

void ItemSink::remark(std::string_view) {}

Result<std::unique_ptr<ByteReader>> ProviderSession::reconstruct_content(const std::string&,
                                                                         const std::string&,
                                                                         const Error&,
                                                                         std::stop_token) {
    return Error{.code = Errc::unsupported, .message = "this provider delivers exact bytes only"};
}

Result<Account> ProviderSession::find_account(const std::string&, std::stop_token) {
    return Error{Errc::not_found, "not among what was listed"};
}

Result<WebhookAnswer> ProviderSession::webhook(const WebhookRequest&, std::stop_token) {
    return Error{Errc::unsupported, "this provider takes no notifications"};
}

Result<Estimate> ProviderSession::estimate(std::stop_token) {
    return Error{Errc::unsupported, "this provider can't estimate what a source holds"};
}

Status ObjectStore::lock(std::string_view, Timestamp, std::stop_token) {
    return Error{Errc::unsupported, "this store locks no objects"};
}

Status ObjectStore::hold(std::string_view, bool, std::stop_token) {
    return Error{Errc::unsupported, "this store holds no objects"};
}

Result<Protection> ObjectStore::protection(std::string_view, std::stop_token) {
    return Error{Errc::unsupported, "this store does not protect objects"};
}

}  // namespace openarchiver::sdk
