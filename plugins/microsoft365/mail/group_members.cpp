#include "mail/group_members.hpp"

#include <set>

#include "graph/graph_documents.hpp"
#include "graph/link_guard.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;

constexpr std::string_view kReading = "reading the members of a group";

struct Reading {
    std::unordered_set<std::string> members;
    std::optional<GraphFailure> failure;
};

sdk::Result<Reading> read_group(GraphClient& graph, RequestLimiter& directory,
                                const std::string& group, Patience patience,
                                const std::stop_token& stop) {
    GraphRequest request;
    request.what = kReading;
    request.subject = Subject::directory;
    request.advanced_query = true;  // because of the cast to users
    request.target = "/v1.0/groups/" + percent_encode(group) +
                     "/transitiveMembers/microsoft.graph.user?$select=id&$count=true&$top=999";
    Reading result;
    WalkGuard guard;
    for (;;) {
        OPENARCHIVER_TRY(GraphAnswer answer, graph.fetch(directory, request, patience, stop));
        if (answer.failure) {
            result.failure = std::move(answer.failure);
            return result;
        }
        OPENARCHIVER_TRY(Page<UserEntry> page, parse_users(answer.body));
        for (UserEntry& user : page.entries) {
            result.members.insert(std::move(user.id));
        }
        if (page.next_link.empty()) {
            return result;
        }
        OPENARCHIVER_CHECK(guard.enter(page.next_link));
        OPENARCHIVER_TRY(request.target, follow_link(graph.origin(), page.next_link));
    }
}

/// What is wrong with a group, and what to do.
sdk::Error problem_of(const std::string& group, sdk::Error error, int status) {
    std::string advice = "it is read again in the next run";
    if (status == 403) {
        advice =
            "the application lacks the permission GroupMember.Read.All: add this application "
            "permission (" +
            std::string(kGroupMemberRead) + ") and give admin consent";
    } else if (status == 404) {
        advice =
            "there is no such group any more: restore it, or take its id out of accounts.groups";
    }
    error.message =
        "group " + group + " can't be read, its members are taken as they were; " + advice + " (" +
        (status == 0 ? error.message
                     : "Graph answered " + std::to_string(status) + " " + error.service_code) +
        ")";
    return error;
}

}  // namespace

sdk::Result<GroupMembers> read_groups(GraphClient& graph, RequestLimiter& directory,
                                      const AccountSelection& selection, Patience patience,
                                      const std::stop_token& stop) {
    std::set<std::string> groups(selection.include_groups.begin(), selection.include_groups.end());
    groups.insert(selection.exclude_groups.begin(), selection.exclude_groups.end());
    GroupMembers result;
    for (const std::string& group : groups) {
        auto reading = read_group(graph, directory, group, patience, stop);
        if (reading && !reading->failure) {
            result.by_group.emplace(group, std::move(reading->members));
            continue;
        }
        sdk::Error error = reading ? to_error(*reading->failure, Subject::directory, kReading)
                                   : std::move(reading.error());
        if (error.code == Errc::cancelled || error.code == Errc::unauthenticated) {
            return error;
        }
        result.problems.push_back(
            problem_of(group, std::move(error), reading ? reading->failure->status : 0));
    }
    return result;
}

}  // namespace openarchiver::microsoft365
