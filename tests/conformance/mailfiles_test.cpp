#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <openarchiver/testkit/byte_streams.hpp>
#include <openarchiver/testkit/catch2.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <openarchiver/testkit/provider_checks.hpp>
#include <optional>
#include <set>

#include "conformance/schema_checks.hpp"
#include "mail_folders.hpp"
#include "mailfiles_support.hpp"
#include "plugin_library.hpp"

using namespace openarchiver;
using namespace openarchiver::tests;
namespace fs = std::filesystem;
using testkit::Effect;

namespace {

std::vector<std::string> accounts_of(Mail& mail) {
    const auto session = mail.open();
    REQUIRE(session);
    Accounts sink;
    const auto listing = (*session)->discover(std::nullopt, sink, {});
    INFO(testkit::outcome_of(listing));
    REQUIRE(listing);
    return sink.ids;
}

sdk::Errc discovery_error(Mail& mail) {
    const auto session = mail.open();
    REQUIRE(session);
    Accounts sink;
    const auto listing = (*session)->discover(std::nullopt, sink, {});
    REQUIRE_FALSE(listing);
    return listing.error().code;
}

void make_eml_tree(const fs::path& folder) {
    for (int i = 0; i < 12; ++i) {
        write_file(folder / (std::to_string(i) + ".eml"), message(std::to_string(i)));
    }
    write_file(folder / "Projects" / "Rome" / "plan.EML", message("plan"));
    write_file(folder / "Projects" / "50%.eml", message("percent"));
    write_file(folder / "Projects" / "caf\xe9.eml", message("latin"));
    write_file(folder / "Projects" / "notes.txt", "no mail");
    write_file(folder / "empty.eml", "");
    fs::create_directories(folder / "Empty");
}

void make_maildirs(const fs::path& maildir) {
    make_maildir(maildir);
    deliver(maildir, "1700000001.M1P1.host");
    deliver(maildir, "1700000002.M2P1.host");
    deliver_seen(maildir, "1700000003.M3P1.host", "S");
    deliver_seen(maildir, "1700000004.M4P1.host", "RS");
    make_maildir(maildir / ".Sent");
    deliver_seen(maildir / ".Sent", "1700000005.M5P1.host", "S");
    make_maildir(maildir / ".Projects.Rome");
    deliver_seen(maildir / ".Projects.Rome", "1700000006.M6P1.host", "S");
}

}  // namespace

TEST_CASE("The mailfiles provider keeps the contract on a tree of .eml files",
          "[conformance][mailfiles]") {
    Mail mail;
    make_eml_tree(mail.folder);
    const fs::path& folder = mail.folder;
    testkit::check_conformance(testkit::provider_checks(mail.fixture({
        {.name = "a file is added",
         .effect = Effect::item_added,
         .apply = [=] { write_file(folder / "Projects" / "new.eml", message("new")); }},
        {.name = "a file is added in a folder of its own",
         .effect = Effect::item_added,
         .apply = [=] { write_file(folder / "A" / "B" / "new.eml", message("new")); }},
        {.name = "a file is removed",
         .effect = Effect::item_removed,
         .apply = [=] { fs::remove(folder / "3.eml"); }},
        {.name = "the only file of a folder is removed",
         .effect = Effect::item_removed,
         .apply = [=] { fs::remove(folder / "Projects" / "Rome" / "plan.EML"); }},
        {.name = "a file has another content",
         .effect = Effect::item_changed,
         .apply = [=] { write_file(folder / "4.eml", message("another")); }},
        {.name = "a file that is no mail is added",
         .effect = Effect::nothing,
         .apply = [=] { write_file(folder / "notes.txt", "no mail"); }},
    })));
}

