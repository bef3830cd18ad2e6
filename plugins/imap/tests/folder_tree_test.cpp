#include "folder_tree.hpp"

#include <catch2/catch.hpp>
#include <set>

using namespace openarchiver::imap;

namespace {

ListedMailbox mailbox(std::string name, std::set<std::string> attributes = {}) {
    return {.attributes = std::move(attributes), .separator = "/", .name = std::move(name)};
}

std::set<std::string> archived(const Connection::Listing& listing,
                               const FolderSelection& selection = {}, bool roles_are_told = true) {
    std::set<std::string> names;
    for (const FolderEntry& entry :
         make_folder_tree(listing, {}, roles_are_told, selection).entries) {
        if (entry.folder.archived) {
            names.insert(entry.mailbox);
        }
    }
    return names;
}

const Connection::Listing kGmail = {
    .mailboxes = {mailbox("INBOX"), mailbox("[Gmail]", {"\\NOSELECT"}),
                  mailbox("[Gmail]/All Mail", {"\\ALL"}), mailbox("[Gmail]/Drafts", {"\\DRAFTS"}),
                  mailbox("[Gmail]/Starred", {"\\FLAGGED"}), mailbox("[Gmail]/Spam", {"\\JUNK"}),
                  mailbox("Work"), mailbox("Work/Rome"), mailbox("shared/team")},
    .statuses = {},
    .foreign_prefixes = {"shared/"}};

}  // namespace

TEST_CASE("By default the user's own folders are archived, without drafts and mere views") {
    CHECK(archived(kGmail) ==
          std::set<std::string>{"INBOX", "[Gmail]/All Mail", "[Gmail]/Spam", "Work", "Work/Rome"});
}

TEST_CASE("A selection names roles and paths") {
    CHECK(archived(kGmail, {.include = {"work"}, .exclude = {}}) ==
          std::set<std::string>{"Work", "Work/Rome"});
    CHECK(archived(kGmail, {.include = {"*", "drafts"}, .exclude = {"junkemail", "Work/*"}}) ==
          std::set<std::string>{"INBOX", "[Gmail]/All Mail", "[Gmail]/Drafts", "Work"});
    CHECK(archived(kGmail, {.include = {"shared/team"}, .exclude = {}}) ==
          std::set<std::string>{"shared/team"});
    CHECK(archived(kGmail, {.include = {"*a*l*"}, .exclude = {}}).contains("[Gmail]/All Mail"));
}

TEST_CASE("Where a server tells no roles, usual names stand for them") {
    const Connection::Listing listing = {
        .mailboxes = {mailbox("inbox"), mailbox("drafts"), mailbox("Sent")},
        .statuses = {},
        .foreign_prefixes = {}};
    CHECK(archived(listing, {}, false) == std::set<std::string>{"INBOX", "Sent"});
    CHECK(archived(listing, {}, true) == std::set<std::string>{"INBOX", "Sent", "drafts"});
}

TEST_CASE("Parents that are not listed are made") {
    const Connection::Listing listing = {
        .mailboxes = {mailbox("a/b/c"), mailbox("/x")}, .statuses = {}, .foreign_prefixes = {}};
    const FolderTree tree = make_folder_tree(listing, {}, true, {});
    REQUIRE(tree.find("/a"));
    CHECK_FALSE(tree.find("/a")->folder.archived);
    REQUIRE(tree.find("/a/b/c"));
    CHECK(tree.find("/a/b/c")->folder.parent_id == "/a/b");
    CHECK(tree.find("/a/b/c")->folder.display_name == "c");
    REQUIRE(tree.find("//x"));
    CHECK(tree.find("//x")->folder.parent_id.empty());
}

TEST_CASE("Folders are known by the server's ids where it has them") {
    const Connection::Listing listing = {
        .mailboxes = {mailbox("a"), mailbox("a/b")},
        .statuses = {{"a/b", {.name = "a/b", .items = {{"MAILBOXID", "F1"}, {"MESSAGES", "3"}}}}},
        .foreign_prefixes = {}};
    const FolderTree tree =
        make_folder_tree(listing, {.message = "EMAILID", .folder = "MAILBOXID"}, true, {});
    REQUIRE(tree.find("F1"));
    CHECK(tree.find("F1")->folder.parent_id == "/a");
    CHECK(tree.find("F1")->folder.item_count == 3U);
}
