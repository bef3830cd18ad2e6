#include "session.hpp"

#include <algorithm>
#include <openarchiver/sdk/exceptions.hpp>
#include <unordered_set>

#include "estimate.hpp"
#include "failure.hpp"
#include "mail/content_reader.hpp"
#include "mail/message_listing.hpp"
#include "mail/reconstruction.hpp"
#include "preflight.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;

/// The directory counts otherwise than mailboxes do; only its pauses matter here.
constexpr LimiterSettings kDirectoryLimits{
    .concurrent = 16, .window_requests = 1'000'000, .window = std::chrono::seconds(10)};

/// Remembers the last cursor that was given.
class LastCursor final : public sdk::ItemSink {
public:
    explicit LastCursor(sdk::ItemSink& sink) : sink_(sink) {}

    sdk::Flow item(const sdk::Item& item) override { return sink_.item(item); }

    sdk::Flow item_left(std::string_view item_id) override { return sink_.item_left(item_id); }

    sdk::Flow item_failed(std::string_view item_id, const sdk::Error& error) override {
        return sink_.item_failed(item_id, error);
    }

    sdk::Flow checkpoint(const sdk::Cursor& given) override {
        cursor = given;
        return sink_.checkpoint(given);
    }

    void remark(std::string_view text) override { sink_.remark(text); }

    std::optional<sdk::Cursor> cursor;

private:
    sdk::ItemSink& sink_;
};

/// Which of the accounts that a listing reports are archived, and which are not.
class SortedAccounts final : public sdk::AccountSink {
public:
    explicit SortedAccounts(sdk::AccountSink& sink) : sink_(sink) {}

    sdk::Flow account(const sdk::Account& account) override {
        const bool may_be = account.undecided || account.state == sdk::AccountState::available;
        (may_be ? archived : not_archived).insert(account.id);
        return sink_.account(account);
    }

    std::unordered_set<std::string> archived;
    std::unordered_set<std::string> not_archived;

private:
    sdk::AccountSink& sink_;
};

/// No exception leaves the plugin: what is left to throw is memory and threads.
template <typename Call>
auto guarded(Call call) noexcept {
    return sdk::without_exceptions("the microsoft365 provider", std::move(call));
}

std::optional<ProxySettings> proxy_of(const Settings& settings, sdk::Secrets& secrets) {
    if (!settings.proxy) {
        return std::nullopt;
    }
    return ProxySettings{settings.proxy->origin, settings.proxy->user,
                         [&secrets] { return secrets.get("/proxy_password"); }};
}

}  // namespace

Session::Session(Settings settings, const sdk::HostServices& host, RetrySettings retry)
    : settings_(std::move(settings)),
      host_(host),
      http_(settings_.ca_file, proxy_of(settings_, host.secrets)),
      ceiling_(settings_.accounts_in_parallel * settings_.requests_per_account, host.clock,
               host.logger),
      directory_(kDirectoryLimits, host.clock),
      tokens_({settings_.authority, settings_.graph, settings_.tenant_id, settings_.client_id,
               settings_.credential},
              http_, directory_, host),
      graph_(settings_.graph, http_, tokens_, host, retry),
      discovery_(graph_, directory_, settings_.accounts, host.clock, host.logger),
      folder_lister_(graph_, tokens_, settings_.folders, host.logger),
      quiet_folders_(graph_, host.clock, settings_.max_lag),
      subscriptions_(graph_, tokens_.credentials(), settings_, host_, ceiling_) {}

RequestLimiter& Session::limiter_of(const std::string& account_id) {
    const std::lock_guard lock(mutex_);
    auto& limiter = limiters_[account_id];
    if (!limiter) {
        LimiterSettings limits;
        limits.concurrent = settings_.requests_per_account;
        limiter = std::make_unique<RequestLimiter>(limits, host_.clock, &ceiling_);
    }
    return *limiter;
}

sdk::SessionLimits Session::limits() const {
    // Beside those whose requests are in flight some wait for their turn: they are asked for while
    // contents are digested, and while those that failed wait to be tried again. Each costs a
    // thread, so there are no more than that in all.
    constexpr std::uint32_t kWaiting = 128;
    const std::uint32_t waiting =
        std::clamp(kWaiting / std::max(1U, settings_.accounts_in_parallel), 1U,
                   settings_.requests_per_account);
    return {.accounts_in_parallel = settings_.accounts_in_parallel,
            .readers_per_account = settings_.requests_per_account + waiting,
            .contents_per_window = LimiterSettings{}.window_requests,
            .window = LimiterSettings{}.window};
}

