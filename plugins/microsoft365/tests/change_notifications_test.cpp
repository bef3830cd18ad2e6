#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "changes/notification_documents.hpp"
#include "changes/notification_proof.hpp"
#include "graph/graph_documents.hpp"
#include "settings.hpp"
#include "time_text.hpp"

namespace openarchiver::microsoft365 {
namespace {

using namespace std::chrono_literals;

const std::string kUrl = "https://archive.example.org/api/v1/sources/contoso/webhook";
const std::string kAccount = "2b6f3c8a-0d1e-4f2a-9b3c-4d5e6f708192";

std::string query_of(const NotificationProof& proof) {
    return proof.notification_url().substr(proof.notification_url().find('?') + 1);
}

TEST_CASE("a clientState proves its account, after a restart too", "[unit]") {
    const NotificationProof proof("the secret", kUrl);
    const std::string state = proof.client_state(kAccount);
    CHECK(state.size() <= 128);
    CHECK(state.find("secret") == std::string::npos);
    CHECK(proof.account_of(state) == kAccount);
    CHECK(NotificationProof("the secret", kUrl).account_of(state) == kAccount);

    CHECK_FALSE(NotificationProof("another secret", kUrl).account_of(state));
    CHECK_FALSE(NotificationProof("the secret", kUrl + "2").account_of(state));
    CHECK_FALSE(proof.account_of("x" + state));
    CHECK_FALSE(proof.account_of(state + "x"));
    CHECK_FALSE(proof.account_of(state.substr(0, state.size() - 1)));
    CHECK_FALSE(proof.account_of(proof.client_state("another").replace(0, 7, kAccount)));
    for (const char* const nothing : {"", ".", "..", "guessed", "2b6f3c8a"}) {
        CHECK_FALSE(proof.account_of(nothing));
    }
}

TEST_CASE("only what was sent to the address with its key is ours", "[unit]") {
    const NotificationProof proof("the secret", kUrl);
    CHECK(proof.notification_url().starts_with(kUrl + "?"));
    CHECK(proof.addressed_by(query_of(proof)));
    CHECK(proof.addressed_by(query_of(proof) + "&validationToken=a"));
    CHECK(proof.addressed_by("validationToken=a&" + query_of(proof)));
    CHECK_FALSE(proof.addressed_by(""));
    CHECK_FALSE(proof.addressed_by("key="));
    CHECK_FALSE(proof.addressed_by(query_of(proof) + "x"));
    CHECK_FALSE(proof.addressed_by(query_of(NotificationProof("another secret", kUrl))));
}

TEST_CASE("values of a query are decoded as forms are", "[unit]") {
    CHECK(query_value("a=1&b=Validation%3a+Testing%20%2B&c=", "b") == "Validation: Testing +");
    CHECK(query_value("a=1&b=2", "c") == std::nullopt);
    CHECK(query_value("ab=1&b=2", "b") == "2");
    CHECK(query_value("c=", "c") == "");
    CHECK(query_value("b", "b") == std::nullopt);
    for (const char* const broken : {"b=%", "b=%4", "b=%4g", "b=%-1", "b=% 1"}) {
        CHECK(query_value(broken, "b") == std::nullopt);
    }
}

TEST_CASE("a subscription names its mailbox, and is found again by it", "[unit]") {
    const NotificationProof proof("the secret", kUrl);
    const auto document =
        boost::json::parse(new_subscription(proof, kAccount, sdk::Timestamp(1'794'000'000'000ms)));
    CHECK(document.at("resource").as_string() == "/users/" + kAccount + "/messages");
    CHECK(document.at("expirationDateTime").as_string() == "2026-11-06T21:20:00Z");
    CHECK(document.at("notificationUrl").as_string() == proof.notification_url());
    CHECK(document.at("clientState").as_string() == proof.client_state(kAccount));
    // No content of mail is ever sent to the address.
    CHECK_FALSE(document.as_object().contains("includeResourceData"));

    CHECK(account_of_resource(subscribed_resource(kAccount)) == kAccount);
    CHECK(account_of_resource("Users/" + kAccount + "/Messages") == kAccount);
    for (const char* const other :
         {"", "/", "users", "/users/", "/users//messages", "/users/a", "/users/a/messages/b",
          "/users/a/mailFolders('inbox')/messages", "/groups/a/messages", "/me/messages"}) {
        CHECK(account_of_resource(other).empty());
    }
}

TEST_CASE("of notifications only what they prove and tell is read", "[unit]") {
    const auto both = parse_notifications(
        R"({"value":[{"subscriptionId":"s","clientState":"c","resourceData":{"id":"m"}},17,
            {"clientState":5,"lifecycleEvent":"missed"}]})");
    REQUIRE(both.size() == 2);
    CHECK(both[0].subscription_id == "s");
    CHECK(both[0].client_state == "c");
    CHECK(both[0].lifecycle_event.empty());
    CHECK(both[1].client_state.empty());
    CHECK(both[1].lifecycle_event == "missed");
    for (const char* const nothing : {"", "{", "[]", "{}", R"({"value":{}})", R"({"value":[]})"}) {
        CHECK(parse_notifications(nothing).empty());
    }
    CHECK(parse_notifications(std::string(100'000, '[')).empty());
}

TEST_CASE("lists of subscriptions show no clientState, and times with fractions", "[unit]") {
    const auto page = parse_subscriptions(
        R"({"value":[{"id":"a","applicationId":"c0ffee00","changeType":"created","clientState":null,
            "resource":"/users/u/messages","notificationUrl":"https://x/y?key=z",
            "lifecycleNotificationUrl":null,"expirationDateTime":"2026-11-06T21:20:00.1234567Z"}],
            "@odata.nextLink":"https://graph/next"})");
    REQUIRE(page);
    REQUIRE(page->entries.size() == 1);
    CHECK(page->next_link == "https://graph/next");
    CHECK(page->entries[0].notification_url == "https://x/y?key=z");
    CHECK(page->entries[0].lifecycle_url.empty());
    CHECK(page->entries[0].expires == sdk::Timestamp(1'794'000'000'123ms));
}

TEST_CASE("change notifications are asked for by default, and by https only", "[unit]") {
    const auto parsed = [](const std::string& more) {
        return parse_settings(R"({"tenant_id":"t","client_id":"c")" + more + "}", {});
    };
    REQUIRE(parsed(""));
    CHECK(parsed("")->change_notifications);
    CHECK(parsed("")->notifies_to(kUrl));
    CHECK_FALSE(parsed("")->notifies_to("http://archive.example.org/hook"));
    CHECK_FALSE(parsed(R"(,"change_notifications":false)")->change_notifications);
    CHECK_FALSE(parsed(R"(,"change_notifications":"no")"));
}

}  // namespace
}  // namespace openarchiver::microsoft365
