// The token service: POST TENANT/oauth2/v2.0/token and what clients ask before it.
#include <array>

#include "federated.hpp"
#include "routes.hpp"
#include "text.hpp"
#include "time_text.hpp"

namespace graph_simulator {
namespace {

struct KnownError {
    int code;
    int status;
    std::string_view error;
    std::string_view text;
};

constexpr std::array<KnownError, 27> kErrors = {{
    {7000215, 401, "invalid_client",
     "Invalid client secret provided. Ensure the secret being sent in the request is the client "
     "secret value, not the client secret ID, for a secret added to app"},
    {7000222, 401, "invalid_client", "The provided client secret keys are expired."},
    {7000216, 401, "invalid_client",
     "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' "
     "grant type."},
    {700016, 400, "unauthorized_client",
     "Application was not found in the directory. This can happen if the application has not been "
     "installed by the administrator of the tenant."},
    {7000112, 400, "unauthorized_client", "Application is disabled."},
    {90002, 400, "invalid_tenant",
     "Tenant not found. Check to make sure you have the correct tenant ID and are signing into the "
     "correct cloud."},
    {900023, 400, "invalid_request",
     "Specified tenant identifier is neither a valid DNS name, nor a valid external domain."},
    {9001023, 400, "invalid_request",
     "The grant type is not supported over the /common or /consumers endpoints. Please use the "
     "/organizations or tenant-specific endpoint."},
    {50059, 400, "invalid_request", "No tenant-identifying information found in the request."},
    {70011, 400, "invalid_scope", "The provided request must include a valid 'scope' parameter."},
    {1002012, 400, "invalid_scope",
     "The provided value for scope is not valid. Client credential flows must have a scope value "
     "with /.default suffixed to the resource identifier (application ID URI)."},
    {700022, 400, "invalid_request", "The scope parameter names more than one resource."},
    {500011, 400, "invalid_resource",
     "The resource principal was not found in the tenant. You might have sent your authentication "
     "request to the wrong tenant."},
    {700027, 401, "invalid_client", "Client assertion failed signature validation."},
    {700024, 401, "invalid_client", "Client assertion is not within its valid time range."},
    {700211, 401, "invalid_client", "No matching federated identity record found."},
    {700212, 401, "invalid_client", "No matching federated identity record found."},
    {700213, 401, "invalid_client", "No matching federated identity record found."},
    {50027, 401, "invalid_client", "JWT token is invalid or malformed."},
    {50013, 401, "invalid_client", "Assertion failed validation."},
    {900144, 400, "invalid_request", "The request body must contain the required parameter."},
    {70003, 400, "unsupported_grant_type", "The app requested an unsupported grant type."},
    {900561, 405, "invalid_request", "The endpoint only accepts POST requests."},
    {53003, 400, "invalid_grant",
     "Access has been blocked by Conditional Access policies. The access policy does not allow "
     "token issuance."},
    {50196, 400, "invalid_grant",
     "The server terminated an operation because it encountered a "
     "client request loop."},
    {90055, 429, "temporarily_unavailable", "The tenant is throttled."},
    {90033, 503, "temporarily_unavailable", "A transient error has occurred. Please try again."},
}};

struct TokenError {
    int code;
    std::string detail;  // replaces the known text
};

Reply error_reply(const Request& request, const TokenError& problem) {
    KnownError known{problem.code, 400, "invalid_request", "The request failed."};
    for (const KnownError& each : kErrors) {
        if (each.code == problem.code)
            known = each;
    }
    const std::string number = std::to_string(problem.code);
    const std::string trace = fresh_guid();
    const std::string* own = request.headers.find("client-request-id");
    const std::string correlation = own == nullptr ? fresh_guid() : *own;
    const std::string time = token_error_time(now_seconds());
    const std::string text = problem.detail.empty() ? std::string(known.text) : problem.detail;
    json::object body;
    body["error"] = view(known.error);
    body["error_description"] = view("AADSTS" + number + ": " + text + " Trace ID: " + trace +
                                     " Correlation ID: " + correlation + " Timestamp: " + time);
    body["error_codes"] = json::array{problem.code};
    body["timestamp"] = view(time);
    body["trace_id"] = view(trace);
    body["correlation_id"] = view(correlation);
    body["error_uri"] = view("https://login.microsoftonline.com/error?code=" + number);
    if (problem.code == 53003) {
        body["suberror"] = "message_only";
        body["claims"] = R"({"access_token":{"capolids":{"essential":true,"values":)"
                         R"(["01234567-89ab-cdef-fedc-ba9876543210"]}}})";
    }
    Reply reply;
    reply.status = known.status;
    reply.body = json::serialize(body);
    reply.headers.set("Content-Type", "application/json; charset=utf-8");
    reply.headers.set("Cache-Control", "no-store, no-cache");
    return reply;
}

using Form = std::vector<std::pair<std::string, std::string>>;

Form parse_form(std::string_view body) {
    Form form;
    for (const std::string_view part : split(body, '&')) {
        if (part.empty())
            continue;
        const auto equals = part.find('=');
        auto name = percent_decode(part.substr(0, equals), true);
        auto value = equals == std::string_view::npos
                         ? std::optional<std::string>("")
                         : percent_decode(part.substr(equals + 1), true);
        if (!name || !value)
            throw TokenError{900144, "The request body is malformed."};
        form.emplace_back(std::move(*name), std::move(*value));
    }
    return form;
}

std::string get(const Form& form, std::string_view name) {
    for (const auto& [key, value] : form) {
        if (key == name)
            return value;
    }
    return {};
}

std::string require(const Form& form, std::string_view name) {
    std::string value = get(form, name);
    if (value.empty()) {
        throw TokenError{900144, "The request body must contain the following parameter: '" +
                                     std::string(name) + "'."};
    }
    return value;
}

void check_tenant(const World& world, const std::string& tenant) {
    if (iequals(tenant, "common") || iequals(tenant, "consumers"))
        throw TokenError{9001023, {}};
    if (iequals(tenant, "organizations"))
        throw TokenError{50059, {}};
    if (iequals(tenant, world.options.tenant) || iequals(tenant, "contoso.example") ||
        iequals(tenant, "contoso.onmicrosoft.example")) {
        return;
    }
    if (!is_guid(tenant) && tenant.find('.') == std::string::npos) {
        throw TokenError{900023, "Specified tenant identifier '" + tenant +
                                     "' is neither a valid DNS name, nor a valid external domain."};
    }
    throw TokenError{90002, "Tenant '" + tenant +
                                "' not found. Check to make sure you have the correct tenant ID "
                                "and are signing into the correct cloud."};
}

void check_scope(const std::string& scope, const std::string& origin) {
    static constexpr std::string_view kSuffix = "/.default";
    if (scope.find(' ') != std::string::npos)
        throw TokenError{700022, {}};
    if (!scope.ends_with(kSuffix)) {
        throw TokenError{1002012, "The provided value for scope " + scope +
                                      " is not valid. Client credential flows must have a scope "
                                      "value with /.default suffixed to the resource identifier "
                                      "(application ID URI)."};
    }
    const std::string resource = scope.substr(0, scope.size() - kSuffix.size());
    for (const std::string_view known :
         {"https://graph.microsoft.com", "https://graph.microsoft.us",
          "https://dod-graph.microsoft.us", "https://microsoftgraph.chinacloudapi.cn"}) {
        if (resource == known || resource == std::string(known) + "/")
            return;
    }
    if (resource == origin)
        return;
    throw TokenError{500011,
                     "The resource principal named " + resource + " was not found in the tenant."};
}

struct Credentials {
    std::string client_id;
    std::string secret;
};

Credentials credentials(const Request& request, const Form& form) {
    Credentials out{get(form, "client_id"), get(form, "client_secret")};
    const std::string* header = request.headers.find("Authorization");
    if (header != nullptr && istarts_with(*header, "Basic ")) {
        const auto text = base64_decode(trim(std::string_view(*header).substr(6)));
        const auto colon = text ? text->find(':') : std::string::npos;
        if (colon == std::string::npos)
            throw TokenError{7000216, {}};
        // RFC 6749 2.3.1: both parts are form-encoded before they are joined.
        out.client_id = percent_decode(text->substr(0, colon), true).value_or("");
        out.secret = percent_decode(text->substr(colon + 1), true).value_or("");
    }
    if (out.client_id.empty()) {
        throw TokenError{900144,
                         "The request body must contain the following parameter: 'client_id'."};
    }
    return out;
}

bool check_credential(World& world, const Request& request, const Form& form,
                      const Credentials& given, const std::string& tenant) {
    const std::string assertion = get(form, "client_assertion");
    if (assertion.empty()) {
        if (given.secret.empty())
            throw TokenError{7000216, {}};
        if (given.secret != world.options.client_secret) {
            throw TokenError{7000215,
                             "Invalid client secret provided. Ensure the secret being sent "
                             "in the request is the client secret value, not the client "
                             "secret ID, for a secret added to app '" +
                                 world.options.client_id + "'."};
        }
        return false;
    }
    if (get(form, "client_assertion_type") !=
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer") {
        throw TokenError{50027, "The client_assertion_type is missing or wrong."};
    }
    const std::string issuer = assertion_issuer(assertion);
    if (!issuer.empty() && issuer != world.options.client_id) {
        const AssertionProblem problem =
            check_federated(federated_credential(), assertion, now_seconds());
        if (problem.code != 0)
            throw TokenError{problem.code, problem.detail};
        return true;
    }
    if (world.assertions == nullptr) {
        throw TokenError{700027, "No certificate is registered on the application."};
    }
    const AssertionProblem problem =
        world.assertions->check(assertion, request.origin + "/" + tenant + "/oauth2/v2.0/token",
                                world.options.client_id, now_seconds());
    if (problem.code != 0)
        throw TokenError{problem.code, problem.detail};
    return true;
}

Reply issue(World& world, const Request& request, const std::string& tenant) {
    if (request.method != "POST") {
        throw TokenError{900561, "The endpoint only accepts POST requests. Received a " +
                                     request.method + " request."};
    }
    const std::string* type = request.headers.find("Content-Type");
    if (type == nullptr || !istarts_with(*type, "application/x-www-form-urlencoded")) {
        throw TokenError{900144,
                         "The request body must contain the following parameter: "
                         "'grant_type'."};
    }
    check_tenant(world, tenant);
    const Form form = parse_form(request.body);
    if (require(form, "grant_type") != "client_credentials")
        throw TokenError{70003, {}};
    const Credentials given = credentials(request, form);
    const std::string scope = require(form, "scope");
    if (!iequals(given.client_id, world.options.client_id)) {
        throw TokenError{700016, "Application with identifier '" + given.client_id +
                                     "' was not found in the directory 'Contoso'. This can happen "
                                     "if the application has not been installed by the "
                                     "administrator of the tenant."};
    }
    check_scope(scope, request.origin);
    const bool certificate = check_credential(world, request, form, given, tenant);
    if (world.settings.token_error != 0) {
        throw TokenError{static_cast<int>(world.settings.token_error), {}};
    }
    json::object body;
    body["token_type"] = "Bearer";
    body["expires_in"] = world.settings.token_lifetime;
    body["ext_expires_in"] = world.settings.token_lifetime;
    body["access_token"] =
        view(world.access_tokens.issue({world.options.tenant, world.options.client_id, certificate},
                                       world.settings.roles, world.settings.token_lifetime));
    Reply reply;
    reply.body = json::serialize(body);
    reply.headers.set("Content-Type", "application/json; charset=utf-8");
    reply.headers.set("Cache-Control", "no-store, no-cache");
    return reply;
}

Reply discovery(const World& world, const Request& request, const std::string& tenant) {
    check_tenant(world, tenant);
    const std::string base = request.origin + "/" + tenant;
    json::object body;
    body["token_endpoint"] = view(base + "/oauth2/v2.0/token");
    body["token_endpoint_auth_methods_supported"] =
        json::array{"client_secret_post", "private_key_jwt", "client_secret_basic"};
    body["jwks_uri"] = view(base + "/discovery/v2.0/keys");
    body["response_modes_supported"] = json::array{"query", "fragment", "form_post"};
    body["subject_types_supported"] = json::array{"pairwise"};
    body["id_token_signing_alg_values_supported"] = json::array{"RS256"};
    body["response_types_supported"] = json::array{"code", "id_token"};
    body["scopes_supported"] = json::array{"openid", "profile", "email", "offline_access"};
    body["issuer"] = view(request.origin + "/" + world.options.tenant + "/v2.0");
    body["request_uri_parameter_supported"] = false;
    body["authorization_endpoint"] = view(base + "/oauth2/v2.0/authorize");
    body["device_authorization_endpoint"] = view(base + "/oauth2/v2.0/devicecode");
    body["end_session_endpoint"] = view(base + "/oauth2/v2.0/logout");
    body["tenant_region_scope"] = "EU";
    body["cloud_instance_name"] = "microsoftonline.com";
    body["msgraph_host"] = "graph.microsoft.com";
    Reply reply;
    reply.body = json::serialize(body);
    reply.headers.set("Content-Type", "application/json; charset=utf-8");
    return reply;
}

Reply instance_discovery(const Request& request) {
    const std::string host = request.origin.substr(request.origin.find("://") + 3);
    json::object cloud;
    cloud["preferred_network"] = view(host);
    cloud["preferred_cache"] = view(host);
    cloud["aliases"] = json::array{view(host)};
    json::object body;
    body["tenant_discovery_endpoint"] =
        view(request.origin + "/common/v2.0/.well-known/openid-configuration");
    body["api-version"] = "1.1";
    body["metadata"] = json::array{std::move(cloud)};
    Reply reply;
    reply.body = json::serialize(body);
    reply.headers.set("Content-Type", "application/json; charset=utf-8");
    return reply;
}

}  // namespace

bool is_token_path(std::string_view path) {
    return !path.starts_with("/v1.0");
}

std::string_view token_route_name(std::string_view path) {
    if (path.ends_with("/oauth2/v2.0/token"))
        return "token";
    if (path.ends_with("/openid-configuration") || path.starts_with("/common/discovery/")) {
        return "discovery";
    }
    return "unknown";
}

Reply token_service(World& world, const Request& request, std::string_view path,
                    std::string_view query) {
    (void)query;
    const auto parts = split(path.substr(std::min<std::size_t>(1, path.size())), '/');
    const std::string tenant = percent_decode(parts[0], false).value_or("");
    const std::string rest(path.substr(std::min(path.size(), parts[0].size() + 1)));
    try {
        if (rest == "/oauth2/v2.0/token")
            return issue(world, request, tenant);
        if (rest == "/v2.0/.well-known/openid-configuration")
            return discovery(world, request, tenant);
        if (rest == "/discovery/instance")
            return instance_discovery(request);
    } catch (const TokenError& problem) {
        return error_reply(request, problem);
    }
    Reply reply;
    reply.status = 404;
    reply.body = "<html><body>Not found</body></html>";
    reply.headers.set("Content-Type", "text/html");
    return reply;
}

}  // namespace graph_simulator
