// All state of the simulator, and the request as the route handlers see it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "assertion.hpp"
#include "auth.hpp"
#include "delta_token.hpp"
#include "faults.hpp"
#include "limits.hpp"
#include "odata.hpp"
#include "options.hpp"
#include "request_log.hpp"
#include "route.hpp"
#include "settings.hpp"
#include "tenant.hpp"

namespace graph_simulator {

class Subscriptions;

struct World {
    explicit World(const Options& given);

    Options options;
    Settings settings;
    Tenant tenant;
    DeltaTokens delta_tokens;
    AccessTokens access_tokens;
    std::unique_ptr<AssertionVerifier> assertions;  // null without --client-cert
    Limits limits;
    FaultPlan faults;
    RequestLog log;
    std::vector<std::string> selects;        // $select lists that delta tokens refer to
    Subscriptions* subscriptions = nullptr;  // of the application
};

struct Call {
    Request request;
    std::string path;  // after the version, still encoded
    std::string query_text;
    Route route;
    Query query;
    Preferences preferences;
    std::string request_id;
    std::vector<std::string> roles;
    User* user = nullptr;  // the user the path names, when there is one

    bool has_role(std::initializer_list<std::string_view> names) const;

    std::string root() const { return request.origin + "/v1.0"; }

    std::string metadata() const { return root() + "/$metadata#"; }
};

}  // namespace graph_simulator