TEST_CASE("The mailfiles provider keeps the contract on a Maildir", "[conformance][mailfiles]") {
    Mail mail;
    make_maildirs(mail.folder);
    const fs::path& folder = mail.folder;
    testkit::check_conformance(testkit::provider_checks(mail.fixture({
        {.name = "a message is delivered",
         .effect = Effect::item_added,
         .apply = [=] { deliver(folder, "1700000009.M9P1.host"); }},
        {.name = "a message is removed",
         .effect = Effect::item_removed,
         .apply = [=] { fs::remove(folder / "cur" / "1700000003.M3P1.host:2,S"); }},
        {.name = "a message is moved to another folder",
         .effect = Effect::item_moved,
         .apply =
             [=] {
                 fs::rename(folder / "cur" / "1700000003.M3P1.host:2,S",
                            folder / ".Projects.Rome" / "cur" / "1700000003.M3P1.host:2,S");
             }},
        {.name = "a message is moved to a new folder",
         .effect = Effect::item_moved,
         .apply =
             [=] {
                 make_maildir(folder / ".New");
                 fs::rename(folder / ".Sent" / "cur" / "1700000005.M5P1.host:2,S",
                            folder / ".New" / "new" / "1700000005.M5P1.host");
             }},
        {.name = "a message is seen for the first time",
         .effect = Effect::nothing,
         .apply =
             [=] {
                 fs::rename(folder / "new" / "1700000001.M1P1.host",
                            folder / "cur" / "1700000001.M1P1.host:2,S");
             }},
        {.name = "the flags of a message change",
         .effect = Effect::nothing,
         .apply =
             [=] {
                 fs::rename(folder / "cur" / "1700000003.M3P1.host:2,S",
                            folder / "cur" / "1700000003.M3P1.host:2,FS");
             }},
    })));
}

TEST_CASE("The mailfiles provider keeps the contract on a spool of Maildirs",
          "[conformance][mailfiles]") {
    Mail mail;
    make_maildirs(mail.folder / "alice");
    make_maildirs(mail.folder / "bob");
    make_maildir(mail.folder / "empty");
    testkit::check_conformance(testkit::provider_checks(mail.fixture({
        {.name = "a user is added with a message",
         .effect = Effect::item_added,
         .apply =
             [&mail] {
                 make_maildir(mail.folder / "carol");
                 deliver(mail.folder / "carol", "1700000001.M1P1.host");
             }},
    })));
}

TEST_CASE("The mailfiles provider's schema is sound", "[conformance][mailfiles]") {
    testkit::check_conformance(conformance::schema_checks(mailfiles().config_schema(), {}));
    CHECK(built_plugin("mailfiles").info().id == "mailfiles");
    CHECK(built_plugin("mailfiles").storage_backend() == nullptr);
}

TEST_CASE("Paths decide which accounts there are", "[conformance][mailfiles]") {
    Mail mail;
    SECTION("a folder of .eml files is an account of its name") {
        make_eml_tree(mail.folder);
        CHECK(accounts_of(mail) == std::vector<std::string>{"mail"});
    }
    SECTION("a Maildir is an account of its name") {
        make_maildirs(mail.folder);
        CHECK(accounts_of(mail) == std::vector<std::string>{"mail"});
    }
    SECTION("a folder with Maildirs is a spool with an account for each folder") {
        make_maildirs(mail.folder / "user001@contoso.example");
        make_maildirs(mail.folder / "user002@contoso.example");
        fs::create_directories(mail.folder / "not-yet-complete" / "cur");
        fs::create_directories(mail.folder / ".snapshot");
        CHECK(accounts_of(mail) == std::vector<std::string>{"not-yet-complete",
                                                            "user001@contoso.example",
                                                            "user002@contoso.example"});
    }
    SECTION("loose .eml files in a spool are an account of its name") {
        make_maildirs(mail.folder / "alice");
        write_file(mail.folder / "loose.eml", message("loose"));
        CHECK(accounts_of(mail) == std::vector<std::string>{"alice", "mail"});
        const auto session = mail.open();
        CHECK(folders_of(**session, "mail").size() == 1);
        CHECK(items_of(**session, "mail", "mail") == std::vector<std::string>{"mail/loose.eml"});
    }
    SECTION("with an account set, everything is its") {
        make_maildirs(mail.folder / "one");
        make_eml_tree(mail.host.profile_folder() / "more");
        mail.config = R"({"paths": ["mail", "more"], "account": "alice@contoso.example"})";
        CHECK(accounts_of(mail) == std::vector<std::string>{"alice@contoso.example"});
        const auto session = mail.open();
        const auto folders = folders_of(**session, "alice@contoso.example");
        CHECK(folders.contains("mail/one"));
        CHECK(folders.contains("mail/one/.Sent"));
        CHECK(folders.contains("more/Projects"));
        CHECK(items_of(**session, "alice@contoso.example", "mail/one").size() == 4);
    }
    SECTION("single files belong to the account of their folder") {
        make_eml_tree(mail.folder);
        mail.config = R"({"paths": ["mail/1.eml", "mail/2.eml"]})";
        CHECK(accounts_of(mail) == std::vector<std::string>{"mail"});
        const auto session = mail.open();
        CHECK(items_of(**session, "mail", "mail") ==
              std::vector<std::string>{"mail/1.eml", "mail/2.eml"});
    }
    SECTION("two accounts of one name are refused") {
        make_eml_tree(mail.folder / "a" / "inbox");
        make_eml_tree(mail.folder / "b" / "inbox");
        mail.config = R"({"paths": ["mail/a/inbox", "mail/b/inbox"]})";
        CHECK(discovery_error(mail) == sdk::Errc::invalid_config);
        mail.config = R"({"paths": ["mail/a/inbox", "mail/b/inbox"], "account": "x"})";
        CHECK(discovery_error(mail) == sdk::Errc::invalid_config);
    }
    SECTION("a path below another one is refused") {
        make_eml_tree(mail.folder / "a");
        mail.config = R"({"paths": ["mail", "mail/a"]})";
        CHECK(discovery_error(mail) == sdk::Errc::invalid_config);
    }
    SECTION("a path that is not there is an outage, not an empty account") {
        CHECK(discovery_error(mail) == sdk::Errc::unavailable);
    }
    SECTION("a file that is no mail is refused") {
        write_file(mail.folder / "mbox", "From ");
        mail.config = R"({"paths": ["mail/mbox"]})";
        CHECK(discovery_error(mail) == sdk::Errc::invalid_config);
    }
}

