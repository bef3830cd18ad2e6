#include <boost/json.hpp>
#include <openarchiver/testkit/catch2.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <openarchiver/testkit/provider_checks.hpp>

#include "conformance/schema_checks.hpp"
#include "plugin_library.hpp"
#include "support/simulator.hpp"

using namespace openarchiver;
using namespace openarchiver::tests;
namespace json = boost::json;
using microsoft365::test::Simulator;
using testkit::Effect;

namespace {

constexpr const char* kSecret = "simulated-secret-value";

std::string text(const json::value& value) {
    return std::string(value.as_string());
}

/// The first mailbox of the tenant, and messages of its inbox that a test may change.
struct Mailbox {
    explicit Mailbox(const Simulator& simulator) {
        const json::value tenant = simulator.get("tenant");
        const json::object& user = tenant.at("users").at(0).as_object();
        id = text(user.at("id"));
        std::string inbox;
        for (const json::value& folder : user.at("folders").as_array()) {
            if (text(folder.at("well_known")) == "inbox") {
                inbox = text(folder.at("id"));
            }
        }
        for (const json::value& message : user.at("messages").as_array()) {
            if (text(message.at("folder")) == inbox) {
                messages.push_back(text(message.at("id")));
            }
        }
    }

    std::string id;
    std::vector<std::string> messages;
};

}  // namespace

TEST_CASE("The microsoft365 provider keeps the contract on a simulated tenant",
          "[conformance][microsoft365]") {
    const auto simulator = Simulator::start({"--users", "2", "--messages", "30"});
    if (!simulator) {
        return;
    }
    testkit::HostFixture host;
    host.clock.set(std::chrono::system_clock::now());  // the simulated service has the real time
    REQUIRE(host.secrets.update("/client_secret", kSecret));
    const std::string config =
        json::serialize(json::object{{"tenant_id", "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f"},
                                     {"client_id", "c0ffee00-1111-4222-8333-444455556666"},
                                     {"authority_url", simulator->http()},
                                     {"graph_url", simulator->http()}});
    const Mailbox mailbox(*simulator);
    REQUIRE(mailbox.messages.size() > 4);
    const auto change = [&](const char* path, json::object body) {
        body["user"] = mailbox.id;
        return [&simulator, path = std::string(path), body = json::serialize(body)] {
            simulator->post(path, body);
        };
    };
    // Ids have a form of their own here: unknown ones are those of what is no longer there.
    change("delete", {{"message", mailbox.messages[3]}})();
    const std::string removed_folder =
        text(simulator
                 ->post("folders", json::serialize(json::object{
                                       {"op", "create"}, {"user", mailbox.id}, {"name", "Short"}}))
                 .at("id"));
    change("folders", {{"op", "delete"}, {"folder", removed_folder}})();
    testkit::check_conformance(testkit::provider_checks({
        .open =
            [&] { return built_plugin("microsoft365").provider()->open(config, host.services()); },
        .changes = {{.name = "a message is delivered",
                     .effect = Effect::item_added,
                     .apply = change("deliver", {{"folder", "inbox"}, {"count", 1}})},
                    {.name = "a message is deleted",
                     .effect = Effect::item_removed,
                     .apply = change("delete", {{"message", mailbox.messages[0]}})},
                    {.name = "a message is moved to another folder",
                     .effect = Effect::item_moved,
                     .apply = change("move",
                                     {{"message", mailbox.messages[1]}, {"folder", "sentitems"}})},
                    {.name = "a message is marked as read",
                     .effect = Effect::nothing,
                     .apply = change("touch", {{"message", mailbox.messages[2]}})},
                    {.name = "a message arrives in a folder that is not archived",
                     .effect = Effect::nothing,
                     .apply = change("deliver", {{"folder", "drafts"}, {"count", 1}})}},
        .logger = &host.logger,
        .secrets = {kSecret},
        .unknown_items = {mailbox.messages[3]},
        .unknown_folders = {removed_folder},
        .unknown_accounts = {"00000000-0000-4000-8000-000000000000", "../../users", "a/b"},
    }));
}

TEST_CASE("The configuration schema of microsoft365 keeps the contract",
          "[conformance][microsoft365]") {
    testkit::check_conformance(
        conformance::schema_checks(built_plugin("microsoft365").provider()->config_schema(),
                                   {"client_secret", "proxy_password"}));
}
