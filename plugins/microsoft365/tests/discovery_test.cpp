#include "mail/discovery.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "session.hpp"
#include "support/collecting_sinks.hpp"
#include "support/simulator.hpp"
#include "support/test_host.hpp"

namespace openarchiver::microsoft365 {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using sdk::AccountState;
using sdk::Errc;
using test::Simulator;

/// A session on a simulated tenant, followed round by round.
struct Directory {
    explicit Directory(const Simulator& simulator_, Settings settings = {})
        : simulator(simulator_) {
        host.secrets.set("/client_secret", "simulated-secret-value");
        settings.tenant_id = "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f";
        settings.client_id = "c0ffee00-1111-4222-8333-444455556666";
        settings.authority = settings.graph = split_url(simulator.http()).value().origin;
        session = std::make_unique<Session>(
            std::move(settings), host.services(),
            RetrySettings{.attempts = 2, .first_wait = 10ms, .longest_wait = 50ms});
    }

    /// The accounts that a round reports, by id.
    std::map<std::string, sdk::Account> round() {
        test::Accounts accounts;
        const std::uint64_t before = host.metrics["requests"];
        auto listing = session->discover(cursor, accounts, {});
        INFO((listing ? "" : listing.error().message));
        REQUIRE(listing);
        requests = host.metrics["requests"] - before;
        complete = listing->complete;
        problems = listing->problems;
        cursor = listing->cursor;
        REQUIRE(cursor);
        std::map<std::string, sdk::Account> result;
        for (const sdk::Account& account : accounts.all) {
            CHECK(result.emplace(account.id, account).second);
        }
        return result;
    }

    void change(const std::string& user, const std::string& members) const {
        (void)simulator.post("users", R"({"user":")" + user + R"(",)" + members + "}");
    }

    [[nodiscard]] std::string id_of(std::size_t user) const {
        return std::string(
            simulator.get("tenant").at("users").at(user).at("id").as_string().c_str());
    }

