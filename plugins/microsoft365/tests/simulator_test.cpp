#include "support/simulator.hpp"

#include <openssl/evp.h>

#include <atomic>
#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <thread>

#include "failure.hpp"
#include "session.hpp"
#include "support/collecting_sinks.hpp"
#include "support/test_host.hpp"

namespace openarchiver::microsoft365 {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using sdk::Errc;
using test::Simulator;

std::string sha256(std::string_view content) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_Digest(content.data(), content.size(), digest, &size, EVP_sha256(), nullptr);
    std::string hex;
    for (unsigned i = 0; i < size; ++i) {
        constexpr char kHex[] = "0123456789abcdef";
        hex += kHex[digest[i] >> 4U];
        hex += kHex[digest[i] & 15U];
    }
    return hex;
}

Settings every_folder() {
    Settings settings;
    settings.max_lag = 0s;
    return settings;
}

/// A session on the simulated tenant, with what one pass over it found.
struct Tenant {
    /// By default no folder waits for signs of change: each test changes what it likes.
    explicit Tenant(const Simulator& simulator_, Settings settings = every_folder())
        : simulator(simulator_) {
        host.secrets.set("/client_secret", "simulated-secret-value");
        settings.tenant_id = "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f";
        settings.client_id = "c0ffee00-1111-4222-8333-444455556666";
        if (settings.graph.host.empty()) {
            settings.authority = settings.graph = split_url(simulator.http()).value().origin;
        }
        session = std::make_unique<Session>(
            std::move(settings), host.services(),
            RetrySettings{.attempts = 5, .first_wait = 10ms, .longest_wait = 50ms});
    }

    struct Folder {
        sdk::Folder folder;
        std::optional<sdk::Cursor> cursor;
        test::Items items;
    };

    struct Account {
        sdk::Account account;
        sdk::FolderListing listing;
        std::map<std::string, Folder> folders;
    };

    /// Discovery, folders and messages of every account, from the cursors of the pass before.
    void pass() {
        test::Accounts discovered;
        auto changes = session->discover(users, discovered, {});
        REQUIRE(changes);
        users = std::move(changes->cursor);
        for (const sdk::Account& one : discovered.all) {
            accounts[one.id].account = one;
        }
        for (auto& [account_id, account] : accounts) {
            const sdk::Account& one = account.account;
            if (one.state != sdk::AccountState::available) {
                continue;
            }
            test::Folders folders;
            auto listing = session->list_folders(one.id, account.listing.cursor, folders, {});
            if (!listing && listing.error().code == Errc::cursor_expired) {
                listing = session->list_folders(one.id, std::nullopt, folders, {});
            }
            INFO((listing ? "" : listing.error().message));
            REQUIRE(listing);
            account.listing = std::move(*listing);
            for (const auto& [id, folder] : folders.all) {
                account.folders[id].folder = folder;
            }
            if (account.listing.complete) {
                std::erase_if(account.folders, [&](const auto& entry) {
                    return !folders.all.contains(entry.first);
                });
            }
            for (auto& [id, folder] : account.folders) {
                if (folder.folder.archived) {
                    sync(one.id, id, folder);
                }
            }
        }
    }

    void sync(const std::string& account, const std::string& id, Folder& folder) {
        folder.items.clear();
        auto status = session->sync_folder(account, id, folder.cursor, folder.items, {});
        if (!status && status.error().code == Errc::cursor_expired) {
            ++relisted;
            folder.items.clear();
            status = session->sync_folder(account, id, std::nullopt, folder.items, {});
        }
        INFO((status ? "" : status.error().message));
        REQUIRE(status);
        if (folder.items.cursors.empty()) {
            REQUIRE(folder.cursor);
            ++quiet;
            return;
        }
        folder.cursor = folder.items.cursors.back();
    }

    [[nodiscard]] Account& account_named(const std::string& upn) {
        const json::value truth = simulator.get("tenant?user=" + upn);
        return accounts.at(std::string(truth.at("users").at(0).at("id").as_string()));
    }

