#include "mail/discovery.hpp"

#include <algorithm>
#include <unordered_map>

#include "failure.hpp"
#include "graph/link_guard.hpp"
#include "mail/account_rules.hpp"
#include "mail/digest.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::AccountState;
using sdk::Errc;
using sdk::Flow;
using sdk::Listing;

/// A change that deltas lose is found with the next full list.
constexpr std::chrono::hours kListAllEvery{24};
/// Changed users are read one by one; beyond this many, listing all is cheaper.
constexpr std::size_t kMostReadSingly = 200;

constexpr std::string_view kListing = "listing the users";
constexpr std::string_view kFollowing = "listing the changes of users";
constexpr std::string_view kFinding = "looking up a user";

std::string digest_of(const std::unordered_set<std::string>& members) {
    std::vector<std::string_view> sorted(members.begin(), members.end());
    std::ranges::sort(sorted);
    std::string text;
    for (const std::string_view id : sorted) {
        text += id;
        text += '\n';
    }
    return short_digest(text);
}

std::string digest_of(const AccountSelection& selection) {
    std::string text;
    const auto add = [&text](const char* what, const std::vector<std::string>& entries) {
        for (const std::string& entry : entries) {
            text += what + entry + "\n";
        }
    };
    add("+", selection.include);
    add("-", selection.exclude);
    add("+group ", selection.include_groups);
    add("-group ", selection.exclude_groups);
    return short_digest(text);
}

}  // namespace

sdk::Result<Listing> Discovery::run(const std::optional<sdk::Cursor>& cursor,
                                    sdk::AccountSink& sink, const std::stop_token& stop) {
    std::optional<DiscoveryCursor> known;
    if (cursor) {
        known = decode_discovery_cursor(*cursor);
        if (!known) {
            return failure(Errc::cursor_expired, "the cursor of the users is of another version");
        }
    }
    OPENARCHIVER_TRY(const auto groups, refresh_groups(stop));
    if (known && may_go_on(*known, *groups)) {
        OPENARCHIVER_TRY(auto changes, list_changes(*known, *groups, sink, stop));
        if (changes) {
            changes->problems = groups->problems;
            return std::move(*changes);
        }
    }
    OPENARCHIVER_TRY(Listing all, list_all(*groups, sink, stop));
    all.problems = groups->problems;
    return all;
}

sdk::Result<sdk::Account> Discovery::find(const std::string& account_id,
                                          const std::stop_token& stop) {
    std::shared_ptr<const GroupMembers> groups;
    {
        const std::lock_guard lock(mutex_);
        groups = groups_;
    }
    if (!groups) {
        OPENARCHIVER_TRY(groups, refresh_groups(stop));
    }
    OPENARCHIVER_TRY(const auto user, read_user(account_id, stop));
    if (!user) {
        return failure(Errc::not_found, "the directory has no such user");
    }
    return account_of(*user, selection_, *groups);
}

sdk::Result<std::shared_ptr<const GroupMembers>> Discovery::refresh_groups(
    const std::stop_token& stop) {
    OPENARCHIVER_TRY(GroupMembers read,
                     read_groups(graph_, directory_, selection_, Patience::wait, stop));
    auto groups = std::make_shared<const GroupMembers>(std::move(read));
    const std::lock_guard lock(mutex_);
    groups_ = groups;
    return groups;
}

bool Discovery::may_go_on(const DiscoveryCursor& known, const GroupMembers& groups) const {
    const auto age = clock_.now() - known.listed_at;
    return known.selection == digest_of(selection_) && age >= std::chrono::seconds(0) &&
           age < kListAllEvery &&
           std::ranges::all_of(
               groups.by_group,
               [&known](const auto& group) {
                   const auto before = known.groups.find(group.first);
                   return before != known.groups.end() && before->second == digest_of(group.second);
               });
}

std::optional<sdk::Cursor> Discovery::cursor_from(std::string delta_link, sdk::Timestamp listed_at,
                                                  const GroupMembers& groups) const {
    if (delta_link.empty() || !follow_link(graph_.origin(), delta_link)) {
        return std::nullopt;
    }
    DiscoveryCursor next{.delta_link = std::move(delta_link),
                         .listed_at = listed_at,
                         .selection = digest_of(selection_),
                         .groups = {}};
    for (const auto& [id, members] : groups.by_group) {
        next.groups.emplace(id, digest_of(members));
    }
    return encode_discovery_cursor(next);
}

sdk::Result<Discovery::Pages> Discovery::read_pages(std::string target, std::string_view what,
                                                    const std::stop_token& stop) {
    GraphRequest request;
    request.what = what;
    request.subject = Subject::directory;
    request.target = std::move(target);
    Pages result;
    std::unordered_map<std::string, std::size_t> places;
    std::size_t unusable = 0;
    WalkGuard guard;
    for (;;) {
        OPENARCHIVER_TRY(GraphAnswer answer,
                         graph_.fetch(directory_, request, Patience::wait, stop));
        if (answer.failure) {
            result.failure = std::move(answer.failure);
            return result;
        }
        OPENARCHIVER_TRY(Page<UserEntry> page, parse_users(answer.body));
        unusable += page.unusable;
        for (UserEntry& user : page.entries) {
            const auto [place, added] = places.emplace(user.id, result.users.size());
            if (added) {
                result.users.push_back(std::move(user));
            } else {
                result.users[place->second] = std::move(user);
            }
        }
        if (page.next_link.empty()) {
            result.delta_link = std::move(page.delta_link);
            break;
        }
        OPENARCHIVER_CHECK(guard.enter(page.next_link));
        OPENARCHIVER_TRY(request.target, follow_link(graph_.origin(), page.next_link));
    }
    if (unusable > 0) {
        logger_.log(sdk::LogLevel::warning, "OA-8302 users without an id were left out",
                    {{"count", std::to_string(unusable)}});
    }
    return result;
}

