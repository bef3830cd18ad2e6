#include "preflight.hpp"

#include <algorithm>
#include <thread>

#include "failure.hpp"
#include "mail/account_rules.hpp"
#include "mail/discovery.hpp"
#include "throttle/backoff.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Check;
using sdk::CheckOutcome;
using sdk::Errc;

constexpr std::chrono::seconds kTimeForAll{25};
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

std::string how_to_grant(const std::string& permission, const std::string& id) {
    return "In App registrations > (app) > API permissions, add the Microsoft Graph application "
           "permission " +
           permission + " (" + id + ") and choose Grant admin consent.";
}

std::string date_text(std::chrono::year_month_day date) {
    const auto two = [](unsigned number) {
        return (number < 10 ? "0" : "") + std::to_string(number);
    };
    return std::to_string(static_cast<int>(date.year())) + "-" +
           two(static_cast<unsigned>(date.month())) + "-" + two(static_cast<unsigned>(date.day()));
}

/// Whether an answer came, even if it was a refusal.
bool is_answer(const sdk::Error& error) {
    return !error.service_code.empty() && error.service_code != kUntrustedCertificate;
}

}  // namespace

sdk::Result<std::vector<Check>> Preflight::run(const std::stop_token& stop) {
    std::stop_source inner;
    const std::stop_callback forward(stop, [&inner] { inner.request_stop(); });
    {
        const std::jthread watchdog([&inner](const std::stop_token& done) {
            if (sleep_unless_stopped(kTimeForAll, done)) {
                inner.request_stop();
            }
        });
        check_token(inner.get_token());
        if (have_token_) {
            check_groups(inner.get_token());
            check_users(inner.get_token());
            check_mailbox(inner.get_token());
        }
    }
    if (stop.stop_requested()) {
        return cancelled();
    }
    return conclude();
}

void Preflight::observe(const std::optional<sdk::Error>& error) {
    if (!error || is_answer(*error)) {
        network_.answered = true;
    } else if (error->service_code == kUntrustedCertificate) {
        network_.answered = true;
        network_.untrusted = error;
    } else if (error->code == Errc::cancelled) {
        network_.unreachable =
            failure(Errc::timed_out,
                    "no answer within " + std::to_string(kTimeForAll.count()) + " seconds");
    } else if (error->code != Errc::invalid_config && error->code != Errc::rate_limited) {
        network_.unreachable = error;
    }
}

void Preflight::check_token(const std::stop_token& stop) {
    tokens_.discard();
    const auto token = tokens_.get(Patience::refuse, stop);
    if (token) {
        have_token_ = true;
        observe(std::nullopt);
        token_ = conclusion(token_, CheckOutcome::pass,
                            settings_.authority.url() + " accepts the credentials");
        return;
    }
    observe(token.error());
    if (token.error().code == Errc::unauthenticated) {
        token_ = failed(token_, token.error(),
                        "Check Directory (Tenant) ID, Application (Client) ID and Client Secret "
                        "Value against the app registration.");
    } else {
        token_ = failed(token_, token.error(), "Try again once the endpoint answers.");
    }
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
    observe(error);
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
        observe(std::nullopt);
        users_ = conclusion(users_, CheckOutcome::pass,
                            std::to_string(page->entries.size()) + " users on the first page, " +
                                std::to_string(candidates_.size()) + " of them to be archived");
        return;
    }
    observe(error);
    users_ =
        failed(users_, *error,
               error->code == Errc::permission_denied ? how_to_grant("User.Read.All", kUserRead)
                                                      : "Try again once the service answers.");
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
            observe(answer.error());
            mailbox_ = failed(mailbox_, answer.error(), "Try again once the service answers.");
            return;
        }
        if (!answer->failure) {
            mailbox_refused_ = false;
            mailbox_ = conclusion(mailbox_, CheckOutcome::pass, "a mailbox was read");
            return;
        }
        const MailboxVerdict verdict = mailbox_verdict(*answer->failure);
        if (verdict == MailboxVerdict::denied || verdict == MailboxVerdict::closed_by_policy) {
            mailbox_refused_ = mailbox_refused_ || verdict == MailboxVerdict::denied;
            refusal = to_error(*answer->failure, Subject::mailbox, request.what);
        } else if (verdict == MailboxVerdict::nothing) {
            mailbox_ =
                failed(mailbox_, to_error(*answer->failure, Subject::mailbox, request.what), {});
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

std::vector<Check> Preflight::conclude() const {
    std::vector<Check> checks{reachable(),     trusted(), clock(),  token_,  mail_consent(),
                              users_consent(), users_,    mailbox_, expiry()};
    if (groups_) {
        checks.push_back(*groups_);
    }
    return checks;
}

Check Preflight::reachable() const {
    const Check check{.name = "endpoint reachable"};
    if (network_.unreachable) {
        return conclusion(check, CheckOutcome::fail, network_.unreachable->message,
                          "Check the network, DNS, the firewall and the configured cloud or URLs.",
                          Errc::unavailable);
    }
    if (!network_.answered) {
        return conclusion(check, CheckOutcome::unknown, "nothing was sent");
    }
    return conclusion(check, CheckOutcome::pass,
                      have_token_
                          ? settings_.authority.url() + " and " + settings_.graph.url() + " answer"
                          : settings_.authority.url() + " answers");
}

Check Preflight::trusted() const {
    const Check check{.name = "TLS trusted"};
    if (network_.untrusted) {
        return conclusion(check, CheckOutcome::fail, network_.untrusted->message,
                          "Install the issuing authority, or name its certificate in ca_file.",
                          Errc::unavailable);
    }
    if (!settings_.graph.secure && !settings_.authority.secure) {
        return conclusion(check, CheckOutcome::unknown, "plain http on a loopback address");
    }
    if (!network_.answered) {
        return conclusion(check, CheckOutcome::unknown, "no connection was made");
    }
    return conclusion(check, CheckOutcome::pass, "certificates and host names are valid");
}

Check Preflight::clock() const {
    const Check check{.name = "clock skew"};
    const auto skew = tokens_.clock_skew();
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
                      "Applications)");
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
    const Check check{.name = "credential expiry"};
    if (!settings_.client_secret_expires) {
        return conclusion(check, CheckOutcome::unknown, "client_secret_expires is not set",
                          "Set client_secret_expires to be reminded from 30 days before.");
    }
    const std::chrono::sys_days day = *settings_.client_secret_expires;
    const auto left = day - std::chrono::floor<std::chrono::days>(host_.clock.now());
    const std::string date = date_text(*settings_.client_secret_expires);
    const std::string renew =
        "Create a new secret in App registrations > (app) > Certificates & secrets, enter its "
        "Value, and set client_secret_expires anew.";
    if (left < std::chrono::days(0)) {
        return conclusion(check, CheckOutcome::fail, "the client secret expired on " + date, renew,
                          Errc::unauthenticated);
    }
    return conclusion(
        check, CheckOutcome::pass,
        "the client secret expires on " + date + ", in " + std::to_string(left.count()) + " days",
        left <= kReminder ? renew : std::string());
}

}  // namespace openarchiver::microsoft365