    const Simulator& simulator;
    test::TestHost host;
    std::unique_ptr<Session> session;
    std::optional<sdk::Cursor> users;
    std::map<std::string, Account> accounts;
    int relisted = 0;
    int quiet = 0;  ///< folders that did not need a poll
};

/// Live messages outside of what is left out by default, by immutable id, with their digests.
std::map<std::string, std::string> expected_messages(const json::value& user) {
    std::map<std::string, bool> archived;
    std::map<std::string, std::string> parents;
    std::set<std::string> left_out;
    for (const json::value& folder : user.at("folders").as_array()) {
        const std::string id(folder.at("id").as_string());
        parents[id] = folder.at("parent").is_string() ? std::string(folder.at("parent").as_string())
                                                      : std::string();
        const std::string_view name = folder.at("well_known").as_string();
        if (folder.at("search").as_bool() || name == "drafts" || name == "outbox" ||
            name == "syncissues" || name == "conversationhistory" || name == "searchfolders" ||
            name == "recoverableitemsdeletions") {
            left_out.insert(id);
        }
    }
    std::map<std::string, std::string> result;
    for (const json::value& message : user.at("messages").as_array()) {
        bool out = message.at("deleted").as_bool();
        for (std::string id(message.at("folder").as_string()); !id.empty(); id = parents[id]) {
            out = out || left_out.contains(id);
        }
        if (!out) {
            result.emplace(std::string(message.at("id").as_string()),
                           std::string(message.at("sha256").as_string()));
        }
    }
    return result;
}

TEST_CASE("a whole tenant is listed and read byte for byte", "[integration]") {
    const auto simulator = Simulator::start({"--users", "3", "--messages", "60", "--folders", "5",
                                             "--extras", "--awkward-ids", "--page-size-max", "7"});
    if (!simulator) {
        return;
    }
    Tenant tenant(*simulator);
    tenant.pass();
    const json::value truth = simulator->get("tenant?sha256=1");
    std::size_t compared = 0;
    for (const json::value& user : truth.at("users").as_array()) {
        const std::string id(user.at("id").as_string());
        INFO(json::serialize(user.at("upn")));
        if (user.at("removed").as_bool()) {
            continue;
        }
        REQUIRE(tenant.accounts.contains(id));
        auto& account = tenant.accounts.at(id);
        if (account.account.state != sdk::AccountState::available) {
            continue;
        }
        if (user.at("mailbox") == "policy") {
            CHECK(account.listing.account_state == sdk::AccountState::closed_by_policy);
            continue;
        }
        if (user.at("mailbox") != "enabled") {
            CHECK(account.listing.account_state == sdk::AccountState::without_mailbox);
            continue;
        }
        CHECK(account.listing.account_state == sdk::AccountState::available);
        const auto expected = expected_messages(user);
        std::set<std::string> seen;
        for (auto& [folder_id, folder] : account.folders) {
            for (const std::string& item : folder.items.ids()) {
                INFO(folder.folder.display_name);
                REQUIRE(expected.contains(item));
                CHECK(seen.insert(item).second);
            }
        }
        CHECK(seen.size() == expected.size());
        // Four readers at a time, as the engine reads.
        std::vector<std::pair<std::string, std::string>> work(expected.begin(), expected.end());
        std::atomic<std::size_t> next = 0;
        std::atomic<std::size_t> equal = 0;
        {
            std::vector<std::jthread> readers;
            for (int i = 0; i < 6; ++i) {
                readers.emplace_back([&] {
                    for (std::size_t at = next++; at < work.size(); at = next++) {
                        auto reader = tenant.session->open_content(id, work[at].first, {});
                        if (!reader) {
                            continue;
                        }
                        const auto content = test::read_all(**reader);
                        equal += content && sha256(*content) == work[at].second ? 1 : 0;
                    }
                });
            }
        }
        CHECK(equal == work.size());
        compared += equal;
    }
    CHECK(compared >= 150);
    const json::value metrics = simulator->get("metrics");
    for (const auto& [mailbox, most] : metrics.at("max_in_flight").as_object()) {
        INFO(std::string(mailbox));
        CHECK(most.as_int64() <= 4);
    }
    CHECK(metrics.at("throttled").as_int64() == 0);
    CHECK(metrics.at("incomplete").as_int64() == 0);
}