TEST_CASE("A configuration that can't work is refused at once", "[conformance][mailfiles]") {
    Mail mail;
    for (const char* config :
         {"{}", R"({"paths": []})", R"({"paths": "mail"})", R"({"paths": [1]})",
          R"({"paths": [""]})", R"({"paths": ["mail"], "account": ""})", "nonsense"}) {
        mail.config = config;
        const auto session = mail.open();
        REQUIRE_FALSE(session);
        CHECK(session.error().code == sdk::Errc::invalid_config);
    }
}

TEST_CASE("Maildir++ subfolders form a tree with readable names", "[conformance][mailfiles]") {
    Mail mail;
    make_maildirs(mail.folder);
    make_maildir(mail.folder / ".Projects");
    make_maildir(mail.folder / ".Archive.2024");
    make_maildir(mail.folder / ".Entw&APw-rfe");
    make_maildir(mail.folder / ".R&-D");
    make_maildir(mail.folder / ".&ZeVnLIqe-.&2D3eAA-");
    const auto session = mail.open();
    REQUIRE(session);
    const auto folders = folders_of(**session, "mail");
    CHECK(folders.at("mail").display_name == "INBOX");
    CHECK(folders.at("mail").well_known_name == "inbox");
    CHECK(folders.at("mail").item_count == 4);
    CHECK(folders.at("mail/.Projects").parent_id.empty());
    CHECK(folders.at("mail/.Projects.Rome").display_name == "Rome");
    CHECK(folders.at("mail/.Projects.Rome").parent_id == "mail/.Projects");
    CHECK(folders.at("mail/.Projects.Rome").item_count == 1);
    CHECK(folders.at("mail/.Archive.2024").display_name == "Archive.2024");
    CHECK(folders.at("mail/.Archive.2024").parent_id.empty());
    CHECK(folders.at("mail/.Entw&APw-rfe").display_name == "Entw\xc3\xbcrfe");
    CHECK(folders.at("mail/.R&-D").display_name == "R&D");
    CHECK(folders.at("mail/.&ZeVnLIqe-.&2D3eAA-").display_name ==
          "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e.\xf0\x9f\x98\x80");
}

TEST_CASE("Bytes come as they are in the file", "[conformance][mailfiles]") {
    Mail mail;
    constexpr char kOdd[] = "a\r\nb\nc\rd\0e\xff\xfe no end";
    const std::string odd(kOdd, sizeof kOdd - 1);
    make_eml_tree(mail.folder);
    write_file(mail.folder / "odd.eml", odd);
    const auto session = mail.open();
    REQUIRE(session);
    CHECK(read_item(**session, "mail", "mail/odd.eml") == odd);
    CHECK(read_item(**session, "mail", "mail/empty.eml").empty());
    CHECK(read_item(**session, "mail", "mail/Projects/Rome/plan.EML") == message("plan"));
    CHECK(read_item(**session, "mail", "mail/Projects/50%25.eml") == message("percent"));
    CHECK(read_item(**session, "mail", "mail/Projects/caf%E9.eml") == message("latin"));
}

