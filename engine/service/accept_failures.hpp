#pragma once

#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "access/access.hpp"
#include "pipeline/committer.hpp"

namespace openarchiver::service {

/// {"accept":["REF",...]}, for the control socket.
[[nodiscard]] std::string accept_options(const std::vector<std::string>& refs);
[[nodiscard]] sdk::Result<std::vector<std::string>> parse_accept_options(
    std::string_view json_text);

/// Marks failed items as accepted by a person: they stay listed and no longer count. All or none:
/// invalid_argument when one of `refs` names no failed item. Durable on return.
sdk::Status accept_failures(const std::vector<std::string>& refs,
                            const access::ArchiveWriter& archive, pipeline::Committer& committer,
                            sdk::Clock& clock, std::stop_token stop);

}  // namespace openarchiver::service