TEST_CASE("a quiet tenant costs less than a request for each folder", "[integration]") {
    const auto simulator =
        Simulator::start({"--users", "4", "--messages", "30", "--folders", "3", "--extras"});
    if (!simulator) {
        return;
    }
    Tenant tenant(*simulator, Settings{});
    tenant.pass();
    tenant.pass();  // the counts are read
    CHECK(tenant.quiet == 0);
    std::size_t allowed = 1;
    for (const auto& [id, account] : tenant.accounts) {
        if (account.account.state == sdk::AccountState::available) {
            allowed += 1;
            allowed += static_cast<std::size_t>(std::ranges::count_if(
                account.folders, [](const auto& entry) { return entry.second.folder.archived; }));
        }
    }
    (void)simulator->post("reset-metrics", "{}");
    tenant.pass();
    const json::value metrics = simulator->get("metrics");
    CHECK(metrics.at("requests").as_int64() < static_cast<std::int64_t>(allowed));
    CHECK(tenant.quiet > 0);
    for (const auto& [id, account] : tenant.accounts) {
        for (const auto& [folder_id, folder] : account.folders) {
            CHECK(folder.items.all.empty());
            CHECK(folder.items.left.empty());
        }
    }
}

TEST_CASE("new mail, moves, removals and flags come as what they are", "[integration]") {
    const auto simulator = Simulator::start({"--users", "1", "--messages", "10"});
    if (!simulator) {
        return;
    }
    Tenant tenant(*simulator);
    tenant.pass();
    const json::value truth = simulator->get("tenant");
    const std::string upn(truth.at("users").at(0).at("upn").as_string());
    auto& account = tenant.account_named(upn);
    const auto folder_of = [&](std::string_view name) -> Tenant::Folder& {
        for (auto& [id, folder] : account.folders) {
            if (folder.folder.display_name == name) {
                return folder;
            }
        }
        throw std::runtime_error("no such folder");
    };
    const auto deliver = [&](const std::string& folder) {
        const json::value made =
            simulator->post("deliver", R"({"user":")" + upn + R"(","folder":")" + folder + R"("})");
        return std::string(made.at("messages").at(0).at("id").as_string());
    };
    const auto change = [&](const std::string& how, const std::string& message,
                            const std::string& more = "") {
        (void)simulator->post(
            how, R"({"user":")" + upn + R"(","message":")" + message + R"(")" + more + "}");
    };

    const std::string message = deliver("inbox");
    tenant.pass();
    REQUIRE(folder_of("Inbox").items.ids() == std::set<std::string>{message});
    const std::string tag = folder_of("Inbox").items.all.front().content_tag;
    CHECK_FALSE(tag.empty());

    change("move", message, R"(,"folder":"archive")");
    tenant.pass();
    CHECK(folder_of("Inbox").items.left == std::vector<std::string>{message});
    REQUIRE(folder_of("Archive").items.ids() == std::set<std::string>{message});
    CHECK(folder_of("Archive").items.all.front().content_tag == tag);

    change("touch", message);
    tenant.pass();
    for (const sdk::Item& item : folder_of("Archive").items.all) {
        CHECK((item.content_tag == tag || item.content_tag.empty()));
    }

    change("delete", message);
    tenant.pass();
    CHECK(folder_of("Archive").items.left == std::vector<std::string>{message});
    CHECK(tenant.session->open_content(account.account.id, message, {}).error().code ==
          Errc::not_found);
}

