#pragma once

#include <boost/json/value.hpp>
#include <stop_token>

#include "access/access.hpp"

namespace openarchiver::service {

class Service;

/// Looks at the status of a service that runs, until `stop`, and tells the targets of its profile
/// what they have to know.
void notify_targets(Service& service, const std::stop_token& stop);

/// How it goes with each target of the profile, for `status`.
[[nodiscard]] boost::json::value notifications_document(const profile::Profile& profile);

}  // namespace openarchiver::service
