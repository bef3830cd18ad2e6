#include "auth/entra_errors.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "failure.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;

struct Remedy {
    std::int64_t code;
    std::string_view text;
};

constexpr std::string_view kOurDefect =
    "This is a defect of the archiver: please report it with this code.";
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
    Remedy{7000216, "No credential was sent: set Client Secret Value."},
    Remedy{7000218, "No credential was sent: set Client Secret Value."},
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
    Remedy{500011, kGraphMissing},
    Remedy{650057, kGraphMissing},
    Remedy{50001, kGraphMissing},
    Remedy{
        700027,
        "The certificate used to sign is not (or no longer) registered on the application. "
        "Upload the public certificate under Certificates & secrets > Certificates, or renew it."},
    Remedy{700024,
           "This machine's clock is wrong, or the presented token is stale: synchronise the time "
           "(NTP)."},
    Remedy{50027, kOurDefect},
    Remedy{50013, kOurDefect},
    Remedy{50012, kOurDefect},
    Remedy{900384, kOurDefect},
    Remedy{700211, kFederation},
    Remedy{700212, kFederation},
    Remedy{700213, kFederation},
    Remedy{7002131, kFederation},
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
        const auto found = std::ranges::find(kRemedies, code, &Remedy::code);
        if (found != kRemedies.end()) {
            remedy = &*found;
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
    error.message =
        "no token: " + answered + ". " +
        (remedy != nullptr
             ? std::string(remedy->text)
             : "Check tenant, application and secret. The service says: " + failure_.description);
    return error;
}

}  // namespace openarchiver::microsoft365
