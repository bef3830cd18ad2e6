#include "preflight.hpp"

#include <boost/json.hpp>
#include <cstdlib>
#include <thread>

#include "changes/subscription_check.hpp"
#include "failure.hpp"
#include "mail/account_rules.hpp"
#include "mail/discovery.hpp"
#include "throttle/backoff.hpp"
#include "time_text.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Check;
using sdk::CheckOutcome;
using sdk::Errc;

constexpr std::chrono::seconds kTimeForAll{25};
constexpr std::chrono::seconds kTimeForEndpoint{15};
constexpr std::size_t kMaxAnswer = 1024 * 1024;
constexpr std::chrono::minutes kTolerableSkew{5};
constexpr std::chrono::days kReminder{30};
/// A tenant may begin with many users who have no mailbox.
constexpr std::size_t kMailboxesToTry = 5;
constexpr char kMailRead[] = "810c84a8-4a9e-49e6-bf7d-12d183f40d01";
constexpr char kUserRead[] = "df021288-bdef-4463-88db-98f22de89214";

Check conclusion(Check check, CheckOutcome outcome, std::string detail, std::string remedy = {},
                 Errc code = Errc::internal) {
    check.outcome = outcome;
    check.detail = std::move(detail);
    check.remedy = std::move(remedy);
    check.code = code;
    return check;
}

Check failed(Check check, const sdk::Error& error, std::string remedy) {
    std::string detail = error.message;
    if (!error.request_id.empty()) {
        detail += " (request " + error.request_id + ")";
    }
    return conclusion(std::move(check), CheckOutcome::fail, std::move(detail), std::move(remedy),
                      error.code);
}

/// Any JSON object: a page of a gateway or of a portal is none.
bool is_json_object(std::string_view body) {
    boost::json::error_code error;
    const boost::json::value value = boost::json::parse(body, error);
    return !error && value.is_object();
}

bool is_proxys(const sdk::Error& error) {
    return error.service_code == kProxyFault || error.service_code == kProxyRefusal;
}

bool is_of_trust(const sdk::Error& error) {
    return error.service_code == kUntrustedCertificate;
}

constexpr std::string_view kTryAgain =
    "Try again later. If it stays, Microsoft's support needs the request id.";

}  // namespace

std::string Preflight::how_to_grant(const std::string& permission, const std::string& id) const {
    return "In App registrations > (app) > API permissions, add the Microsoft Graph application "
           "permission " +
           permission + " (" + id +
           ") and choose Grant admin consent. Or: az ad app permission add --id " +
           settings_.client_id + " --api 00000003-0000-0000-c000-000000000000 --api-permissions " +
           id + "=Role && az ad app permission admin-consent --id " + settings_.client_id;
}

sdk::Result<std::vector<Check>> Preflight::run(const std::stop_token& stop) {
    std::stop_source inner;
    const std::stop_callback forward(stop, [&inner] { inner.request_stop(); });
    {
        const std::jthread watchdog([&inner](const std::stop_token& done) {
            if (sleep_unless_stopped(kTimeForAll, done)) {
                inner.request_stop();
            }
        });
        ask_endpoints(inner.get_token());
        check_credential();
        check_token(inner.get_token());
        if (have_token_) {
            check_groups(inner.get_token());
            check_users(inner.get_token());
            check_mailbox(inner.get_token());
            check_changes(inner.get_token());
        } else {
            users_ = conclusion(users_, CheckOutcome::unknown, "there is no token");
            mailbox_ = conclusion(mailbox_, CheckOutcome::unknown, "there is no token");
        }
    }
    if (stop.stop_requested()) {
        return cancelled();
    }
    return conclude();
}

void Preflight::ask_endpoints(const std::stop_token& stop) {
    // Side by side: a host that does not answer must not use up the time of the other.
    const std::jthread other([&] {
        authority_endpoint_ = ask(
            settings_.authority,
            "/" + percent_encode(settings_.tenant_id) + "/v2.0/.well-known/openid-configuration",
            stop);
    });
    graph_endpoint_ = ask(settings_.graph, "/v1.0/", stop);
}

