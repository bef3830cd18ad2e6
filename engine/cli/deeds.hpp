#pragma once

#include <boost/json/value.hpp>
#include <string>

#include "cli/command.hpp"
#include "service/deeds.hpp"

/// What can't be taken back, and may need a second person.
namespace openarchiver::cli {

/// Does the deed in the name of the system's user, or asks for it, in the service that has the
/// catalog open or here; shows what came of it.
Outcome do_deed(Command& command, const service::Deed& deed);

/// Approves or refuses what somebody asked for.
Outcome approve(Command& command, const std::string& request);
Outcome refuse(Command& command, const std::string& request, const std::string& reason);

// For people, of the documents.

[[nodiscard]] std::string approval_text(const boost::json::value& document);  ///< of policies
[[nodiscard]] std::string effect_text(const boost::json::value& document);
[[nodiscard]] std::string forget_text(const boost::json::value& document);
/// What a request is about.
[[nodiscard]] std::string what_text(const boost::json::value& request);

}  // namespace openarchiver::cli
