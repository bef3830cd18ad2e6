#pragma once

#include <chrono>
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
#include <utility>
#include <vector>

/// The provider interface: how the engine reads a service.
///
/// Contract
/// - *Delivery is at least once and in any order.* The engine recognises items by account and item
///   id, and content by content tag; it drops what it has, unread.
/// - *A sink call may block* for as long as the engine is behind. Call it holding no lock, no
///   permit and no open response. `Flow::stop` means: return as soon as you can, with
///   Errc::cancelled.
/// - *A cursor counts only with its contents*: the engine keeps a cursor once everything delivered
///   before it is durable. Give one as often as a restart from there makes sense (by page).
/// - *One bad item never stops a folder.* Report it with item_failed() and go on.
/// - *The provider alone knows the limits of its service* and keeps to them over all calls,
///   listings and content alike. A content reader never sleeps for throttling: it answers
///   Errc::rate_limited with `retry_after`, and the engine comes back then. Listings may sleep, as
///   long as they notice the stop token within a second.
/// - *Every call returns soon after its stop token is triggered* (the engine abandons it after 8
/// s).
/// - *No exception leaves a plugin*, and no thread of a plugin outlives its session.
/// - *No process-wide state*: no signal handlers, environment changes, default thread pools or
///   default TLS managers.
namespace openarchiver::sdk {

enum class [[nodiscard]] Flow : std::uint8_t { proceed, stop };

class AccountSink {
public:
    AccountSink() = default;
    AccountSink(const AccountSink&) = delete;
    AccountSink& operator=(const AccountSink&) = delete;
    virtual ~AccountSink();

    /// Of an account with AccountState::deleted_upstream the id is enough; one that the engine does
    /// not know is of no interest to it.
    virtual Flow account(const Account& account) = 0;
};

class FolderSink {
public:
    FolderSink() = default;
    FolderSink(const FolderSink&) = delete;
    FolderSink& operator=(const FolderSink&) = delete;
    virtual ~FolderSink();

    /// Parents need not come before their children.
    virtual Flow folder(const Folder& folder) = 0;
    /// Only for changes since a cursor: the folder is gone (its children are reported as well).
    virtual Flow folder_removed(std::string_view folder_id) = 0;
};

class ItemSink {
public:
    ItemSink() = default;
    ItemSink(const ItemSink&) = delete;
    ItemSink& operator=(const ItemSink&) = delete;
    virtual ~ItemSink();

    /// The item is in the folder that is being synced: new, changed, moved here or just seen.
    virtual Flow item(const Item& item) = 0;
    /// The item is no longer in this folder: moved or deleted, the engine finds out which.
    virtual Flow item_left(std::string_view item_id) = 0;
    /// The item is there but can't be described or fetched, for a reason of its own.
    virtual Flow item_failed(std::string_view item_id, const Error& error) = 0;
    /// Everything before this is known from this cursor on.
    virtual Flow checkpoint(const Cursor& cursor) = 0;
    /// What an administrator should know of the account though nothing failed, in one sentence. It
    /// is shown with the account until a pass over it ends without.
    virtual void remark(std::string_view text);
};

/// The result of a listing (accounts or folders).
struct Listing {
    /// True: everything there is was reported, so what was not reported is gone. False: these
    /// were the changes since the cursor.
    bool complete = true;
    /// From where to list changes next time; absent: list everything again.
    std::optional<Cursor> cursor = {};
    /// Of accounts only: what could not be read although the listing went on, such as a group. A
    /// person has to see to it; the source works on with what is known.
    std::vector<Error> problems = {};
};

struct FolderListing : Listing {
    /// What listing the folders told about the account itself.
    AccountState account_state = AccountState::available;
    std::string reason = {};
};

enum class CheckOutcome : std::uint8_t { pass, fail, unknown };

struct Check {
    /// A short stable name: "token obtained", "users listable".
    std::string name = {};
    CheckOutcome outcome = CheckOutcome::unknown;
    /// What was found.
    std::string detail = {};
    /// What to do; empty where nothing is to be done.
    std::string remedy = {};
    /// The kind of failure, for the exit code; meaningful with `fail` only.
    Errc code = Errc::internal;
};

/// How much the engine may ask of a session at a time.
struct SessionLimits {
    std::uint32_t accounts_in_parallel = 1;
    /// Open contents of one account at a time.
    std::uint32_t readers_per_account = 1;
    /// How many contents of one account the service lets be opened within `window`, for estimates
    /// of time only; 0: as many as can be.
    std::uint64_t contents_per_window = 0;
    std::chrono::milliseconds window{0};
};

/// A request that came to HostServices::webhook_url. Anybody may have sent it.
struct WebhookRequest {
    std::string method = {};
    /// What followed the webhook's own path, without `?`.
    std::string query = {};
    /// Names in lower case.
    std::vector<std::pair<std::string, std::string>> headers = {};
    /// At most 1 MiB.
    std::string body = {};
};

struct WebhookAnswer {
    std::uint16_t status = 204;
    std::string media_type = {};
    std::string body = {};
};

/// What a bounded look at a source showed. The engine estimates the whole from it.
struct Estimate {
    /// Accounts to be archived, as far as discovery shows.
    std::uint64_t accounts = 0;
    /// False: there was no time to list them all.
    bool accounts_complete = true;
    /// Of each account that was looked at: how many items its archived folders hold. 0 where it
    /// turned out to have no mailbox, or to be closed.
    std::vector<std::uint64_t> sampled_accounts = {};
    /// Contents whose size is known, and what these sizes add up to.
    std::uint64_t sampled_items = 0;
    std::uint64_t sampled_bytes = 0;
    /// How long it took to read one content, on average; 0: none was read.
    std::chrono::microseconds content_time{0};
};

/// An opened source. Calls for different accounts come from different threads at the same time.
/// For one account there is at most one list_folders() or sync_folder() at a time, beside any
/// number of open_content() up to SessionLimits::readers_per_account. Readers are destroyed before
/// the session.
class ProviderSession {
public:
    ProviderSession() = default;
    ProviderSession(const ProviderSession&) = delete;
    ProviderSession& operator=(const ProviderSession&) = delete;
    virtual ~ProviderSession();

