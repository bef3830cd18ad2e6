#include "settings.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <set>

namespace openarchiver::microsoft365 {
namespace {

constexpr std::string_view kIds = R"("tenant_id":"6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f",)"
                                  R"("client_id":"c0ffee00-1111-4222-8333-444455556666")";

sdk::Result<Settings> settings(const std::string& more) {
    return parse_settings("{" + std::string(kIds) + more + "}", "/profiles");
}

TEST_CASE("the schema asks for what people find in the portal, in that order", "[unit]") {
    const boost::json::object schema = boost::json::parse(config_schema()).as_object();
    const boost::json::object& properties = schema.at("properties").as_object();
    CHECK(properties.at("client_id").at("title") == "Application (Client) ID");
    CHECK(properties.at("tenant_id").at("title") == "Directory (Tenant) ID");
    CHECK(properties.at("client_secret").at("title") == "Client Secret Value");
    CHECK(properties.at("client_secret").at("writeOnly") == true);
    CHECK(schema.at("additionalProperties") == false);
    std::set<std::int64_t> orders;
    for (const auto& [name, property] : properties) {
        INFO(std::string(name));
        CHECK(orders.insert(property.at("x-order").as_int64()).second);
        CHECK_FALSE(property.at("title").as_string().empty());
        CHECK_FALSE(property.at("description").as_string().empty());
    }
}

TEST_CASE("defaults are those of the documentation", "[unit]") {
    const auto read = settings("");
    REQUIRE(read);
    CHECK(read->authority.url() == "https://login.microsoftonline.com");
    CHECK(read->graph.url() == "https://graph.microsoft.com");
    CHECK(read->requests_per_account == 4);
    CHECK(read->accounts_in_parallel == 32);
    CHECK(read->ca_file.empty());
}

TEST_CASE("each cloud has its own hosts", "[unit]") {
    CHECK(settings(R"(,"cloud":"global")")->authority.url() == "https://login.microsoftonline.com");
    CHECK(settings(R"(,"cloud":"global")")->graph.url() == "https://graph.microsoft.com");
    CHECK(settings(R"(,"cloud":"usgov")")->authority.url() == "https://login.microsoftonline.us");
    CHECK(settings(R"(,"cloud":"dod")")->authority.url() == "https://login.microsoftonline.us");
    CHECK(settings(R"(,"cloud":"usgov")")->graph.host == "graph.microsoft.us");
    CHECK(settings(R"(,"cloud":"dod")")->graph.host == "dod-graph.microsoft.us");
    CHECK(settings(R"(,"cloud":"china")")->graph.host == "microsoftgraph.chinacloudapi.cn");
    CHECK(settings(R"(,"cloud":"china")")->authority.host == "login.chinacloudapi.cn");
    CHECK_FALSE(settings(R"(,"cloud":"germany")"));
}

TEST_CASE("another endpoint is given by both addresses", "[unit]") {
    const auto read =
        settings(R"(,"authority_url":"http://127.0.0.1:1","graph_url":"http://localhost:2/",)"
                 R"("ca_file":"ca.pem")");
    REQUIRE(read);
    CHECK(read->graph.url() == "http://localhost:2");
    CHECK(read->ca_file == "/profiles/ca.pem");
    CHECK(settings(R"(,"ca_file":"/etc/ca.pem")")->ca_file == "/etc/ca.pem");
    CHECK_FALSE(settings(R"(,"graph_url":"https://example.org")"));
    CHECK_FALSE(
        settings(R"(,"authority_url":"http://example.org","graph_url":"https://example.org")"));
}

TEST_CASE("each way of signing in is told from the others", "[unit]") {
    using Kind = CredentialSettings::Kind;
    CHECK(settings("")->credential.kind == Kind::secret);
    const auto certificate = settings(R"(,"certificate":{"file":"client.pem"})");
    REQUIRE(certificate);
    CHECK(certificate->credential.kind == Kind::certificate);
    CHECK(certificate->credential.file == "/profiles/client.pem");
    CHECK(certificate->credential.algorithm == SigningAlgorithm::ps256);
    CHECK(settings(R"(,"certificate":{"file":"c","algorithm":"RS256"})")->credential.algorithm ==
          SigningAlgorithm::rs256);
    const auto federated = settings(R"(,"federated_token_file":"/run/token")");
    CHECK(federated->credential.kind == Kind::federated_token);
    CHECK(federated->credential.file == "/run/token");
}

TEST_CASE("a proxy is an address alone", "[unit]") {
    const auto read = settings(R"(,"proxy":"http://Proxy.example:3128","proxy_user":"archive")");
    REQUIRE(read);
    CHECK(read->proxy->origin.url() == "http://proxy.example:3128");
    CHECK(read->proxy->user == "archive");
    CHECK_FALSE(settings("")->proxy);
}

TEST_CASE("what can't work is refused with a word on it", "[unit]") {
    const std::vector<std::pair<std::string, std::string>> cases = {
        {R"(,"requests_per_account":5)", "requests_per_account"},
        {R"(,"requests_per_account":0)", "requests_per_account"},
        {R"(,"accounts_in_parallel":129)", "accounts_in_parallel"},
        {R"(,"client_secret_expires":"2027-02-30")", "client_secret_expires"},
        {R"(,"client_secret_expires":"soon")", "client_secret_expires"},
        {R"(,"accounts":{"include":"x"})", "accounts"},
        {R"(,"folders":{"groups":[]})", "folders"},
        {R"(,"certificate":{"file":"a"},"federated_token_file":"b")", "exclude each other"},
        {R"(,"certificate":{"file":"a","algorithm":"ES256"})", "PS256"},
        {R"(,"certificate":{"file":"a"},"client_secret_expires":"2027-01-31")", "remove it"},
        {R"(,"proxy":"https://proxy.example")", "plain http"},
        {R"(,"proxy":"proxy.example:3128")", "http://host:port"},
        {R"(,"proxy":"http://a:b@proxy.example")", "proxy_user"},
        {R"(,"proxy_user":"a")", "proxy"},
        {R"(,"proxy":"http://p:1","proxy_user":"a:b")", "colon"},
    };
    for (const auto& [more, word] : cases) {
        const auto read = settings(more);
        INFO(more);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == sdk::Errc::invalid_config);
        CHECK_THAT(read.error().message, Catch::Contains(word));
    }
    CHECK_FALSE(parse_settings(R"({"tenant_id":"common","client_id":"x"})", "/"));
    CHECK_FALSE(parse_settings("[]", "/"));
}

TEST_CASE("the secret is no part of the settings", "[unit]") {
    CHECK(settings(R"(,"client_secret_expires":"2027-01-31","accounts":{"include":["*@a"],)"
                   R"("exclude":["x@a"]},"folders":{"exclude":["junkemail"]})"));
}

}  // namespace
}  // namespace openarchiver::microsoft365
