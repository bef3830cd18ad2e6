#include "changes/subscriptions.hpp"

#include <algorithm>
#include <openarchiver/sdk/exceptions.hpp>

#include "failure.hpp"
#include "graph/link_guard.hpp"
#include "throttle/backoff.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// The longest life of a subscription to messages is 10,080 minutes, and was 4,230 before: this is
/// below both. What is forgotten lapses by itself after it.
constexpr std::chrono::minutes kLife{4'200};
/// 500 changes, and 25 lists, within 20 seconds for the application
/// (https://learn.microsoft.com/graph/throttling-limits).
constexpr LimiterSettings kChanges{
    .concurrent = 1, .window_requests = 400, .window = std::chrono::seconds(20)};
constexpr LimiterSettings kLists{
    .concurrent = 1, .window_requests = 20, .window = std::chrono::seconds(20)};

/// An account that no run has visited for so long is not archived any more (it was forgotten).
constexpr std::chrono::days kVisited{8};
constexpr seconds kLeastLife{1};
constexpr seconds kFirstPause{1};
constexpr seconds kFirstPauseOfAccount{5};
constexpr std::chrono::hours kLongestPause{1};
constexpr std::chrono::hours kLongestPauseOfAccount{6};
constexpr std::chrono::hours kListAgainAfter{1};
constexpr std::chrono::hours kTellAgainAfter{24};
constexpr std::chrono::minutes kCredentialAgainAfter{1};
constexpr std::size_t kMaxValidationToken = 4096;

/// The service asked the address whether somebody is there, and was not content.
bool is_of_validation(const GraphFailure& failure_) {
    // For want of a code of its own, the older form is known by its words.
    return failure_.has_code("ValidationError") ||
           (failure_.status == 400 && failure_.text.find("alidation request") != std::string::npos);
}

constexpr char kNeedsHttps[] =
    "service.public_url must be an address of https: Microsoft notifies nobody else";

milliseconds pause_after(std::uint32_t failures, milliseconds first, milliseconds longest) {
    return exponential(first, std::max(failures, 1U) - 1, longest);
}

}  // namespace

Subscriptions::Subscriptions(GraphClient& graph, const Credentials& credentials,
                             const Settings& settings, const sdk::HostServices& host,
                             RequestCeiling& ceiling)
    : graph_(graph),
      credentials_(credentials),
      settings_(settings),
      host_(host),
      limiter_(kChanges, host.clock, &ceiling),
      lists_(kLists, host.clock, &ceiling) {}

Subscriptions::Mode Subscriptions::mode() const {
    if (host_.webhook_url.empty() || !host_.waker.listens()) {
        return Mode::idle;
    }
    if (!settings_.change_notifications) {
        return Mode::clean;
    }
    return settings_.notifies_to(host_.webhook_url) ? Mode::work : Mode::idle;
}

sdk::Result<const NotificationProof*> Subscriptions::proof() {
    const std::lock_guard lock(proof_mutex_);
    if (!proof_) {
        OPENARCHIVER_TRY(const std::string secret, credentials_.key_material());
        proof_.emplace(secret, host_.webhook_url);
    }
    return &*proof_;
}

void Subscriptions::start() {
    std::call_once(started_, [this] {
        if (mode() == Mode::idle) {
            if (!host_.webhook_url.empty() && host_.waker.listens()) {
                failed("address", {}, failure(Errc::invalid_config, kNeedsHttps));
            }
            return;
        }
        thread_ = std::jthread([this](const std::stop_token& stop) {
            (void)sdk::without_exceptions("keeping subscriptions", [&]() -> sdk::Status {
                run(stop);
                return {};
            });
        });
    });
}

void Subscriptions::archived(const std::string& account_id) {
    const std::lock_guard lock(mutex_);
    Account& account = accounts_[account_id];
    account.visited_at = host_.clock.steady_now();
    account.dropped = false;
    if (std::exchange(account.archived, true)) {
        return;
    }
    if (account.subscription.empty()) {
        schedule(account_id, account, account.visited_at);
    } else {
        schedule_renewal(account_id, account);
    }
}

