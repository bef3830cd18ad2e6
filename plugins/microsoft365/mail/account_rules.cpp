#include "mail/account_rules.hpp"

#include <algorithm>

#include "mail/pattern.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::AccountState;

bool matches_any(const UserEntry& user, const std::vector<std::string>& patterns) {
    return std::ranges::any_of(patterns, [&user](const std::string& pattern) {
        return matches_pattern(pattern, user.id) || matches_pattern(pattern, user.mail) ||
               matches_pattern(pattern, user.user_principal_name) ||
               std::ranges::any_of(user.addresses, [&pattern](const std::string& address) {
                   return matches_pattern(pattern, address);
               });
    });
}

enum class Membership : std::uint8_t { no, yes, unknown };

Membership member_of_any(const UserEntry& user, const std::vector<std::string>& group_ids,
                         const GroupMembers& groups) {
    Membership result = Membership::no;
    for (const std::string& id : group_ids) {
        const auto group = groups.by_group.find(id);
        if (group == groups.by_group.end()) {
            result = Membership::unknown;
        } else if (group->second.contains(user.id)) {
            return Membership::yes;
        }
    }
    return result;
}

}  // namespace

sdk::Account account_of(const UserEntry& user, const AccountSelection& selection,
                        const GroupMembers& groups) {
    sdk::Account account;
    account.id = user.id;
    account.address = user.mail.empty() ? user.user_principal_name : user.mail;
    account.display_name = user.display_name;
    const auto because = [&account](AccountState state, const char* reason) {
        account.state = state;
        account.reason = reason;
        return account;
    };
    if (user.guest) {
        return because(AccountState::without_mailbox, "a guest: the mailbox is in another tenant");
    }
    // Shared mailboxes, rooms and equipment have an address, mostly no licence, and are disabled:
    // neither of the latter says anything.
    if (user.mail.empty() && !user.has_exchange_plan) {
        return because(AccountState::without_mailbox, "no mail address and no Exchange licence");
    }
    if (matches_any(user, selection.exclude)) {
        return because(AccountState::excluded, "left out by accounts.exclude");
    }
    const Membership left_out = member_of_any(user, selection.exclude_groups, groups);
    if (left_out == Membership::yes) {
        return because(AccountState::excluded, "a member of a group in accounts.groups.exclude");
    }
    Membership chosen = Membership::yes;
    if (!selection.include.empty() || !selection.include_groups.empty()) {
        chosen = matches_any(user, selection.include)
                     ? Membership::yes
                     : member_of_any(user, selection.include_groups, groups);
    }
    if (chosen == Membership::no) {
        return because(AccountState::excluded, selection.include_groups.empty()
                                                   ? "not among accounts.include"
                                                   : "not among accounts.include, and not a member "
                                                     "of a group in accounts.groups.include");
    }
    // A group that can't be read keeps its members: who was archived stays, who was not joins
    // when it can be read.
    account.undecided = chosen == Membership::unknown || left_out == Membership::unknown;
    if (chosen == Membership::unknown) {
        return because(AccountState::excluded,
                       "not known to be included: a group in accounts.groups.include could not be "
                       "read");
    }
    return account;
}

}  // namespace openarchiver::microsoft365
