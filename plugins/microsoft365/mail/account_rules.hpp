#pragma once

#include <openarchiver/sdk/model.hpp>
#include <string_view>

#include "graph/graph_documents.hpp"
#include "mail/group_members.hpp"
#include "settings.hpp"

namespace openarchiver::microsoft365 {

/// The account that a user of the directory is, and whether it is to be archived. Whether there
/// really is a mailbox shows when it is read.
sdk::Account account_of(const UserEntry& user, const AccountSelection& selection,
                        const GroupMembers& groups);

}  // namespace openarchiver::microsoft365
