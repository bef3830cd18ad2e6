// The control endpoint: settings, log, metrics and dispatch. No authentication: loopback only.
#include <stdexcept>

#include "federated.hpp"
#include "routes.hpp"
#include "subscriptions.hpp"
#include "text.hpp"

namespace graph_simulator {
namespace {

Reply plain(const json::object& body, int status = 200) {
    Reply reply;
    reply.status = status;
    reply.body = json::serialize(body);
    reply.headers.set("Content-Type", "application/json");
    return reply;
}

json::object body_of(const Request& request) {
    if (request.body.empty())
        return {};
    boost::system::error_code error;
    json::value value = json::parse(view(request.body), error);
    if (error || !value.is_object())
        throw std::invalid_argument("the body is not a JSON object");
    return std::move(value.as_object());
}

/// What is registered on the application, changed while it runs.
void change_credentials(World& world, const json::object& body) {
    FederatedCredential& federated = federated_credential();
    for (const auto& [key, value] : body) {
        const std::string name = str(key);
        const std::string text = value.is_string() ? str(value.as_string()) : "";
        if (name == "client_cert")
            world.assertions = std::make_unique<AssertionVerifier>(text);
        else if (name == "federated_issuer")
            federated.issuer = text;
        else if (name == "federated_subject")
            federated.subject = text;
        else if (name == "federated_audience")
            federated.audience = text;
        else
            throw std::invalid_argument("credential '" + name + "' is unknown");
    }
}

Reply dispatch(World& world, const Request& request, std::string_view path, const Query& query,
               const std::function<void()>& shut_down) {
    const std::string_view name = path.substr(std::string_view("/control/").size());
    if (name == "faults" || name.starts_with("faults/"))
        return control_faults(world, request, name);
    if (request.method == "GET") {
        if (name == "tenant")
            return control_tenant(world, query);
        if (name == "settings")
            return plain(world.settings.to_json());
        if (name == "metrics")
            return plain(world.log.metrics());
        if (name == "subscriptions")
            return plain(world.subscriptions->to_json());
        if (name == "log") {
            const auto since = query.number("since", 0).value_or(0);
            const auto limit = query.number("limit", 1).value_or(200000);
            return plain(world.log.entries(static_cast<std::uint64_t>(since),
                                           static_cast<std::uint64_t>(limit)));
        }
    }
    if (request.method != "POST")
        throw std::invalid_argument("no such control call");
    const json::object body = body_of(request);
    if (name == "settings") {
        world.settings.apply(body);
        return plain(world.settings.to_json());
    }
    if (name == "subscriptions")
        return plain(world.subscriptions->control(body));
    if (name == "expire-tokens")
        world.access_tokens.expire_all();
    else if (name == "reset-metrics")
        world.log.reset_metrics();
    else if (name == "reset-limits")
        world.limits.forget();
    else if (name == "rotate-secret")
        world.options.client_secret = text_or(body, "secret", "");
    else if (name == "credentials")
        change_credentials(world, body);
    else if (name == "shutdown")
        shut_down();
    else
        return control_mutation(world, name, body);
    return plain({{"ok", true}});
}

}  // namespace

bool is_control_path(std::string_view path) {
    return path.starts_with("/control/");
}

Reply control(World& world, const Request& request, std::string_view path, std::string_view query,
              const std::function<void()>& shut_down) {
    try {
        return dispatch(world, request, path, Query::parse(query), shut_down);
    } catch (const std::exception& problem) {
        return plain({{"error", view(problem.what())}}, 400);
    } catch (const GraphError& problem) {
        return plain({{"error", view(problem.message)}}, 400);
    }
}

}  // namespace graph_simulator
