#include <catch2/catch.hpp>
#include <map>

#include "failure.hpp"
#include "http/base64.hpp"
#include "session.hpp"
#include "support/scripted_server.hpp"
#include "support/test_host.hpp"

namespace openarchiver::microsoft365 {
namespace {

using sdk::CheckOutcome;
using test::ReceivedRequest;
using test::Reply;
using test::ScriptedServer;

constexpr char kOneUser[] =
    R"({"value":[{"id":"u1","userPrincipalName":"a@b","mail":"a@b","userType":"Member"}]})";

/// The checks of a tenant whose token carries these claims, by name.
std::map<std::string, sdk::Check> checks_with(const std::string& claims, int inbox_status,
                                              const std::string& discovery = "{}") {
    ScriptedServer server([&](const ReceivedRequest& request) {
        if (request.target.ends_with("/token")) {
            return test::respond(200, R"({"expires_in":3599,"access_token":"e30.)" +
                                          encode_base64url(claims) + R"(.c2ln"})");
        }
        if (request.target.ends_with("/openid-configuration")) {
            // Never before TLS, a proxy and the address are known to be good.
            CHECK(request.field("Authorization").empty());
            return test::respond(200, discovery);
        }
        if (request.target == "/v1.0/") {
            CHECK(request.field("Authorization").empty());
            return test::respond(401, R"({"error":{"code":"InvalidAuthenticationToken"}})");
        }
        if (request.target.starts_with("/v1.0/users?")) {
            return test::respond(200, kOneUser);
        }
        return test::respond(inbox_status, inbox_status == 200
                                               ? R"({"id":"inbox"})"
                                               : R"({"error":{"code":"ErrorAccessDenied"}})");
    });
    test::TestHost host;
    Settings settings;
    settings.authority = settings.graph = split_url(server.url()).value().origin;
    settings.tenant_id = "tenant";
    settings.client_id = "client";
    Session session(std::move(settings), host.services());
    const auto checks = session.check({});
    REQUIRE(checks);
    std::map<std::string, sdk::Check> result;
    for (const sdk::Check& check : *checks) {
        result[check.name] = check;
    }
    return result;
}

TEST_CASE("mail that Exchange grants is no missing consent", "[unit]") {
    // RBAC for Applications: the grant never appears among the roles.
    auto checks = checks_with(R"({"roles":["User.Read.All"]})", 200);
    CHECK(checks["mailbox readable"].outcome == CheckOutcome::pass);
    CHECK(checks["Mail.Read consented"].outcome == CheckOutcome::unknown);
    CHECK_THAT(checks["Mail.Read consented"].detail, Catch::Contains("RBAC for Applications"));
    CHECK(checks["Mail.Read consented"].remedy.empty());
    CHECK(checks["User.Read.All consented"].outcome == CheckOutcome::pass);

    checks = checks_with(R"({"roles":["User.Read.All"]})", 403);
    CHECK(checks["Mail.Read consented"].outcome == CheckOutcome::fail);
    CHECK_THAT(checks["Mail.Read consented"].remedy,
               Catch::Contains("810c84a8-4a9e-49e6-bf7d-12d183f40d01") &&
                   Catch::Contains("az ad app permission"));
}

TEST_CASE("a larger permission serves as well", "[unit]") {
    auto checks = checks_with(R"({"roles":["Mail.ReadWrite","Directory.Read.All"]})", 200);
    CHECK(checks["Mail.Read consented"].outcome == CheckOutcome::pass);
    CHECK(checks["User.Read.All consented"].outcome == CheckOutcome::pass);
}

TEST_CASE("a page of a portal is not taken for the service", "[unit]") {
    auto checks = checks_with(R"({"roles":["Mail.Read"]})", 200, "<html>Sign in to the network");
    CHECK(checks["endpoint reachable"].outcome == CheckOutcome::fail);
    CHECK_THAT(checks["endpoint reachable"].remedy, Catch::Contains("portal"));
}

}  // namespace
}  // namespace openarchiver::microsoft365