void Subscriptions::not_archived(std::string_view account_id) {
    const std::lock_guard lock(mutex_);
    if (const auto found = accounts_.find(account_id); found != accounts_.end()) {
        drop(found->first, found->second);
    } else if (list_due_) {
        const std::string id(account_id);  // the list may show that it has a subscription
        drop(id, accounts_[id]);
    }
}

void Subscriptions::only(const std::unordered_set<std::string>& account_ids) {
    const std::lock_guard lock(mutex_);
    for (auto& [id, account] : accounts_) {
        if (!account_ids.contains(id)) {
            drop(id, account);
        }
    }
}

bool Subscriptions::is_wanted(const Account& account) const {
    return account.archived && host_.clock.steady_now() - account.visited_at <= kVisited;
}

void Subscriptions::drop(const std::string& account_id, Account& account) {
    account.archived = false;
    if (!std::exchange(account.dropped, true)) {
        schedule(account_id, account, host_.clock.steady_now());
    }
}

void Subscriptions::schedule(const std::string& account_id, Account& account,
                             std::optional<SteadyTime> due) {
    if (account.due) {
        due_.erase({*account.due, account_id});
    }
    account.due = due;
    if (due) {
        due_.emplace(*due, account_id);
        changed_.notify_all();
    }
}

void Subscriptions::schedule_renewal(const std::string& account_id, Account& account) {
    const SteadyTime now = host_.clock.steady_now();
    schedule(account_id, account,
             now + std::max<SteadyTime::duration>((account.expires - now) / 2, kLeastLife));
}

void Subscriptions::run(const std::stop_token& stop) {
    sdk::Result<const NotificationProof*> proof = this->proof();
    while (!proof) {
        failed("credential", {}, proof.error());
        if (!sleep_unless_stopped(kCredentialAgainAfter, stop)) {
            return;
        }
        proof = this->proof();
    }
    while (const auto work = next(stop)) {
        try {
            perform(**proof, *work, stop);
        } catch (const std::exception& exception) {
            failed("internal", work->account, failure(Errc::internal, exception.what()));
        }
    }
}

std::optional<Subscriptions::Work> Subscriptions::next(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    const bool cleaning = mode() == Mode::clean;
    while (!stop.stop_requested()) {
        const SteadyTime now = host_.clock.steady_now();
        if (now < paused_until_) {
            changed_.wait_for(lock, stop, paused_until_ - now, [] { return false; });
            continue;
        }
        if (list_due_) {
            return Work{};
        }
        if (!orphans_.empty()) {
            Work work{.task = Task::end_orphan, .account = {}, .subscription = orphans_.back()};
            orphans_.pop_back();
            return work;
        }
        if (cleaning) {
            return std::nullopt;  // all are ended
        }
        if (due_.empty()) {
            changed_.wait(lock, stop, [this] { return list_due_ || !due_.empty(); });
            continue;
        }
        const auto first = due_.begin();
        if (first->first > now) {
            const SteadyTime until = first->first;
            changed_.wait_for(lock, stop, until - now, [&] {
                return list_due_ || due_.empty() || due_.begin()->first < until;
            });
            continue;
        }
        const std::string id = first->second;
        Account& account = accounts_[id];
        schedule(id, account, std::nullopt);
        const bool subscribed = !account.subscription.empty();
        if (is_wanted(account)) {
            return Work{.task = subscribed ? Task::renew : Task::create,
                        .account = id,
                        .subscription = account.subscription};
        }
        if (subscribed && (account.dropped || account.archived)) {
            return Work{.task = Task::end, .account = id, .subscription = account.subscription};
        }
        accounts_.erase(id);  // nothing is to be ended, or it has lapsed
    }
    return std::nullopt;
}

void Subscriptions::perform(const NotificationProof& proof, const Work& work,
                            const std::stop_token& stop) {
    switch (work.task) {
        case Task::list:
            return list(proof, stop);
        case Task::create:
            return create(proof, work.account, stop);
        case Task::renew:
            return renew(work, stop);
        case Task::end:
        case Task::end_orphan:
            return end(work, stop);
    }
}

