#include "mail/discovery.hpp"

#include <algorithm>
#include <unordered_set>

#include "failure.hpp"
#include "graph/link_guard.hpp"
#include "mail/pattern.hpp"

namespace openarchiver::microsoft365 {

namespace {

constexpr std::string_view kFirstPage =
    "/v1.0/users?$select=id,userPrincipalName,mail,displayName,userType,proxyAddresses,"
    "assignedPlans&$top=999";

bool matches_any(const UserEntry& user, const std::vector<std::string>& patterns) {
    return std::ranges::any_of(patterns, [&user](const std::string& pattern) {
        return matches_pattern(pattern, user.id) || matches_pattern(pattern, user.mail) ||
               matches_pattern(pattern, user.user_principal_name) ||
               std::ranges::any_of(user.addresses, [&pattern](const std::string& address) {
                   return matches_pattern(pattern, address);
               });
    });
}

}  // namespace

sdk::Account account_of(const UserEntry& user, const SelectionSettings& selection) {
    sdk::Account account;
    account.id = user.id;
    account.address = user.mail.empty() ? user.user_principal_name : user.mail;
    account.display_name = user.display_name;
    const auto set = [&account](sdk::AccountState state, const char* reason) {
        account.state = state;
        account.reason = reason;
    };
    if (user.guest) {
        set(sdk::AccountState::without_mailbox, "a guest: the mailbox is in another tenant");
    } else if (user.mail.empty() && !user.has_exchange_plan) {
        set(sdk::AccountState::without_mailbox, "no mail address and no Exchange licence");
    } else if (matches_any(user, selection.exclude)) {
        set(sdk::AccountState::excluded, "left out by accounts.exclude");
    } else if (!selection.include.empty() && !matches_any(user, selection.include)) {
        set(sdk::AccountState::excluded, "not among accounts.include");
    }
    return account;
}

sdk::Result<sdk::Listing> discover_accounts(GraphClient& graph, RequestLimiter& directory,
                                            const SelectionSettings& selection, sdk::Logger& logger,
                                            sdk::AccountSink& sink, const std::stop_token& stop) {
    GraphRequest request;
    request.what = "listing the users";
    request.subject = Subject::directory;
    request.target = kFirstPage;
    std::unordered_set<std::string> reported;
    WalkGuard guard;
    for (;;) {
        OPENARCHIVER_TRY(const GraphAnswer answer,
                         graph.fetch(directory, request, Patience::wait, stop));
        if (answer.failure) {
            return to_error(*answer.failure, Subject::directory, request.what);
        }
        OPENARCHIVER_TRY(const Page<UserEntry> page, parse_users(answer.body));
        if (page.unusable > 0) {
            logger.log(sdk::LogLevel::warning, "users without an id were left out",
                       {{"count", std::to_string(page.unusable)}});
        }
        for (const UserEntry& user : page.entries) {
            if (!reported.insert(user.id).second) {
                continue;
            }
            if (sink.account(account_of(user, selection)) == sdk::Flow::stop) {
                return cancelled();
            }
        }
        if (page.next_link.empty()) {
            return sdk::Listing{.complete = true, .cursor = std::nullopt};
        }
        OPENARCHIVER_CHECK(guard.enter(page.next_link));
        OPENARCHIVER_TRY(request.target, follow_link(graph.origin(), page.next_link));
    }
}

}  // namespace openarchiver::microsoft365
