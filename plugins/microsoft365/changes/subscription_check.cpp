#include "changes/subscription_check.hpp"

#include <boost/json.hpp>

#include "changes/notification_documents.hpp"
#include "failure.hpp"
#include "graph/graph_documents.hpp"
#include "graph/link_guard.hpp"
#include "time_text.hpp"

namespace openarchiver::microsoft365 {

namespace {

namespace json = boost::json;
using sdk::CheckOutcome;

/// Shorter ones are made so long.
constexpr std::chrono::minutes kShortestLife{45};
/// A look, not a count, of an application that has very many of them.
constexpr int kMostPages = 10;

struct Seen {
    std::size_t active = 0;
    std::optional<sdk::Timestamp> first_expires;
};

sdk::Result<Seen> look_for(GraphClient& graph, RequestLimiter& limiter,
                           const std::string& webhook_url, const std::stop_token& stop) {
    GraphRequest request;
    request.what = "listing the subscriptions";
    request.target = "/v1.0/subscriptions";
    Seen seen;
    for (int pages = 0; pages < kMostPages; ++pages) {
        OPENARCHIVER_TRY(const GraphAnswer answer,
                         graph.fetch(limiter, request, Patience::refuse, stop));
        if (answer.failure) {
            return to_error(*answer.failure, Subject::mailbox, request.what);
        }
        OPENARCHIVER_TRY(const auto page, parse_subscriptions(answer.body));
        for (const SubscriptionEntry& entry : page.entries) {
            const std::string_view url = entry.notification_url;
            if (url.substr(0, url.find('?')) == webhook_url) {
                ++seen.active;
                if (entry.expires &&
                    (!seen.first_expires || *entry.expires < *seen.first_expires)) {
                    seen.first_expires = entry.expires;
                }
            }
        }
        if (page.next_link.empty()) {
            break;
        }
        OPENARCHIVER_TRY(request.target, follow_link(graph.origin(), page.next_link));
    }
    return seen;
}

/// Of another kind than the source's own, so that neither is in the way of the other.
std::string trial_subscription(const NotificationProof& proof, const std::string& account_id,
                               std::chrono::system_clock::time_point expires) {
    return json::serialize(json::object{{"changeType", "deleted"},
                                        {"notificationUrl", proof.notification_url()},
                                        {"resource", subscribed_resource(account_id)},
                                        {"expirationDateTime", time_text(expires)},
                                        {"clientState", proof.client_state(account_id)}});
}

sdk::Status try_one(GraphClient& graph, RequestLimiter& limiter, const std::string& secret,
                    const sdk::HostServices& host, const std::string& account_id,
                    const std::stop_token& stop) {
    GraphRequest request;
    request.what = "subscribing to changes";
    request.method = "POST";
    request.target = "/v1.0/subscriptions";
    request.body = trial_subscription(NotificationProof(secret, host.webhook_url), account_id,
                                      host.clock.now() + kShortestLife);
    OPENARCHIVER_TRY(const GraphAnswer answer,
                     graph.fetch(limiter, request, Patience::refuse, stop));
    if (answer.failure) {
        return to_error(*answer.failure, Subject::mailbox, request.what);
    }
    OPENARCHIVER_TRY(const SubscriptionEntry made, parse_subscription(answer.body));
    GraphRequest ending;
    ending.what = "ending a subscription";
    ending.method = "DELETE";
    ending.target = "/v1.0/subscriptions/" + percent_encode(made.id);
    (void)graph.fetch(limiter, ending, Patience::refuse, stop);  // else it lapses by itself
    return {};
}

}  // namespace

sdk::Check check_notifications(GraphClient& graph, RequestLimiter& limiter,
                               const Credentials& credentials, const Settings& settings,
                               const sdk::HostServices& host, const std::string& account_id,
                               const std::stop_token& stop) {
    sdk::Check check{.name = "change notifications"};
    check.remedy =
        "New mail is found by the schedule all the same. For Microsoft to tell of it, the service "
        "has to run with this source, and " +
        host.webhook_url +
        " has to lead to it from the internet, by https with a certificate that is trusted "
        "everywhere.";
    if (!settings.notifies_to(host.webhook_url)) {
        check.detail = "service.public_url is no address of https";
        return check;
    }
    const auto seen = look_for(graph, limiter, host.webhook_url, stop);
    if (!seen) {
        check.detail = seen.error().message;
        return check;
    }
    if (seen->active > 0) {
        check.outcome = CheckOutcome::pass;
        check.detail = std::to_string(seen->active) + " subscriptions are active";
        if (seen->first_expires) {
            check.detail += "; the first one expires at " + time_text(*seen->first_expires);
        }
        check.remedy.clear();
        return check;
    }
    if (account_id.empty()) {
        check.detail = "there are no subscriptions yet, and no mailbox to try one with";
        return check;
    }
    if (credentials.kind() == CredentialSettings::Kind::federated_token) {
        check.detail =
            "there are no subscriptions yet; with a federated credential, only the "
            "running service can make them";
        return check;
    }
    const auto secret = credentials.key_material();
    const sdk::Status made =
        secret ? try_one(graph, limiter, *secret, host, account_id, stop) : secret.error();
    if (!made) {
        check.detail = made.error().message;
        if (!made.error().request_id.empty()) {
            check.detail += " (request " + made.error().request_id + ")";
        }
        return check;
    }
    check.outcome = CheckOutcome::pass;
    check.detail = "a subscription was made and ended: Microsoft reaches this source";
    check.remedy.clear();
    return check;
}

}  // namespace openarchiver::microsoft365