Preflight::Endpoint Preflight::ask(const Origin& origin, const std::string& target,
                                   const std::stop_token& stop) {
    Endpoint endpoint;
    endpoint.origin = origin;
    HttpRequest request;
    request.target = target;
    request.fields = {{"Accept", "application/json"}, {"Accept-Encoding", "identity"}};
    request.answer_timeout = kTimeForEndpoint;
    const auto response = http_.send(origin, request, stop);
    if (!response) {
        endpoint.error = response.error();
        if (endpoint.error->code == Errc::cancelled) {
            endpoint.error = failure(Errc::timed_out, origin.url() + " did not answer in time");
        }
        return endpoint;
    }
    const ResponseHead& head = (*response)->head();
    if (const auto date = parse_http_date(head.field("Date"))) {
        endpoint.skew = std::chrono::duration_cast<std::chrono::seconds>(*date - host_.clock.now());
    }
    // Refusals are answers as well: of a tenant that is not known, or for want of a token.
    const int status = head.status;
    const auto body = (*response)->read_all(kMaxAnswer);
    const bool busy = status == 429 || status >= 500;
    if (!busy && (!body || (!body->empty() && !is_json_object(*body)))) {
        endpoint.foreign_status = status;
    }
    return endpoint;
}

template <typename Belongs>
const sdk::Error* Preflight::endpoint_error(Belongs belongs) const {
    for (const Endpoint* endpoint : {&authority_endpoint_, &graph_endpoint_}) {
        if (endpoint->error && belongs(*endpoint->error)) {
            return &*endpoint->error;
        }
    }
    return nullptr;
}

void Preflight::check_credential() {
    auto state = tokens_.credentials().inspect();
    if (!state) {
        credential_ = failed(credential_, state.error(),
                             "Correct what the message names; the documentation shows each form of "
                             "credential.");
        return;
    }
    credential_ = conclusion(credential_, CheckOutcome::pass, state->description, state->remark);
    credential_state_ = std::move(*state);
}

void Preflight::check_token(const std::stop_token& stop) {
    if (!credential_state_) {
        token_ = conclusion(token_, CheckOutcome::unknown, "there is no usable credential");
        return;
    }
    if (authority_endpoint_.error) {
        token_ = failed(token_, *authority_endpoint_.error,
                        "See to what stands in the way of the token service first.");
        return;
    }
    tokens_.discard();
    const auto token = tokens_.get(Patience::refuse, stop);
    if (token) {
        have_token_ = true;
        token_ = conclusion(token_, CheckOutcome::pass,
                            settings_.authority.url() + " accepts the credentials");
        return;
    }
    sdk::Error error = token.error();
    if (error.code != Errc::unauthenticated) {
        token_ = failed(token_, error, "Try again once the endpoint answers.");
        return;
    }
    // What to do stands in the remedy alone.
    const std::string remedy(remedy_of(error.service_code));
    if (!remedy.empty() && error.message.ends_with(remedy)) {
        error.message.resize(error.message.size() - remedy.size());
        error.message.resize(error.message.find_last_not_of(" .") + 1);
    }
    token_ = failed(token_, error,
                    remedy.empty() ? "Check Directory (Tenant) ID, Application (Client) ID and the "
                                     "credential against the app registration."
                                   : remedy);
}