TEST_CASE("folders made, renamed, moved and deleted are followed", "[integration]") {
    const auto simulator = Simulator::start({"--users", "1", "--messages", "5", "--extras"});
    if (!simulator) {
        return;
    }
    Tenant tenant(*simulator);
    tenant.pass();
    const json::value truth = simulator->get("tenant");
    const std::string upn(truth.at("users").at(0).at("upn").as_string());
    auto& account = tenant.account_named(upn);
    const auto folders = [&](const std::string& more) {
        return std::string(simulator->post("folders", R"({"user":")" + upn + R"(",)" + more + "}")
                               .at("id")
                               .as_string());
    };
    const std::string parent = folders(R"("op":"create","name":"New","parent":"inbox")");
    const std::string child =
        folders(R"("op":"create","name":"Below","parent":")" + parent + R"(")");
    (void)simulator->post("deliver", R"({"user":")" + upn + R"(","folder":")" + child + R"("})");
    tenant.pass();
    REQUIRE(account.folders.contains(child));
    CHECK(account.folders.at(child).folder.parent_id == parent);
    CHECK(account.folders.at(child).items.all.size() == 1);
    CHECK_FALSE(account.listing.complete);

    (void)folders(R"("op":"rename","folder":")" + parent + R"(","name":"Renamed")");
    tenant.pass();
    CHECK(account.folders.at(parent).folder.display_name == "Renamed");

    (void)folders(R"("op":"move","folder":")" + parent + R"(","parent":"drafts")");
    tenant.pass();
    CHECK_FALSE(account.folders.at(parent).folder.archived);
    CHECK_FALSE(account.folders.at(child).folder.archived);

    (void)folders(R"("op":"delete","folder":")" + parent + R"(")");
    tenant.pass();
    CHECK_FALSE(account.folders.contains(parent));
    CHECK_FALSE(account.folders.contains(child));
}

TEST_CASE("expired change tokens lead to a new list with the same tags", "[integration]") {
    const auto simulator = Simulator::start({"--users", "1", "--messages", "25"});
    if (!simulator) {
        return;
    }
    Tenant tenant(*simulator);
    tenant.pass();
    std::map<std::string, std::string> before;
    for (const auto& [id, account] : tenant.accounts) {
        for (const auto& [folder_id, folder] : account.folders) {
            for (const sdk::Item& item : folder.items.all) {
                before[item.id] = item.content_tag;
            }
        }
    }
    CHECK_FALSE(before.empty());
    (void)simulator->post("expire-delta", "{}");
    tenant.pass();
    CHECK(tenant.relisted > 0);
    std::map<std::string, std::string> after;
    for (const auto& [id, account] : tenant.accounts) {
        for (const auto& [folder_id, folder] : account.folders) {
            for (const sdk::Item& item : folder.items.all) {
                after[item.id] = item.content_tag;
            }
        }
    }
    CHECK(after == before);
}

TEST_CASE("empty pages, replays and partial items change nothing", "[integration]") {
    const auto simulator =
        Simulator::start({"--users", "1", "--messages", "30", "--page-size-max", "4"});
    if (!simulator) {
        return;
    }
    (void)simulator->post("settings", R"({"empty_pages":true,"replay":3,"partial_flips":true})");
    Tenant tenant(*simulator);
    tenant.pass();
    const json::value truth = simulator->get("tenant?sha256=1");
    const auto expected = expected_messages(truth.at("users").at(0));
    std::map<std::string, std::string> tags;
    for (const auto& [id, account] : tenant.accounts) {
        for (const auto& [folder_id, folder] : account.folders) {
            for (const sdk::Item& item : folder.items.all) {
                CHECK(expected.contains(item.id));
                tags[item.id] = item.content_tag;
            }
        }
    }
    CHECK(tags.size() == expected.size());
    const std::string upn(truth.at("users").at(0).at("upn").as_string());
    for (const auto& [id, tag] : tags) {
        (void)simulator->post("touch", R"({"user":")" + upn + R"(","message":")" + id + R"("})");
    }
    tenant.pass();
    std::size_t flips = 0;
    for (const auto& [id, account] : tenant.accounts) {
        for (const auto& [folder_id, folder] : account.folders) {
            for (const sdk::Item& item : folder.items.all) {
                CHECK((item.content_tag.empty() || item.content_tag == tags.at(item.id)));
                ++flips;
            }
        }
    }
    CHECK(flips >= tags.size());
}

