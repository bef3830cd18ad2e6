#pragma once

#include <map>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <unordered_set>
#include <vector>

#include "graph/graph_client.hpp"
#include "settings.hpp"

namespace openarchiver::microsoft365 {

inline constexpr char kGroupMemberRead[] = "98830695-27a2-44f7-8c18-0c3ebc9698f6";

/// Who is in the groups that the configuration names, directly or through other groups.
struct GroupMembers {
    /// Ids of users by group id; a group that could not be read is missing.
    std::map<std::string, std::unordered_set<std::string>, std::less<>> by_group;
    /// One for each group that could not be read.
    std::vector<sdk::Error> problems;
};

/// Reads every group. A group that can't be read is a problem and no error; only a stop and refused
/// credentials are.
sdk::Result<GroupMembers> read_groups(GraphClient& graph, RequestLimiter& directory,
                                      const AccountSelection& selection, Patience patience,
                                      const std::stop_token& stop);

}  // namespace openarchiver::microsoft365
