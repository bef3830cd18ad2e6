#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

namespace openarchiver::service {

/// Who does something, as log and audit trail name him.
struct Person {
    std::string by;         ///< "api:" and the credential's name, or USER@HOST
    std::string role = {};  ///< of the credential; empty: a user of the system
};

[[nodiscard]] Person system_user(uid_t user);

/// Whether two names may be one human's: a credential and a user of the same name are taken for
/// one, and so is a user on several hosts.
[[nodiscard]] bool may_be_one(std::string_view by, std::string_view other_by);

}  // namespace openarchiver::service