void Preflight::check_groups(const std::stop_token& stop) {
    if (!settings_.accounts.has_groups()) {
        return;
    }
    groups_.emplace(sdk::Check{.name = "groups readable"});
    auto read = read_groups(graph_, directory_, settings_.accounts, Patience::refuse, stop);
    std::optional<sdk::Error> error;
    if (!read) {
        error = std::move(read.error());
    } else {
        groups_read_ = std::move(*read);
        if (!groups_read_.problems.empty()) {
            error = groups_read_.problems.front();
        }
    }
    if (!error) {
        groups_ = conclusion(*groups_, CheckOutcome::pass,
                             std::to_string(groups_read_.by_group.size()) + " groups were read");
        return;
    }
    groups_ = failed(*groups_, *error,
                     error->code == Errc::permission_denied
                         ? how_to_grant("GroupMember.Read.All", kGroupMemberRead)
                         : "Check the object ids in accounts.groups.");
}

void Preflight::check_users(const std::stop_token& stop) {
    GraphRequest request;
    request.what = "listing the users";
    request.subject = Subject::directory;
    request.target = "/v1.0/users?" + std::string(kUserSelect) + "&$top=100";
    std::optional<sdk::Error> error;
    auto answer = graph_.fetch(directory_, request, Patience::refuse, stop);
    if (!answer) {
        error = std::move(answer.error());
    } else if (answer->failure) {
        error = to_error(*answer->failure, Subject::directory, request.what);
    } else if (auto page = parse_users(answer->body); !page) {
        error = std::move(page.error());
    } else {
        for (const UserEntry& user : page->entries) {
            if (account_of(user, settings_.accounts, groups_read_).state ==
                sdk::AccountState::available) {
                candidates_.push_back(user.id);
            }
        }
        users_ = conclusion(users_, CheckOutcome::pass,
                            std::to_string(page->entries.size()) + " users on the first page, " +
                                std::to_string(candidates_.size()) + " of them to be archived");
        return;
    }
    users_ =
        failed(users_, *error,
               error->code == Errc::permission_denied ? how_to_grant("User.Read.All", kUserRead)
                                                      : std::string(kTryAgain));
}

void Preflight::check_mailbox(const std::stop_token& stop) {
    if (users_.outcome != CheckOutcome::pass) {
        mailbox_ = conclusion(mailbox_, CheckOutcome::unknown, "no users could be listed");
        return;
    }
    std::optional<sdk::Error> refusal;
    std::size_t tried = 0;
    for (const std::string& id : candidates_) {
        if (tried++ == kMailboxesToTry) {
            break;
        }
        GraphRequest request;
        request.what = "reading a mailbox";
        request.target = "/v1.0/users/" + percent_encode(id) + "/mailFolders/inbox?$select=id";
        auto answer = graph_.fetch(limiter_of_(id), request, Patience::refuse, stop);
        if (!answer) {
            mailbox_ = failed(mailbox_, answer.error(), std::string(kTryAgain));
            return;
        }
        if (!answer->failure) {
            mailbox_refused_ = false;
            readable_ = id;
            mailbox_ = conclusion(mailbox_, CheckOutcome::pass, "a mailbox was read");
            return;
        }
        const MailboxVerdict verdict = mailbox_verdict(*answer->failure);
        if (verdict == MailboxVerdict::denied || verdict == MailboxVerdict::closed_by_policy) {
            mailbox_refused_ = mailbox_refused_ || verdict == MailboxVerdict::denied;
            refusal = to_error(*answer->failure, Subject::mailbox, request.what);
        } else if (verdict == MailboxVerdict::nothing) {
            mailbox_ = failed(mailbox_, to_error(*answer->failure, Subject::mailbox, request.what),
                              std::string(kTryAgain));
            return;
        }
    }
    if (refusal) {
        mailbox_ = failed(mailbox_, *refusal,
                          how_to_grant("Mail.Read", kMailRead) +
                              " If Exchange limits the application to some mailboxes, check that "
                              "scope.");
        return;
    }
    mailbox_ = conclusion(mailbox_, CheckOutcome::unknown,
                          tried == 0 ? "none of the users seen is to be archived"
                                     : "none of the users tried has a mailbox");
}