void Subscriptions::list(const NotificationProof& proof, const std::stop_token& stop) {
    GraphRequest request;
    request.what = "listing the subscriptions";
    request.target = "/v1.0/subscriptions";
    std::vector<SubscriptionEntry> found;
    WalkGuard guard;
    for (;;) {
        auto answer = graph_.fetch(lists_, request, Patience::wait, stop);
        if (!answer) {
            return failed("list", {}, answer.error());
        }
        if (answer->failure) {
            return refused({}, *answer->failure, request.what);
        }
        auto page = parse_subscriptions(answer->body);
        if (!page) {
            return failed("list", {}, page.error());
        }
        std::ranges::move(page->entries, std::back_inserter(found));
        if (page->next_link.empty()) {
            break;
        }
        sdk::Status next = guard.enter(page->next_link);
        auto target = follow_link(graph_.origin(), page->next_link);
        if (!next || !target) {
            return failed("list", {}, next ? target.error() : next.error());
        }
        request.target = std::move(*target);
    }
    const std::lock_guard lock(mutex_);
    list_due_ = false;
    listed_at_ = host_.clock.steady_now();
    for (const SubscriptionEntry& entry : found) {
        const std::string_view url = entry.notification_url;
        if (url.substr(0, url.find('?')) == proof.webhook_url()) {
            adopt(proof, entry);
        }
    }
}

void Subscriptions::adopt(const NotificationProof& proof, const SubscriptionEntry& entry) {
    const std::string id = account_of_resource(entry.resource);
    // Lists do not show the clientState; the address is of the same key.
    const bool as_we_make_them = !id.empty() && entry.expires && entry.change_type == kChangeType &&
                                 entry.notification_url == proof.notification_url() &&
                                 entry.lifecycle_url == proof.notification_url();
    if (mode() == Mode::clean || !as_we_make_them) {
        orphans_.push_back(entry.id);
        return;
    }
    Account& account = accounts_[id];
    if (account.subscription == entry.id) {
        return;
    }
    if (!account.subscription.empty()) {
        orphans_.push_back(entry.id);  // one of them is enough
        return;
    }
    count("adopted");
    subscribed(id, account, entry);
    if (account.dropped) {
        schedule(id, account, host_.clock.steady_now());
    } else if (!account.archived) {
        schedule(id, account, account.expires);  // until a run has visited it
    }
}

void Subscriptions::subscribed(const std::string& account_id, Account& account,
                               const SubscriptionEntry& entry) {
    account.subscription = entry.id;
    account.failures = 0;
    account.expires = host_.clock.steady_now() + std::chrono::duration_cast<SteadyTime::duration>(
                                                     *entry.expires - host_.clock.now());
    schedule_renewal(account_id, account);
}

void Subscriptions::create(const NotificationProof& proof, const std::string& account_id,
                           const std::stop_token& stop) {
    GraphRequest request;
    request.what = "subscribing to changes";
    request.method = "POST";
    request.target = "/v1.0/subscriptions";
    request.body = new_subscription(proof, account_id, host_.clock.now() + kLife);
    // Not simply tried again: whether it was made after all, the list tells.
    auto answer = graph_.fetch(limiter_, request, Patience::refuse, stop);
    if (answer && answer->failure) {
        return refused(account_id, *answer->failure, request.what);
    }
    auto entry =
        answer ? parse_subscription(answer->body) : sdk::Result<SubscriptionEntry>(answer.error());
    if (entry && (entry->id.empty() || !entry->expires)) {
        entry = failure(Errc::unavailable, "subscribing to changes: the answer is no subscription");
    }
    if (!entry) {
        if (entry.error().code != Errc::rate_limited) {
            const std::lock_guard lock(mutex_);
            list_due_ = true;
        }
        return failed("unavailable", account_id, entry.error());
    }
    succeeded();
    count("created");
    {
        const std::lock_guard lock(mutex_);
        Account& account = accounts_[account_id];
        subscribed(account_id, account, *entry);
        if (!account.archived) {
            account.dropped = true;
            schedule(account_id, account, host_.clock.steady_now());
            return;
        }
    }
    // What came before the subscription was there is not told of.
    host_.waker.changed(account_id);
}

