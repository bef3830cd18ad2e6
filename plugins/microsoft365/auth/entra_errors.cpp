#include "auth/entra_errors.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>

#include "failure.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;

/// Whether what was presented, and the service's own words about it, help with the remedy.
enum class Show : std::uint8_t { remedy, comparison };

struct Remedy {
    std::int64_t code;
    std::string_view text;
    Show show = Show::remedy;
};

constexpr std::string_view kOurDefect =
    "This is a defect of the archiver: please report it with this code.";
constexpr std::string_view kNothingSent =
    "No credential was sent: set client_secret, certificate or federated_token_file.";
constexpr std::string_view kDisabled =
    "The application is disabled in this tenant: set Enterprise applications > (app) > Properties "
    "> Enabled for users to sign in to Yes.";
constexpr std::string_view kOtherCloud =
    "This tenant lives in a different national cloud: choose the matching cloud.";
constexpr std::string_view kSpecificTenant =
    "Enter the Directory (Tenant) ID itself instead of common, organizations or consumers.";
constexpr std::string_view kGraphMissing =
    "Microsoft Graph is not available to this application in this tenant: check the cloud and the "
    "API permissions.";
constexpr std::string_view kFederation =
    "No federated credential of the application matches: make its issuer, subject and audience "
    "identical to those of the presented token.";
constexpr std::string_view kAssertion =
    "The presented assertion was not understood. A federated token must come from the issuer as it "
    "is; with a certificate this is a defect of the archiver: please report it with this code.";
constexpr std::string_view kConsent =
    "Grant admin consent: App registrations > (app) > API permissions > Grant admin consent.";
constexpr std::string_view kPolicy = "The tenant's security policy blocks this application.";

constexpr std::array kRemedies = {
    Remedy{7000215,
           "The client secret is wrong. Paste the secret's Value from Certificates & secrets, not "
           "its Secret ID, and check that it belongs to this application."},
    Remedy{7000222,
           "The client secret has expired. Create a new one in App registrations > (app) > "
           "Certificates & secrets and enter its Value."},
    Remedy{7000216, kNothingSent},
    Remedy{7000218, kNothingSent},
    Remedy{
        700016,
        "The Application (Client) ID was not found in this tenant. Check it and the Directory "
        "(Tenant) ID; for a multi-tenant application, grant admin consent in this tenant first."},
    Remedy{7000112, kDisabled},
    Remedy{70001, kDisabled},
    Remedy{90002,
           "The tenant was not found. Check the Directory (Tenant) ID or domain, and that the "
           "selected cloud (global, US Government, China) is right."},
    Remedy{900023, "The Directory (Tenant) ID is neither a GUID nor a valid domain name."},
    Remedy{90038, kOtherCloud},
    Remedy{900382, kOtherCloud},
    Remedy{900432, kOtherCloud},
    Remedy{9001023, kSpecificTenant},
    Remedy{50059, kSpecificTenant},
    Remedy{50128, kSpecificTenant},
    Remedy{90019, kSpecificTenant},
    Remedy{50194, kSpecificTenant},
    Remedy{70011, "The Graph address does not belong to this cloud: check cloud or graph_url."},
    Remedy{1002012, kOurDefect},
    Remedy{700022, kOurDefect},
    Remedy{500011, kGraphMissing},
    Remedy{650057, kGraphMissing},
    Remedy{50001, kGraphMissing},
    Remedy{
        700027,
        "The certificate used to sign is not (or no longer) registered on the application. "
        "Upload the public certificate under Certificates & secrets > Certificates, or renew it.",
        Show::comparison},
    Remedy{700024,
           "This machine's clock is wrong, or the presented token is stale: synchronise the time "
           "(NTP).",
           Show::comparison},
    Remedy{50027, kAssertion, Show::comparison},
    Remedy{50013, kAssertion, Show::comparison},
    Remedy{50012, kAssertion, Show::comparison},
    Remedy{900384, kAssertion, Show::comparison},
    Remedy{700211, kFederation, Show::comparison},
    Remedy{700212, kFederation, Show::comparison},
    Remedy{700213, kFederation, Show::comparison},
    Remedy{7002131, kFederation, Show::comparison},
    Remedy{700025, "Register the application as a confidential client."},
    Remedy{53003,
           "A Conditional Access policy for workload identities blocks this application (often a "
           "location rule). Exclude the application or allow this machine's public address."},
    Remedy{530032, kPolicy},
    Remedy{530035, kPolicy},
    Remedy{50105, "Assign the application, or turn off Assignment required for the resource."},
    Remedy{501051, "Assign the application, or turn off Assignment required for the resource."},
    Remedy{65001, kConsent},
    Remedy{90094, kConsent},
    Remedy{650056, kConsent},
    Remedy{50034, "The service took this for a sign-in of a user: check the tenant."},
    Remedy{50196, kOurDefect},
};