void Preflight::check_changes(const std::stop_token& stop) {
    if (settings_.change_notifications && !host_.webhook_url.empty()) {
        notifications_ = check_notifications(graph_, directory_, tokens_.credentials(), settings_,
                                             host_, readable_, stop);
    }
}

std::vector<Check> Preflight::conclude() const {
    std::vector<Check> checks = {reachable()};
    if (settings_.proxy) {
        checks.push_back(proxy());
    }
    for (Check check : {trusted(), clock(), credential_, token_, mail_consent(), users_consent(),
                        users_, mailbox_, expiry()}) {
        checks.push_back(std::move(check));
    }
    if (groups_) {
        checks.push_back(*groups_);
    }
    if (notifications_) {
        checks.push_back(*notifications_);
    }
    return checks;
}

Check Preflight::reachable() const {
    const Check check{.name = "endpoint reachable"};
    const auto* const unreachable = endpoint_error(
        [](const sdk::Error& error) { return !is_proxys(error) && !is_of_trust(error); });
    if (unreachable != nullptr) {
        const bool of_profile = unreachable->code == Errc::invalid_config;
        return conclusion(check, CheckOutcome::fail, unreachable->message,
                          "Check the network, DNS, the firewall and the configured cloud or URLs.",
                          of_profile ? Errc::invalid_config : Errc::unavailable);
    }
    if (endpoint_error(is_proxys) != nullptr) {
        return conclusion(check, CheckOutcome::unknown,
                          "the proxy stands in the way, see \"proxy usable\"");
    }
    for (const Endpoint* endpoint : {&authority_endpoint_, &graph_endpoint_}) {
        if (endpoint->foreign_status) {
            return conclusion(
                check, CheckOutcome::fail,
                endpoint->origin.url() + " answers " + std::to_string(*endpoint->foreign_status) +
                    ", but not as the service does",
                "Check the configured cloud or URLs, and whether a gateway or a login "
                "portal of the network answers in its place.",
                Errc::unavailable);
        }
    }
    return conclusion(check, CheckOutcome::pass,
                      settings_.authority.url() + " and " + settings_.graph.url() + " answer");
}

Check Preflight::proxy() const {
    const Check check{.name = "proxy usable"};
    if (const auto* const error = endpoint_error(is_proxys)) {
        return conclusion(check, CheckOutcome::fail, error->message,
                          "Correct proxy, proxy_user and proxy_password, or what the proxy allows.",
                          Errc::unavailable);
    }
    if (!settings_.authority.secure && !settings_.graph.secure) {
        return conclusion(check, CheckOutcome::unknown,
                          "plain http on a loopback address does not go through the proxy");
    }
    if (endpoint_error([](const sdk::Error& error) { return !is_of_trust(error); }) != nullptr) {
        return conclusion(check, CheckOutcome::unknown, "no tunnel was opened");
    }
    return conclusion(check, CheckOutcome::pass,
                      settings_.proxy->origin.url() + " opens tunnels to the services");
}

Check Preflight::trusted() const {
    const Check check{.name = "TLS trusted"};
    if (const auto* const error = endpoint_error(is_of_trust)) {
        return conclusion(check, CheckOutcome::fail, error->message,
                          "Install the issuing authority, or name its certificate in ca_file.",
                          Errc::unavailable);
    }
    if (!settings_.graph.secure && !settings_.authority.secure) {
        return conclusion(check, CheckOutcome::unknown, "plain http on a loopback address");
    }
    if (authority_endpoint_.error && graph_endpoint_.error) {
        return conclusion(check, CheckOutcome::unknown, "no connection was made");
    }
    return conclusion(check, CheckOutcome::pass, "certificates and host names are valid");
}

