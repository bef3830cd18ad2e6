// The federated identity credential of the application: whose tokens it takes, and about whom.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "assertion.hpp"

namespace graph_simulator {

struct FederatedCredential {
    std::string issuer;
    std::string subject;
    std::string audience = "api://AzureADTokenExchange";
    // PEM certificate with the issuer's key, which the real service fetches from the issuer.
    std::string certificate_file;
};

// The one of this program: it simulates one application.
FederatedCredential& federated_credential();

AssertionProblem check_federated(const FederatedCredential& credential, std::string_view assertion,
                                 std::int64_t now);

// The claim "iss", or nothing.
std::string assertion_issuer(std::string_view assertion);

}  // namespace graph_simulator
