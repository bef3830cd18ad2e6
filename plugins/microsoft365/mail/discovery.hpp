#pragma once

#include <memory>
#include <mutex>
#include <openarchiver/sdk/provider.hpp>
#include <optional>
#include <stop_token>
#include <string>

#include "graph/graph_client.hpp"
#include "graph/graph_documents.hpp"
#include "mail/discovery_cursor.hpp"
#include "mail/group_members.hpp"
#include "settings.hpp"

namespace openarchiver::microsoft365 {

/// The properties by which users are judged; as a query.
inline constexpr std::string_view kUserSelect =
    "$select=id,userPrincipalName,mail,displayName,userType,proxyAddresses,assignedPlans";

/// sdk::ProviderSession::discover() and find_account(). The first round lists all users, and one a
/// day does so again; the others ask for changes, in one request where there are none (and one
/// for each thousand members of a configured group).
class Discovery {
public:
    Discovery(GraphClient& graph, RequestLimiter& directory, const AccountSelection& selection,
              sdk::Clock& clock, sdk::Logger& logger)
        : graph_(graph),
          directory_(directory),
          selection_(selection),
          clock_(clock),
          logger_(logger) {}

    sdk::Result<sdk::Listing> run(const std::optional<sdk::Cursor>& cursor, sdk::AccountSink& sink,
                                  const std::stop_token& stop);
    sdk::Result<sdk::Account> find(const std::string& account_id, const std::stop_token& stop);

private:
    /// Follows the pages of a list of users from `target` to its end.
    struct Pages {
        std::vector<UserEntry> users;  ///< each id once, as it came last
        std::string delta_link;
        std::optional<GraphFailure> failure;
    };

    sdk::Result<Pages> read_pages(std::string target, std::string_view what,
                                  const std::stop_token& stop);
    /// Absent: the directory has no such user.
    sdk::Result<std::optional<UserEntry>> read_user(const std::string& id,
                                                    const std::stop_token& stop);
    sdk::Result<std::shared_ptr<const GroupMembers>> refresh_groups(const std::stop_token& stop);
    [[nodiscard]] bool may_go_on(const DiscoveryCursor& known, const GroupMembers& groups) const;
    [[nodiscard]] std::optional<sdk::Cursor> cursor_from(std::string delta_link,
                                                         sdk::Timestamp listed_at,
                                                         const GroupMembers& groups) const;

    sdk::Result<sdk::Listing> list_all(const GroupMembers& groups, sdk::AccountSink& sink,
                                       const std::stop_token& stop);
    /// Absent: the changes can't be told, all users have to be listed. Then nothing was reported.
    sdk::Result<std::optional<sdk::Listing>> list_changes(const DiscoveryCursor& known,
                                                          const GroupMembers& groups,
                                                          sdk::AccountSink& sink,
                                                          const std::stop_token& stop);

    GraphClient& graph_;
    RequestLimiter& directory_;
    const AccountSelection& selection_;
    sdk::Clock& clock_;
    sdk::Logger& logger_;

    std::mutex mutex_;  // guards groups_
    std::shared_ptr<const GroupMembers> groups_;
};

}  // namespace openarchiver::microsoft365