Check Preflight::clock() const {
    const Check check{.name = "clock skew"};
    const auto skew = authority_endpoint_.skew ? authority_endpoint_.skew : graph_endpoint_.skew;
    if (!skew) {
        return conclusion(check, CheckOutcome::unknown, "the service did not tell its time");
    }
    const std::string detail = "this machine's clock is " +
                               std::to_string(std::abs(skew->count())) + " s " +
                               (skew->count() < 0 ? "ahead of" : "behind") + " the service's";
    if (*skew > kTolerableSkew || *skew < -kTolerableSkew) {
        return conclusion(check, CheckOutcome::fail, detail, "Synchronise the time (NTP).",
                          Errc::unavailable);
    }
    return conclusion(check, CheckOutcome::pass, detail);
}

Check Preflight::mail_consent() const {
    const Check check{.name = "Mail.Read consented"};
    const auto claims = tokens_.claims();
    if (!have_token_ || !claims) {
        return conclusion(check, CheckOutcome::unknown,
                          have_token_ ? "the token does not tell" : "there is no token");
    }
    if (claims->reads_mail()) {
        return conclusion(check, CheckOutcome::pass, "the token carries the permission");
    }
    if (mailbox_refused_) {
        return conclusion(check, CheckOutcome::fail,
                          "the token does not carry the permission, and a mailbox was refused",
                          how_to_grant("Mail.Read", kMailRead), Errc::permission_denied);
    }
    return conclusion(check, CheckOutcome::unknown,
                      "not consented to in Entra; it may be granted in Exchange instead (RBAC for "
                      "Applications)",
                      mailbox_.outcome == CheckOutcome::pass
                          ? std::string()
                          : "Unless Exchange grants it: " + how_to_grant("Mail.Read", kMailRead));
}

Check Preflight::users_consent() const {
    const Check check{.name = "User.Read.All consented"};
    const auto claims = tokens_.claims();
    if (!have_token_ || !claims) {
        return conclusion(check, CheckOutcome::unknown,
                          have_token_ ? "the token does not tell" : "there is no token");
    }
    if (claims->lists_users()) {
        return conclusion(check, CheckOutcome::pass, "the token carries the permission");
    }
    if (users_.outcome == CheckOutcome::pass) {
        return conclusion(check, CheckOutcome::unknown,
                          "the token does not carry it, and the users can be listed all the same");
    }
    return conclusion(check, CheckOutcome::fail, "the token does not carry the permission",
                      how_to_grant("User.Read.All", kUserRead), Errc::permission_denied);
}

Check Preflight::expiry() const {
    using Kind = CredentialSettings::Kind;
    const Check check{.name = "credential expiry"};
    const Kind kind = tokens_.credentials().kind();
    if (kind == Kind::federated_token) {
        return conclusion(check, CheckOutcome::unknown,
                          "a federated credential does not expire; its tokens are renewed by "
                          "whoever issues them");
    }
    if (!credential_state_) {
        return conclusion(check, CheckOutcome::unknown, "there is no usable credential");
    }
    if (!credential_state_->expires) {
        return conclusion(check, CheckOutcome::unknown, "client_secret_expires is not set",
                          "Set client_secret_expires to be reminded from 30 days before.");
    }
    const std::string subject = kind == Kind::secret ? "the client secret" : "the certificate";
    const std::string renew =
        kind == Kind::secret
            ? "Create a new secret in App registrations > (app) > Certificates & secrets, enter "
              "its "
              "Value, and set client_secret_expires anew."
            : "Make a new certificate, upload its public part in App registrations > (app) > "
              "Certificates & secrets > Certificates, then put it into the file.";
    const auto left = *credential_state_->expires - host_.clock.now();
    const std::string date = date_text(*credential_state_->expires);
    if (left <= std::chrono::seconds(0)) {
        return conclusion(check, CheckOutcome::fail, subject + " expired on " + date, renew,
                          Errc::unauthenticated);
    }
    const auto days = std::chrono::floor<std::chrono::days>(left);
    return conclusion(
        check, CheckOutcome::pass,
        subject + " expires on " + date + ", in " + std::to_string(days.count()) + " days",
        days <= kReminder ? renew : std::string());
}

}  // namespace openarchiver::microsoft365