    [[nodiscard]] virtual SessionLimits limits() const = 0;

    /// A preflight that changes nothing, within 30 s: every check by name. The Result is an error
    /// only when the checks could not be made at all.
    virtual Result<std::vector<Check>> check(std::stop_token stop) = 0;

    /// When the credential in use stops working, where that is known. Asked once for each sync run;
    /// may read files. The engine reminds of it from 30 days before.
    [[nodiscard]] virtual std::optional<Timestamp> credentials_expire() const {
        return std::nullopt;
    }

    /// Reports accounts: all of them, or the changes since `cursor`.
    /// cursor_expired: call again without; unauthenticated, permission_denied, unavailable: the
    /// sync run ends here. An account that is missing from a failed listing is not gone. With a
    /// cursor, too, the listing may be complete.
    virtual Result<Listing> discover(const std::optional<Cursor>& cursor, AccountSink& sink,
                                     std::stop_token stop) = 0;

    /// One account by its id, as discover() reports it; not_found: there is none (any more). The
    /// engine asks before it takes an account that a complete listing did not report for gone. A
    /// provider whose listings can't miss an account needs none.
    virtual Result<Account> find_account(const std::string& account_id, std::stop_token stop);

    /// Reports the folders of an account below its root: all, or the changes since `cursor`.
    virtual Result<FolderListing> list_folders(const std::string& account_id,
                                               const std::optional<Cursor>& cursor,
                                               FolderSink& sink, std::stop_token stop) = 0;

    /// Reports the items of a folder: all of them (without a cursor), or the changes since
    /// `cursor`, and returns when it has reported everything up to now. The last call to the sink
    /// before a success is checkpoint(), but without cursors, or if it knows of no need to ask now.
    /// cursor_expired: call again without; not_found: the folder is gone. Any other error of the
    /// folder's own: what could be reported was, and the folder is shown with it.
    virtual Status sync_folder(const std::string& account_id, const std::string& folder_id,
                               const std::optional<Cursor>& cursor, ItemSink& sink,
                               std::stop_token stop) = 0;

    /// Opens the exact bytes of an item. Errors of the item itself: not_found (gone before it was
    /// fetched), corrupt, unsupported, internal; retryable ones may be the service's.
    virtual Result<std::unique_ptr<ByteReader>> open_content(const std::string& account_id,
                                                             const std::string& item_id,
                                                             std::stop_token stop) = 0;

    /// What can still be had of an item whose exact bytes can't: a message put together anew from
    /// what the service tells of it, the same bytes each time, marked as reconstructed inside.
    /// `why` is what open_content() failed with. The engine keeps it beside the recorded failure,
    /// as `reconstructed`, until the exact bytes can be had. unsupported: nothing can.
    virtual Result<std::unique_ptr<ByteReader>> reconstruct_content(const std::string& account_id,
                                                                    const std::string& item_id,
                                                                    const Error& why,
                                                                    std::stop_token stop);

    /// The cheapest request that shows that this account can be read now. The engine asks it
    /// before it blames an item for a failure that could be an outage.
    virtual Status probe(const std::string& account_id, std::stop_token stop) = 0;

    /// Takes a notification of the service, within a few seconds and beside other calls: proves
    /// that it comes from the service (a signature, a secret of the subscription), tells
    /// `HostServices::waker` what changed, and says what the service is answered. It archives
    /// nothing itself. permission_denied: it is not from the service; unsupported (the default).
    virtual Result<WebhookAnswer> webhook(const WebhookRequest& request, std::stop_token stop);

    /// Looks at some accounts and contents, within 60 s and a bounded number of requests, and
    /// changes nothing. unsupported (the default): this provider can't tell beforehand.
    virtual Result<Estimate> estimate(std::stop_token stop);
};

/// A provider plugin. Stateless; safe for concurrent use.
class Provider {
public:
    Provider() = default;
    Provider(const Provider&) = delete;
    Provider& operator=(const Provider&) = delete;
    virtual ~Provider();

    /// JSON Schema (draft 7 vocabulary: type, properties, required, additionalProperties, enum,
    /// pattern, minimum, maximum, items, oneOf, format, title, description, default) of the
    /// source's `config`. Secret values are marked `"writeOnly": true`; `"x-order"` (integer)
    /// orders the fields of a form.
    [[nodiscard]] virtual std::string_view config_schema() const = 0;

    /// Opens a session for a configuration that the schema accepted; secrets are left out of the
    /// text and come from `host.secrets`. No network and no file access here.
    virtual Result<std::unique_ptr<ProviderSession>> open(std::string_view config_json,
                                                          const HostServices& host) = 0;
};

}  // namespace openarchiver::sdk
