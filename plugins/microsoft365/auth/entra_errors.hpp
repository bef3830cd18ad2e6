#pragma once

#include <cstdint>
#include <openarchiver/sdk/error.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::microsoft365 {

/// An answer of the token endpoint that is no token.
struct EntraFailure {
    int status = 0;
    /// OAuth's word ("invalid_client"); empty where the body is not the endpoint's own.
    std::string error;
    /// The AADSTS numbers.
    std::vector<std::int64_t> codes;
    std::string trace_id;
    /// What the endpoint says without its trailing ids and times.
    std::string description;
    /// What it was shown (Proof::presented).
    std::string presented;
};

/// The error for an administrator: unauthenticated with what to do, or unavailable where waiting
/// helps. service_code is "AADSTS…", request_id the trace id.
sdk::Error to_error(const EntraFailure& failure);

/// What to do about a service_code ("AADSTS7000215"), or an empty text.
std::string_view remedy_of(std::string_view service_code);

}  // namespace openarchiver::microsoft365