constexpr std::array<std::int64_t, 7> kTransient = {90055, 90006, 90033, 90090,
                                                    50033, 90024, 90012};

const Remedy* find_remedy(std::int64_t code) {
    const auto* const found = std::ranges::find(kRemedies, code, &Remedy::code);
    return found == kRemedies.end() ? nullptr : found;
}

}  // namespace

sdk::Error to_error(const EntraFailure& failure_) {
    sdk::Error error;
    error.request_id = failure_.trace_id;
    const auto is_transient = [](std::int64_t code) {
        return std::ranges::find(kTransient, code) != kTransient.end();
    };
    const auto transient_code = std::ranges::find_if(failure_.codes, is_transient);
    const bool transient = failure_.status >= 500 || failure_.status == 429 ||
                           failure_.status == 408 || failure_.error == "temporarily_unavailable" ||
                           transient_code != failure_.codes.end();

    const Remedy* remedy = nullptr;
    for (const std::int64_t code : failure_.codes) {
        if (remedy = find_remedy(code); remedy != nullptr) {
            break;
        }
    }
    if (!failure_.codes.empty()) {
        const std::int64_t code = transient && transient_code != failure_.codes.end()
                                      ? *transient_code
                                  : remedy != nullptr ? remedy->code
                                                      : failure_.codes.front();
        error.service_code = "AADSTS" + std::to_string(code);
    } else {
        error.service_code = failure_.error;
    }

    const std::string answered = "the token endpoint answered " + std::to_string(failure_.status) +
                                 (error.service_code.empty() ? "" : " " + error.service_code);
    if (transient) {
        error.code = failure_.status == 429 ? Errc::rate_limited : Errc::unavailable;
        error.message = "no token yet: " + answered + "; the service is busy or failing for now";
        return error;
    }
    if (failure_.error.empty() && failure_.codes.empty()) {
        // Not an answer of the endpoint: a proxy, or a wrong address.
        error.code = Errc::unavailable;
        error.message = "no token: " + answered +
                        " with a body that is not its own; check the address and what is between "
                        "this machine and it";
        return error;
    }
    error.code = Errc::unauthenticated;
    error.message = "no token: " + answered + ". ";
    if (remedy == nullptr) {
        error.message += "Check tenant, application and credential. ";
    }
    if (remedy == nullptr || remedy->show == Show::comparison) {
        error.message += "The service says: " + failure_.description + ". ";
        if (!failure_.presented.empty()) {
            error.message += "Presented was " + failure_.presented + ". ";
        }
    }
    if (remedy != nullptr) {
        error.message += remedy->text;
    }
    return error;
}

std::string_view remedy_of(std::string_view service_code) {
    constexpr std::string_view kPrefix = "AADSTS";
    std::int64_t code = 0;
    if (!service_code.starts_with(kPrefix)) {
        return {};
    }
    service_code.remove_prefix(kPrefix.size());
    std::from_chars(service_code.data(), service_code.data() + service_code.size(), code);
    const Remedy* remedy = find_remedy(code);
    return remedy == nullptr ? std::string_view() : remedy->text;
}

}  // namespace openarchiver::microsoft365