TEST_CASE("a draft that is sent keeps its id and gets another tag", "[integration]") {
    const auto simulator = Simulator::start({"--users", "1", "--messages", "3"});
    if (!simulator) {
        return;
    }
    Settings settings;
    settings.folders.include = {"*", "drafts"};
    Tenant tenant(*simulator, settings);
    const json::value truth = simulator->get("tenant");
    const std::string upn(truth.at("users").at(0).at("upn").as_string());
    const json::value made =
        simulator->post("deliver", R"({"user":")" + upn + R"(","folder":"drafts","draft":true})");
    const std::string id(made.at("messages").at(0).at("id").as_string());
    const auto tag = [&]() -> std::string {
        tenant.pass();
        for (const auto& [account_id, account] : tenant.accounts) {
            for (const auto& [folder_id, folder] : account.folders) {
                for (const sdk::Item& item : folder.items.all) {
                    if (item.id == id) {
                        return item.content_tag;
                    }
                }
            }
        }
        return {};
    };
    const std::string draft = tag();
    CHECK_FALSE(draft.empty());
    (void)simulator->post("send-draft", R"({"user":")" + upn + R"(","message":")" + id + R"("})");
    const std::string sent = tag();
    CHECK_FALSE(sent.empty());
    CHECK(sent != draft);
}

TEST_CASE("throttling is waited out and slows only its mailbox", "[integration]") {
    const auto simulator = Simulator::start({"--users", "2", "--messages", "10"});
    if (!simulator) {
        return;
    }
    (void)simulator->post("faults", R"({"match":{"route":"delta"},"times":3,)"
                                    R"("action":{"status":429,"code":"ApplicationThrottled",)"
                                    R"("headers":{"Retry-After":"1"}}})");
    Tenant tenant(*simulator);
    tenant.pass();
    const json::value metrics = simulator->get("metrics");
    std::uint64_t throttled = 0;
    for (const auto& [route, statuses] : metrics.at("routes").as_object()) {
        if (const json::value* count = statuses.as_object().if_contains("429")) {
            throttled += static_cast<std::uint64_t>(count->as_int64());
        }
    }
    CHECK(throttled == 3);
    CHECK(tenant.host.metrics["throttled"] == 3);
}

TEST_CASE("a content that is cut is never taken for whole", "[integration]") {
    const auto simulator = Simulator::start({"--users", "1", "--messages", "6"});
    if (!simulator) {
        return;
    }
    Tenant tenant(*simulator);
    tenant.pass();
    std::string account;
    std::string item;
    for (const auto& [id, one] : tenant.accounts) {
        for (const auto& [folder_id, folder] : one.folders) {
            if (!folder.items.all.empty()) {
                account = id;
                item = folder.items.all.front().id;
            }
        }
    }
    REQUIRE_FALSE(item.empty());
    const auto read = [&]() -> sdk::Result<std::string> {
        OPENARCHIVER_TRY(const auto reader, tenant.session->open_content(account, item, {}));
        return test::read_all(*reader);
    };
    const auto whole = read();
    REQUIRE(whole);
    for (const std::string action :
         {R"("close_after_bytes":100)", R"("reset_after_bytes":100)",
          R"("short_content_length":20)", R"("close_after_bytes":0)", R"("truncate_body":50)"}) {
        INFO(action);
        (void)simulator->post("faults", R"({"match":{"route":"value"},"times":1,"action":{)" +
                                            std::string(action) + "}}");
        const auto cut = read();
        if (std::string(action).find("truncate_body") == std::string::npos) {
            REQUIRE_FALSE(cut);
            CHECK(cut.error().code == Errc::unavailable);
        }
        simulator->clear_faults();
        CHECK(read().value() == *whole);
    }
}

TEST_CASE("expired tokens are renewed without anybody noticing", "[integration]") {
    const auto simulator = Simulator::start({"--users", "1", "--messages", "5"});
    if (!simulator) {
        return;
    }
    Tenant tenant(*simulator);
    tenant.pass();
    (void)simulator->post("expire-tokens", "{}");
    tenant.pass();
}