sdk::Result<std::vector<sdk::Check>> Session::check(std::stop_token stop) {
    return guarded([&]() -> sdk::Result<std::vector<sdk::Check>> {
        return Preflight(
                   settings_, http_, graph_, tokens_, directory_, host_,
                   [this](const std::string& id) -> RequestLimiter& { return limiter_of(id); })
            .run(stop);
    });
}

std::optional<sdk::Timestamp> Session::credentials_expire() const {
    try {
        const auto state = tokens_.credentials().inspect();
        return state ? state->expires : std::nullopt;
    } catch (const std::exception&) {
        return std::nullopt;
    }
}

sdk::Result<sdk::Listing> Session::discover(const std::optional<sdk::Cursor>& cursor,
                                            sdk::AccountSink& sink, std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::Listing> {
        SortedAccounts accounts(sink);
        OPENARCHIVER_TRY(sdk::Listing listing, discovery_.run(cursor, accounts, stop));
        subscriptions_.start();
        for (const std::string& id : accounts.not_archived) {
            subscriptions_.not_archived(id);
        }
        if (listing.complete) {
            subscriptions_.only(accounts.archived);
        }
        return listing;
    });
}

sdk::Result<sdk::Account> Session::find_account(const std::string& account_id,
                                                std::stop_token stop) {
    return guarded([&] { return discovery_.find(account_id, stop); });
}

sdk::Result<sdk::FolderListing> Session::list_folders(const std::string& account_id,
                                                      const std::optional<sdk::Cursor>& cursor,
                                                      sdk::FolderSink& sink, std::stop_token stop) {
    return guarded([&] {
        auto& mailbox = limiter_of(account_id);
        auto listing = folder_lister_.list(mailbox, account_id, cursor, sink, stop);
        const bool readable = listing && listing->account_state == sdk::AccountState::available;
        if (readable) {
            subscriptions_.archived(account_id);
        } else if (listing) {
            subscriptions_.not_archived(account_id);
        }
        quiet_folders_.begin_pass(mailbox, account_id, readable ? listing->cursor : std::nullopt,
                                  stop);
        return listing;
    });
}

sdk::Status Session::sync_folder(const std::string& account_id, const std::string& folder_id,
                                 const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                                 std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        if (cursor && quiet_folders_.is_quiet(account_id, folder_id, *cursor)) {
            return {};
        }
        LastCursor last(sink);
        OPENARCHIVER_CHECK(sync_messages(graph_, limiter_of(account_id), account_id, folder_id,
                                         cursor, host_.logger, last, stop));
        if (last.cursor) {
            quiet_folders_.polled(account_id, folder_id, *last.cursor);
        }
        return {};
    });
}

sdk::Result<std::unique_ptr<sdk::ByteReader>> Session::open_content(const std::string& account_id,
                                                                    const std::string& item_id,
                                                                    std::stop_token stop) {
    return guarded([&] {
        return open_message(graph_, limiter_of(account_id), host_.metrics, account_id, item_id,
                            stop);
    });
}

sdk::Result<std::unique_ptr<sdk::ByteReader>> Session::reconstruct_content(
    const std::string& account_id, const std::string& item_id, const sdk::Error& why,
    std::stop_token stop) {
    return guarded([&] {
        return reconstruct_message(graph_, limiter_of(account_id), host_.metrics, account_id,
                                   item_id, why, stop);
    });
}

sdk::Status Session::probe(const std::string& account_id, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        GraphRequest request;
        request.what = "probing the mailbox";
        request.target =
            "/v1.0/users/" + percent_encode(account_id) + "/mailFolders/inbox?$select=id";
        OPENARCHIVER_TRY(const GraphAnswer answer,
                         graph_.fetch(limiter_of(account_id), request, Patience::refuse, stop));
        if (!answer.failure) {
            return {};
        }
        sdk::Error error = to_error(*answer.failure, Subject::mailbox, request.what);
        if (error.code == Errc::not_found) {
            error.code = Errc::unavailable;  // every mailbox has an inbox: it is being set up
        }
        return error;
    });
}

sdk::Result<sdk::WebhookAnswer> Session::webhook(const sdk::WebhookRequest& request,
                                                 std::stop_token) {
    return guarded([&] { return subscriptions_.take(request); });
}

sdk::Result<sdk::Estimate> Session::estimate(std::stop_token stop) {
    return guarded([&] {
        return Sampler(
                   *this, graph_,
                   [this](const std::string& id) -> RequestLimiter& { return limiter_of(id); },
                   host_.clock)
            .run(stop);
    });
}

}  // namespace openarchiver::microsoft365