    const Simulator& simulator;
    test::TestHost host;
    std::unique_ptr<Session> session;
    std::optional<sdk::Cursor> cursor;
    std::uint64_t requests = 0;
    bool complete = false;
    std::vector<sdk::Error> problems;
};

TEST_CASE("users are listed whole once a day, and followed by their changes", "[integration]") {
    const auto simulator = Simulator::start({"--users", "5", "--messages", "0"});
    if (!simulator) {
        return;
    }
    (void)simulator->post("settings", R"({"users_delta_page":2,"users_delta_partial":true})");
    Directory directory(*simulator);
    CHECK(directory.round().size() == 5);
    CHECK(directory.complete);

    SECTION("a quiet round costs one request") {
        CHECK(directory.round().empty());
        CHECK_FALSE(directory.complete);
        CHECK(directory.requests == 1);
    }
    SECTION("a change is told with all that the account is, though the service tells a part") {
        const std::string id = directory.id_of(1);
        directory.change(id, R"("op":"rename","upn":"else@contoso.example")");
        const auto changed = directory.round();
        REQUIRE(changed.size() == 1);
        CHECK(changed.at(id).address == "else@contoso.example");
        CHECK_FALSE(changed.at(id).display_name.empty());
        CHECK(changed.at(id).state == AccountState::available);
    }
    SECTION("removed, restored, removed for good") {
        const std::string id = directory.id_of(1);
        directory.change(id, R"("op":"remove")");
        const auto removed = directory.round();
        REQUIRE(removed.size() == 1);
        CHECK(removed.at(id).state == AccountState::deleted_upstream);
        CHECK_THAT(removed.at(id).reason, Catch::Contains("30 days"));
        CHECK(directory.session->find_account(id, {}).error().code == Errc::not_found);
        directory.change(id, R"("op":"restore")");
        CHECK(directory.round().at(id).state == AccountState::available);
        CHECK(directory.session->find_account(id, {}).value().state == AccountState::available);
        directory.change(id, R"("op":"remove","for_good":true)");
        const auto gone = directory.round();
        CHECK(gone.at(id).state == AccountState::deleted_upstream);
        CHECK_THAT(gone.at(id).reason, !Catch::Contains("30 days"));
    }
    SECTION("a replayed removal of a user that is back does not count") {
        const std::string id = directory.id_of(1);
        directory.change(id, R"("op":"remove")");
        const auto before = directory.cursor;
        CHECK(directory.round().at(id).state == AccountState::deleted_upstream);
        directory.change(id, R"("op":"restore")");
        directory.cursor = before;
        CHECK(directory.round().at(id).state == AccountState::available);
    }
    SECTION("the list is repeated after a day, and when the clock was set back") {
        directory.host.clock.advance(23h);
        CHECK(directory.round().empty());
        directory.host.clock.advance(61min);
        CHECK(directory.round().size() == 5);
        CHECK(directory.complete);
        CHECK(directory.round().empty());
        directory.host.clock.advance(-48h);
        CHECK(directory.round().size() == 5);
    }
    SECTION("and when the change token has expired, whatever the answer looks like") {
        for (const char* answer :
             {R"({"status":410,"code":"resyncRequired"})",
              R"({"status":400,"code":"Directory_ExpiredPageToken"})",
              R"({"status":404,"code":"syncStateNotFound"})", R"({"drop_links":true})"}) {
            INFO(answer);
            (void)simulator->post(
                "faults", R"({"match":{"route":"users_delta","nth":1},"times":1,"action":)" +
                              std::string(answer) + "}");
            CHECK(directory.round().size() == 5);
            CHECK(directory.complete);
            CHECK(directory.round().empty());
        }
        (void)simulator->post("expire-delta", "{}");
        CHECK(directory.round().size() == 5);
    }
    SECTION("a service that is down or refuses says nothing about anybody") {
        for (const auto& [answer, code] :
             {std::pair(R"({"status":503})", Errc::unavailable),
              std::pair(R"({"status":403,"code":"Authorization_RequestDenied"})",
                        Errc::permission_denied)}) {
            (void)simulator->post("faults",
                                  R"({"match":{"route":"users_delta"},"times":2,"action":)" +
                                      std::string(answer) + "}");
            test::Accounts accounts;
            const auto listing = directory.session->discover(directory.cursor, accounts, {});
            REQUIRE_FALSE(listing);
            CHECK(listing.error().code == code);
            CHECK(accounts.all.empty());
            simulator->clear_faults();
        }
    }
    SECTION("another configuration judges everybody anew") {
        Settings settings;
        settings.accounts.exclude = {"anna*"};
        Directory other(*simulator, settings);
        other.cursor = directory.cursor;
        const auto judged = other.round();
        CHECK(judged.size() == 5);
        CHECK(judged.at(directory.id_of(0)).state == AccountState::excluded);
    }
}

TEST_CASE("groups are read anew in every round", "[integration]") {
    const auto simulator = Simulator::start({"--users", "4", "--messages", "0"});
    if (!simulator) {
        return;
    }
    const json::value truth = simulator->get("tenant");
    const auto user = [&](std::size_t i) {
        return std::string(truth.at("users").at(i).at("id").as_string().c_str());
    };
    // The first group holds users 0 and 2, and the second group, with 0, 1 and 3.
    const std::string outer(truth.at("groups").at(0).at("id").as_string().c_str());
    const std::string inner(truth.at("groups").at(1).at("id").as_string().c_str());
    const auto state_of = [](const auto& accounts, const std::string& id) {
        const sdk::Account& account = accounts.at(id);
        return std::pair(account.state, account.undecided);
    };
    const std::pair archived(AccountState::available, false);
    const std::pair left_out(AccountState::excluded, false);

    SECTION("through other groups, and a change of members lists everybody") {
        Settings settings;
        settings.accounts.include_groups = {outer};
        Directory directory(*simulator, settings);
        auto all = directory.round();
        CHECK(state_of(all, user(0)) == archived);
        CHECK(state_of(all, user(3)) == archived);
        CHECK(directory.problems.empty());
        CHECK(directory.round().empty());
        CHECK(directory.requests == 2);
        (void)simulator->post(
            "groups", R"({"op":"set","group":")" + inner + R"(","users":[")" + user(1) + R"("]})");
        all = directory.round();
        REQUIRE(all.size() == 4);
        CHECK(state_of(all, user(1)) == archived);
        CHECK(state_of(all, user(3)) == left_out);
    }
    SECTION("a group that is gone or refused decides nothing and is a problem") {
        Settings settings;
        settings.accounts.include_groups = {inner};
        Directory directory(*simulator, settings);
        CHECK(state_of(directory.round(), user(2)) == left_out);
        (void)simulator->post("settings", R"({"roles":["Mail.Read","User.Read.All"]})");
        (void)simulator->post("expire-tokens", "{}");
        CHECK(directory.round().empty());
        REQUIRE(directory.problems.size() == 1);
        CHECK(directory.problems[0].code == Errc::permission_denied);
        CHECK_THAT(directory.problems[0].message, Catch::Contains("GroupMember.Read.All"));
        directory.cursor.reset();
        CHECK(state_of(directory.round(), user(0)) == std::pair(AccountState::excluded, true));
        (void)simulator->post("settings",
                              R"({"roles":["Mail.Read","User.Read.All","GroupMember.Read.All"]})");
        (void)simulator->post("expire-tokens", "{}");
        CHECK(state_of(directory.round(), user(0)) == archived);
        (void)simulator->post("groups", R"({"op":"delete","group":")" + inner + R"("})");
        CHECK(directory.round().empty());
        REQUIRE(directory.problems.size() == 1);
        CHECK(directory.problems[0].code == Errc::not_found);
        CHECK_THAT(directory.problems[0].message, Catch::Contains(inner));
    }
    SECTION("the check names the missing permission") {
        Settings settings;
        settings.accounts.include_groups = {inner};
        Directory directory(*simulator, settings);
        const auto readable = [&] {
            const auto checks = directory.session->check({});
            REQUIRE(checks);
            return *std::ranges::find(*checks, "groups readable", &sdk::Check::name);
        };
        CHECK(readable().outcome == sdk::CheckOutcome::pass);
        (void)simulator->post("settings", R"({"roles":["Mail.Read","User.Read.All"]})");
        CHECK(readable().outcome == sdk::CheckOutcome::fail);
        CHECK_THAT(readable().remedy, Catch::Contains("GroupMember.Read.All"));
    }
}

}  // namespace
}  // namespace openarchiver::microsoft365
