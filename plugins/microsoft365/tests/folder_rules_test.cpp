#include "mail/folder_rules.hpp"

#include <catch2/catch.hpp>

#include "mail/folder_cursor.hpp"

namespace openarchiver::microsoft365 {
namespace {

FolderEntry folder(const std::string& id, const std::string& parent, const std::string& name) {
    FolderEntry entry;
    entry.id = id;
    entry.parent_id = parent;
    entry.display_name = name;
    return entry;
}

FolderTree german_mailbox() {
    FolderTree tree;
    tree.root_id = "root";
    for (const FolderEntry& entry :
         {folder("i", "root", "Posteingang"), folder("p", "i", "Projekte"), folder("q", "p", "X"),
          folder("d", "root", "Entwürfe"), folder("s", "root", "Synchronisierungsprobleme"),
          folder("c", "s", "Konflikte"), folder("h", "root", "Aufgezeichnete Unterhaltungen"),
          folder("o", "root", "Postausgang"), folder("t", "root", "Gelöschte Elemente"),
          folder("r", "", "Deletions"), folder("f", "root", "Suchordner"),
          folder("f1", "f", "Ungelesen"), folder("drafts-like", "root", "Drafts")}) {
        tree.folders.emplace(entry.id, entry);
    }
    FolderEntry search = folder("w", "i", "Weekly");
    search.search = true;
    tree.folders.emplace("w", search);
    tree.well_known = {{"msgfolderroot", "root"}, {"inbox", "i"},
                       {"drafts", "d"},           {"syncissues", "s"},
                       {"conflicts", "c"},        {"conversationhistory", "h"},
                       {"outbox", "o"},           {"deleteditems", "t"},
                       {"searchfolders", "f"},    {"recoverableitemsdeletions", "r"}};
    return tree;
}

std::map<std::string, bool> archived(const SelectionSettings& selection) {
    std::map<std::string, bool> result;
    for (const sdk::Folder& one : judge_folders(german_mailbox(), selection).folders) {
        result[one.id] = one.archived;
    }
    return result;
}

TEST_CASE("by default all folders are archived but five, told by role and not by name", "[unit]") {
    const auto result = archived({});
    CHECK(result.at("i"));
    CHECK(result.at("p"));
    CHECK(result.at("t"));
    CHECK(result.at("drafts-like"));
    CHECK_FALSE(result.at("d"));
    CHECK_FALSE(result.at("o"));
    CHECK_FALSE(result.at("s"));
    CHECK_FALSE(result.at("c"));
    CHECK_FALSE(result.at("h"));
    CHECK_FALSE(result.at("r"));
    CHECK_FALSE(result.contains("w"));
    CHECK_FALSE(result.contains("f"));
    CHECK_FALSE(result.contains("f1"));
}

TEST_CASE("folders are reported with their parents and roles", "[unit]") {
    for (const sdk::Folder& one : judge_folders(german_mailbox(), {}).folders) {
        if (one.id == "i") {
            CHECK(one.parent_id.empty());
            CHECK(one.well_known_name == "inbox");
        }
        if (one.id == "q") {
            CHECK(one.parent_id == "p");
            CHECK(one.well_known_name.empty());
        }
    }
}

TEST_CASE("folders are chosen by path, by role and by pattern", "[unit]") {
    CHECK(archived({.include = {"inbox"}, .exclude = {}}).at("q"));
    CHECK_FALSE(archived({.include = {"inbox"}, .exclude = {}}).at("t"));
    CHECK(archived({.include = {"posteingang/projekte"}, .exclude = {}}).at("q"));
    CHECK(archived({.include = {"Inbox/Projekte"}, .exclude = {}}).at("q"));
    CHECK_FALSE(archived({.include = {"Inbox/Projekte"}, .exclude = {}}).at("i"));
    CHECK_FALSE(archived({.include = {}, .exclude = {"inbox/*"}}).at("p"));
    CHECK(archived({.include = {}, .exclude = {"inbox/*"}}).at("i"));
    CHECK_FALSE(archived({.include = {"inbox"}, .exclude = {"Inbox/Projekte/X"}}).at("q"));
}

TEST_CASE("a folder left out by default is archived only when it is named", "[unit]") {
    CHECK(archived({.include = {"*", "drafts"}, .exclude = {}}).at("d"));
    CHECK(archived({.include = {"*", "drafts"}, .exclude = {}}).at("i"));
    CHECK_FALSE(archived({.include = {"*"}, .exclude = {}}).at("d"));
    CHECK(archived({.include = {"recoverableitemsdeletions"}, .exclude = {}}).at("r"));
    // The name of the role, not of a folder that happens to be called so.
    CHECK_FALSE(archived({.include = {"drafts"}, .exclude = {}}).at("drafts-like"));
}

TEST_CASE("a circle of parents does not hang", "[unit]") {
    FolderTree tree;
    tree.folders.emplace("a", folder("a", "b", "A"));
    tree.folders.emplace("b", folder("b", "a", "B"));
    CHECK(judge_folders(tree, {}).folders.size() == 2);
}

TEST_CASE("the cursor of the folders survives writing and reading", "[unit]") {
    FolderCursor cursor;
    cursor.delta_link = "https://graph.microsoft.com/v1.0/x?$deltatoken=a%2Bb";
    cursor.root_id = "root";
    cursor.well_known = {{"inbox", "i"}};
    cursor.left_out = {{"0123456789abcdef"}};
    cursor.selection = selection_digest({});
    const auto read = decode_folder_cursor(encode_folder_cursor(cursor));
    REQUIRE(read);
    CHECK(read->delta_link == cursor.delta_link);
    CHECK(read->root_id == "root");
    CHECK(read->well_known == cursor.well_known);
    CHECK(read->left_out == cursor.left_out);
    CHECK(read->selection == cursor.selection);

    for (int i = 0; i < 10'000; ++i) {
        cursor.left_out->insert("digest-number-" + std::to_string(i));
    }
    const sdk::Cursor large = encode_folder_cursor(cursor);
    CHECK(large.value.size() <= 64 * 1024);
    CHECK_FALSE(decode_folder_cursor(large)->left_out);

    CHECK_FALSE(decode_folder_cursor({.format = 2, .value = large.value}));
    CHECK_FALSE(decode_folder_cursor({.format = 1, .value = "no json"}));
    CHECK(selection_digest({}) != selection_digest({.include = {"a"}, .exclude = {}}));
    CHECK(selection_digest({.include = {"a"}, .exclude = {}}) !=
          selection_digest({.include = {}, .exclude = {"a"}}));
}

}  // namespace
}  // namespace openarchiver::microsoft365