sdk::Result<std::optional<UserEntry>> Discovery::read_user(const std::string& id,
                                                           const std::stop_token& stop) {
    GraphRequest request;
    request.what = kFinding;
    request.subject = Subject::directory;
    request.target = "/v1.0/users/" + percent_encode(id) + "?" + std::string(kUserSelect);
    OPENARCHIVER_TRY(const GraphAnswer answer,
                     graph_.fetch(directory_, request, Patience::wait, stop));
    if (answer.failure) {
        if (answer.failure->status == 404 && answer.failure->has_code("Request_ResourceNotFound")) {
            return std::optional<UserEntry>();
        }
        return to_error(*answer.failure, Subject::directory, kFinding);
    }
    OPENARCHIVER_TRY(UserEntry user, parse_user(answer.body));
    user.id = id;
    return std::optional(std::move(user));
}

sdk::Result<Listing> Discovery::list_all(const GroupMembers& groups, sdk::AccountSink& sink,
                                         const std::stop_token& stop) {
    const auto now = sdk::timestamp_of(clock_);
    // First from where changes count, then the list: what changes in between is reported twice,
    // not lost. This costs one request; the list's pages are larger than those of deltas.
    OPENARCHIVER_TRY(Pages start, read_pages("/v1.0/users/delta?" + std::string(kUserSelect) +
                                                 "&$deltatoken=latest",
                                             kFollowing, stop));
    if (start.failure) {
        logger_.log(
            sdk::LogLevel::warning,
            "OA-8303 changes of users can't be followed; they are listed whole each time",
            {{"code", start.failure->service_code()}, {"request_id", start.failure->request_id}});
    }
    OPENARCHIVER_TRY(
        const Pages all,
        read_pages("/v1.0/users?" + std::string(kUserSelect) + "&$top=999", kListing, stop));
    if (all.failure) {
        return to_error(*all.failure, Subject::directory, kListing);
    }
    for (const UserEntry& user : all.users) {
        if (sink.account(account_of(user, selection_, groups)) == Flow::stop) {
            return cancelled();
        }
    }
    Listing result;
    result.complete = true;
    result.cursor = cursor_from(std::move(start.delta_link), now, groups);
    return result;
}

sdk::Result<std::optional<Listing>> Discovery::list_changes(const DiscoveryCursor& known,
                                                            const GroupMembers& groups,
                                                            sdk::AccountSink& sink,
                                                            const std::stop_token& stop) {
    const auto list_all_because = [this](std::string_view why) {
        logger_.log(sdk::LogLevel::info, "OA-8304 all users are listed: " + std::string(why));
        return std::optional<Listing>();
    };
    auto target = follow_link(graph_.origin(), known.delta_link);
    if (!target) {
        return list_all_because("the cursor is of another service");
    }
    OPENARCHIVER_TRY(Pages changes, read_pages(std::move(*target), kFollowing, stop));
    if (changes.failure) {
        const int status = changes.failure->status;
        if (is_expired_token(*changes.failure, TokenOrigin::stored) || status == 404) {
            return list_all_because("the service no longer knows the change token (" +
                                    changes.failure->service_code() + ")");
        }
        return to_error(*changes.failure, Subject::directory, kFollowing);
    }
    if (changes.delta_link.empty()) {
        return list_all_because("the service gave no link to go on from");
    }
    if (changes.users.size() > kMostReadSingly) {
        return list_all_because("many of them have changed");
    }
    // A change holds what has changed and not the whole user, and changes may be repeated and out
    // of order: what counts is how the user is now.
    std::vector<sdk::Account> accounts;
    for (const UserEntry& changed : changes.users) {
        OPENARCHIVER_TRY(const auto user, read_user(changed.id, stop));
        if (user) {
            accounts.push_back(account_of(*user, selection_, groups));
            continue;
        }
        sdk::Account gone;
        gone.id = changed.id;
        gone.state = AccountState::deleted_upstream;
        gone.reason = changed.removal == Removal::restorable
                          ? "the user was deleted; it can be restored for 30 days"
                          : "the user was deleted";
        accounts.push_back(std::move(gone));
    }
    for (const sdk::Account& account : accounts) {
        if (sink.account(account) == Flow::stop) {
            return cancelled();
        }
    }
    Listing result;
    result.complete = false;
    result.cursor = cursor_from(std::move(changes.delta_link), known.listed_at, groups);
    return std::optional(std::move(result));
}

}  // namespace openarchiver::microsoft365