TEST_CASE("the preflight tells what is right and what to do about the rest", "[integration]") {
    const auto ca = std::filesystem::temp_directory_path() /
                    ("openarchiver-simulator-ca-" + std::to_string(getpid()) + ".pem");
    const auto simulator = Simulator::start(
        {"--users", "2", "--messages", "2", "--https", "0", "--write-ca", ca.string()});
    if (!simulator) {
        return;
    }
    const auto find = [](const std::vector<sdk::Check>& checks, std::string_view name) {
        for (const sdk::Check& check : checks) {
            if (check.name == name) {
                return check;
            }
        }
        throw std::runtime_error("no such check");
    };
    const auto settings = [&] {
        Settings result;
        result.authority = result.graph = split_url(simulator->https()).value().origin;
        result.ca_file = ca;
        return result;
    };
    using sdk::CheckOutcome;
    SECTION("all is well") {
        Settings given = settings();
        given.credential.secret_expires =
            std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()) +
            std::chrono::days(20);
        Tenant tenant(*simulator, given);
        const auto checks = tenant.session->check({});
        REQUIRE(checks);
        REQUIRE(checks->size() == 10);
        for (const sdk::Check& check : *checks) {
            INFO(check.name << ": " << check.detail);
            CHECK(check.outcome == CheckOutcome::pass);
            CHECK(check.remedy.empty() == (check.name != "credential expiry"));
        }
        tenant.pass();
    }
    SECTION("the secret is wrong") {
        Tenant tenant(*simulator, settings());
        tenant.host.secrets.set("/client_secret", "wrong");
        const auto checks = tenant.session->check({});
        REQUIRE(checks);
        CHECK(find(*checks, "endpoint reachable").outcome == CheckOutcome::pass);
        const sdk::Check token = find(*checks, "token obtained");
        CHECK(token.outcome == CheckOutcome::fail);
        CHECK(token.code == Errc::unauthenticated);
        CHECK_THAT(token.remedy, Catch::Contains("Secret ID"));
        CHECK_THAT(token.detail, !Catch::Contains("Secret ID"));
        test::Accounts accounts;
        const auto listing = tenant.session->discover({}, accounts, {});
        REQUIRE_FALSE(listing);
        CHECK(listing.error().code == Errc::unauthenticated);
        CHECK(listing.error().service_code == "AADSTS7000215");
    }
    SECTION("reading mail was not consented to") {
        (void)simulator->post("settings", R"({"roles":["User.Read.All"]})");
        Tenant tenant(*simulator, settings());
        const auto checks = tenant.session->check({});
        REQUIRE(checks);
        const sdk::Check consent = find(*checks, "Mail.Read consented");
        CHECK(consent.outcome == CheckOutcome::fail);
        CHECK(consent.code == Errc::permission_denied);
        CHECK_THAT(consent.remedy, Catch::Contains("810c84a8-4a9e-49e6-bf7d-12d183f40d01"));
        test::Accounts accounts;
        REQUIRE(tenant.session->discover({}, accounts, {}));
        test::Folders folders;
        const auto listing = tenant.session->list_folders(accounts.all.front().id, {}, folders, {});
        REQUIRE_FALSE(listing);
        CHECK(listing.error().code == Errc::permission_denied);
        CHECK_THAT(listing.error().message, Catch::Contains("Mail.Read"));
    }
    SECTION("listing users was not consented to") {
        (void)simulator->post("settings", R"({"roles":["Mail.Read"]})");
        Tenant tenant(*simulator, settings());
        const auto checks = tenant.session->check({});
        REQUIRE(checks);
        CHECK(find(*checks, "users listable").code == Errc::permission_denied);
        CHECK(find(*checks, "User.Read.All consented").outcome == CheckOutcome::fail);
        CHECK(find(*checks, "mailbox readable").outcome == CheckOutcome::unknown);
    }
    SECTION("the authority is not trusted") {
        Settings given = settings();
        given.ca_file.clear();
        Tenant tenant(*simulator, given);
        const auto checks = tenant.session->check({});
        REQUIRE(checks);
        CHECK(find(*checks, "endpoint reachable").outcome == CheckOutcome::pass);
        CHECK(find(*checks, "TLS trusted").outcome == CheckOutcome::fail);
        CHECK(find(*checks, "token obtained").outcome == CheckOutcome::fail);
    }
    std::filesystem::remove(ca);
}

}  // namespace
}  // namespace openarchiver::microsoft365