void Subscriptions::renew(const Work& work, const std::stop_token& stop) {
    GraphRequest request;
    request.what = "renewing a subscription";
    request.method = "PATCH";
    request.target = "/v1.0/subscriptions/" + percent_encode(work.subscription);
    request.body = new_expiry(host_.clock.now() + kLife);
    auto answer = graph_.fetch(limiter_, request, Patience::refuse, stop);
    if (!answer) {
        return failed("unavailable", work.account, answer.error());
    }
    if (answer->failure && answer->failure->status == 404) {
        count("lost");
        const std::lock_guard lock(mutex_);
        Account& account = accounts_[work.account];
        account.subscription.clear();
        schedule(work.account, account, host_.clock.steady_now());
        return;
    }
    if (answer->failure) {
        return refused(work.account, *answer->failure, request.what);
    }
    auto entry = parse_subscription(answer->body);
    if (!entry || !entry->expires) {
        return failed(
            "unavailable", work.account,
            entry ? failure(Errc::unavailable, "a renewal without an end") : entry.error());
    }
    succeeded();
    count("renewed");
    const std::lock_guard lock(mutex_);
    Account& account = accounts_[work.account];
    if (account.subscription == work.subscription) {
        entry->id = work.subscription;
        const bool dropped = account.dropped;
        subscribed(work.account, account, *entry);
        if (dropped) {
            schedule(work.account, account, host_.clock.steady_now());
        }
    }
}

void Subscriptions::end(const Work& work, const std::stop_token& stop) {
    GraphRequest request;
    request.what = "ending a subscription";
    request.method = "DELETE";
    request.target = "/v1.0/subscriptions/" + percent_encode(work.subscription);
    const auto answer = graph_.fetch(limiter_, request, Patience::refuse, stop);
    if (answer && (!answer->failure || answer->failure->status == 404)) {
        count(work.task == Task::end ? "ended" : "cleaned");
    } else if (!answer && work.task == Task::end_orphan) {
        {
            const std::lock_guard lock(mutex_);
            orphans_.push_back(work.subscription);
        }
        return failed("unavailable", {}, answer.error());
    } else if (!answer) {
        return failed("unavailable", work.account, answer.error());
    }  // What can't be ended lapses by itself.
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(work.account);
    if (work.task == Task::end && found != accounts_.end()) {
        Account& account = found->second;
        account.subscription.clear();
        if (is_wanted(account)) {
            schedule(work.account, account, host_.clock.steady_now());  // again, meanwhile
        } else {
            schedule(work.account, account, std::nullopt);
            accounts_.erase(found);
        }
    }
}

void Subscriptions::refused(const std::string& account_id, const GraphFailure& answer,
                            std::string_view what) {
    sdk::Error error = to_error(answer, Subject::mailbox, what);
    if (is_of_validation(answer)) {
        error.message = std::string(what) + ": Microsoft did not reach this source at " +
                        host_.webhook_url +
                        ", or got another answer: see that the address is reachable from the "
                        "internet, with a certificate that is trusted everywhere";
        return failed("endpoint", account_id, error);
    }
    if (answer.status == 409) {
        {
            const std::lock_guard lock(mutex_);
            list_due_ = true;  // it may be ours, of which we were not told
        }
        error.message = std::string(what) +
                        ": the application has such a subscription already. Another program "
                        "that archives this mailbox needs an application of its own";
        return failed("taken", account_id, error);
    }
    failed(answer.status == 403 ? "refused" : "rejected", account_id, error);
}

void Subscriptions::succeeded() {
    const std::lock_guard lock(mutex_);
    failures_ = 0;
    if (std::exchange(trouble_, false)) {
        host_.logger.log(sdk::LogLevel::info,
                         "OA-8310 subscriptions to changes are accepted again");
    }
}

