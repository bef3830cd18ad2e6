#pragma once

#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>

#include "access/access.hpp"
#include "disposal/retention.hpp"
#include "service/disposal_requests.hpp"

namespace openarchiver::service {

/// What can't be taken back, and may need a second person.
using Deed = std::variant<catalog::HoldReleased, disposal::ApplyRequest, disposal::ForgetRequest,
                          disposal::ForgetItemRequest>;

/// As the control socket carries it.
[[nodiscard]] std::string verb_of(const Deed& deed);
[[nodiscard]] std::string options_of(const Deed& deed);
/// invalid_argument: no deed.
[[nodiscard]] sdk::Result<Deed> parse_deed(std::string_view verb, std::string_view options);

/// Says in whose name it is done.
void sign(Deed& deed, std::string_view by);

/// Does any but that of an account, durable on return: the document of its verb. (An account is
/// forgotten with the archive closed: disposal::forget().)
sdk::Result<std::string> carry_out(const Deed& deed, const access::Context& context,
                                   access::ArchiveWriter& archive, pipeline::Committer& committer,
                                   std::stop_token stop);

}  // namespace openarchiver::service