TEST_CASE("A message of a Maildir is found wherever it went since it was listed",
          "[conformance][mailfiles]") {
    Mail mail;
    make_maildirs(mail.folder);
    const auto session = mail.open();
    REQUIRE(session);
    REQUIRE(items_of(**session, "mail", "mail").size() == 4);
    fs::rename(mail.folder / "new" / "1700000001.M1P1.host",
               mail.folder / ".Sent" / "cur" / "1700000001.M1P1.host:2,S");
    CHECK(read_item(**session, "mail", "1700000001.M1P1.host") == message("1700000001.M1P1.host"));
    const auto fresh = mail.open();
    REQUIRE(fresh);
    CHECK(read_item(**fresh, "mail", "1700000006.M6P1.host") == message("1700000006.M6P1.host"));
}

TEST_CASE("A file that grows while it is read is to be read again", "[conformance][mailfiles]") {
    Mail mail;
    write_file(mail.folder / "a.eml", message("a"));
    const auto session = mail.open();
    REQUIRE(session);
    const auto reader = (*session)->open_content("mail", "mail/a.eml", {});
    REQUIRE(reader);
    testkit::Bytes buffer(100);
    REQUIRE((*reader)->read(buffer));
    write_file(mail.folder / "a.eml", message("a") + "more");
    const auto rest = testkit::read_all(**reader);
    REQUIRE_FALSE(rest);
    CHECK(rest.error().code == sdk::Errc::unavailable);
}

TEST_CASE("Symbolic links below a path are not followed", "[conformance][mailfiles]") {
    Mail mail;
    const fs::path outside = mail.host.profile_folder() / "outside";
    write_file(outside / "secret.eml", message("secret"));
    write_file(mail.folder / "a.eml", message("a"));
    fs::create_symlink(outside / "secret.eml", mail.folder / "link.eml");
    fs::create_directory_symlink(outside, mail.folder / "linked");
    REQUIRE(::mkfifo((mail.folder / "pipe.eml").c_str(), 0600) == 0);
    const auto session = mail.open();
    REQUIRE(session);
    CHECK(folders_of(**session, "mail").size() == 1);
    CHECK(items_of(**session, "mail", "mail") == std::vector<std::string>{"mail/a.eml"});
    for (const char* id : {"mail/link.eml", "mail/linked/secret.eml", "mail/pipe.eml"}) {
        CHECK(testkit::failed_with((*session)->open_content("mail", id, {}), sdk::Errc::not_found));
    }
    Items items;
    CHECK(testkit::failed_with(
        (*session)->sync_folder("mail", "mail/linked", std::nullopt, items, {}),
        sdk::Errc::not_found));
}

TEST_CASE("A folder that changed since its cursor is to be listed anew",
          "[conformance][mailfiles]") {
    Mail mail;
    make_maildirs(mail.folder);
    const auto session = mail.open();
    REQUIRE(session);
    Items first;
    REQUIRE((*session)->sync_folder("mail", "mail", std::nullopt, first, {}));
    REQUIRE(first.last);
    CHECK(std::ranges::is_sorted(first.ids));
    Items unchanged;
    REQUIRE((*session)->sync_folder("mail", "mail", first.last, unchanged, {}));
    CHECK(unchanged.ids.empty());
    CHECK(unchanged.last == first.last);
    deliver(mail.folder, "1700000009.M9P1.host");
    Items changed;
    CHECK(testkit::failed_with((*session)->sync_folder("mail", "mail", first.last, changed, {}),
                               sdk::Errc::cursor_expired));
    CHECK(changed.ids.empty());
}

TEST_CASE("An unmounted path makes nothing seem gone", "[conformance][mailfiles]") {
    Mail mail;
    make_eml_tree(mail.folder);
    const auto session = mail.open();
    REQUIRE(session);
    REQUIRE(items_of(**session, "mail", "mail").size() == 13);
    fs::rename(mail.folder, mail.host.profile_folder() / "elsewhere");
    Folders folders;
    Items items;
    CHECK(testkit::failed_with((*session)->probe("mail", {}), sdk::Errc::unavailable));
    CHECK(testkit::failed_with((*session)->list_folders("mail", std::nullopt, folders, {}),
                               sdk::Errc::unavailable));
    CHECK(testkit::failed_with((*session)->sync_folder("mail", "mail", std::nullopt, items, {}),
                               sdk::Errc::unavailable));
    CHECK(testkit::failed_with((*session)->open_content("mail", "mail/1.eml", {}),
                               sdk::Errc::unavailable));
    const auto checks = (*session)->check({});
    REQUIRE(checks);
    CHECK(checks->front().outcome == sdk::CheckOutcome::fail);
    CHECK(checks->front().code == sdk::Errc::unavailable);
}