void Subscriptions::failed(std::string_view reason, const std::string& account_id,
                           const sdk::Error& error) {
    if (error.code == Errc::cancelled) {
        return;
    }
    const bool throttled = error.code == Errc::rate_limited;
    host_.metrics.add("subscription_failures_total{reason=\"" +
                          std::string(throttled ? "throttled" : reason) + "\"}",
                      1);
    bool tell = false;
    {
        const std::lock_guard lock(mutex_);
        const SteadyTime now = host_.clock.steady_now();
        failures_ += throttled ? 0 : 1;
        const milliseconds pause = std::max(error.retry_after.value_or(milliseconds(0)),
                                            pause_after(failures_, kFirstPause, kLongestPause));
        paused_until_ = now + with_jitter(pause);
        if (const auto found = accounts_.find(account_id); found != accounts_.end()) {
            Account& account = found->second;
            account.failures += throttled ? 0 : 1;
            schedule(
                account_id, account,
                now + pause_after(account.failures, kFirstPauseOfAccount, kLongestPauseOfAccount));
        }
        const auto told = told_.find(reason);
        tell = !throttled && (told == told_.end() || now - told->second > kTellAgainAfter);
        if (tell) {
            told_[std::string(reason)] = now;
            trouble_ = true;
        }
    }
    host_.logger.log(
        tell ? sdk::LogLevel::warning : sdk::LogLevel::debug,
        "OA-8309 Microsoft does not notify of all changes; they are found by the schedule "
        "meanwhile: " +
            error.message,
        {{"reason", reason},
         {"code", sdk::to_string(error.code)},
         {"service_code", error.service_code},
         {"request_id", error.request_id}});
}

void Subscriptions::count(std::string_view event) {
    host_.metrics.add("subscriptions_total{event=\"" + std::string(event) + "\"}", 1);
}

sdk::Result<sdk::WebhookAnswer> Subscriptions::take(const sdk::WebhookRequest& request) {
    if (mode() != Mode::work) {
        return failure(Errc::unsupported, "change notifications are switched off");
    }
    const auto note = [this](std::string_view kind) {
        host_.metrics.add("notifications_total{kind=\"" + std::string(kind) + "\"}", 1);
    };
    const auto refuse = [&] {
        note("refused");
        return failure(Errc::permission_denied, "this is not of a subscription of this source");
    };
    OPENARCHIVER_TRY(const NotificationProof* const proof, this->proof());
    if (request.method != "POST" || !proof->addressed_by(request.query)) {
        return refuse();
    }
    // https://learn.microsoft.com/graph/change-notifications-delivery-webhooks: the token, decoded,
    // as plain text within 10 seconds.
    if (const auto token = query_value(request.query, "validationToken")) {
        if (token->size() > kMaxValidationToken) {
            return refuse();
        }
        note("validation");
        return sdk::WebhookAnswer{.status = 200, .media_type = "text/plain", .body = *token};
    }
    bool proven = false;
    std::set<std::string> news;
    for (const Notification& each : parse_notifications(request.body)) {
        auto account_id = proof->account_of(each.client_state);
        if (!account_id) {
            continue;
        }
        proven = true;
        note(each.lifecycle_event.empty() ? "change" : "lifecycle");
        if (heed(*account_id, each)) {
            news.insert(std::move(*account_id));
        }
    }
    if (!proven) {
        return refuse();
    }
    for (const std::string& account_id : news) {
        host_.waker.changed(account_id);
    }
    return sdk::WebhookAnswer{.status = 202};
}

bool Subscriptions::heed(const std::string& account_id, const Notification& notification) {
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(account_id);
    if (found == accounts_.end()) {
        return true;  // not visited yet
    }
    Account& account = found->second;
    const SteadyTime now = host_.clock.steady_now();
    const bool reauthorize = notification.lifecycle_event == "reauthorizationRequired";
    if (!account.subscription.empty() && account.subscription != notification.subscription_id) {
        // One of ours that got lost, as when the answer to its creation did not come.
        if (now - listed_at_ > kListAgainAfter) {
            list_due_ = true;
            changed_.notify_all();
        }
    } else if (notification.lifecycle_event == "subscriptionRemoved") {
        count("lost");
        account.subscription.clear();
        schedule(account_id, account, now);
    } else if (reauthorize && account.archived) {
        schedule(account_id, account, now);  // renewing is enough
    }
    return !account.dropped && !reauthorize;
}

}  // namespace openarchiver::microsoft365
