#include "folder_cursor.hpp"

#include <catch2/catch.hpp>

#include "item_id.hpp"

using namespace openarchiver;
using namespace openarchiver::imap;

TEST_CASE("A cursor comes back as it was") {
    FolderCursor cursor{.scheme = 'D',
                        .uid_validity = 7,
                        .next = 4294967295U,
                        .messages = 12,
                        .modseq = 715194045007ULL,
                        .known = {}};
    CHECK(FolderCursor::parse(cursor.text()) == cursor);
    cursor.known = UidSet();
    CHECK(FolderCursor::parse(cursor.text()) == cursor);
    cursor.known->add(1, 9);
    cursor.known->add(11);
    CHECK(FolderCursor::parse(cursor.text()) == cursor);
}

TEST_CASE("A folder with too many gaps goes without the list of them") {
    FolderCursor cursor;
    cursor.known.emplace();
    for (UidSet::Uid uid = 1; uid < 100'000; uid += 2) {
        cursor.known->add(uid);
    }
    const sdk::Cursor text = cursor.text();
    CHECK(text.value.size() < 65536);
    const auto parsed = FolderCursor::parse(text);
    REQUIRE(parsed);
    CHECK_FALSE(parsed->known);
}

TEST_CASE("What is no cursor is not read as one") {
    for (const char* value : {"", "D", "D 1 2 3", "D 1 0 3 4", "D 1 2 3 4 x", "D 1 2 3 x"}) {
        CHECK_FALSE(FolderCursor::parse({.format = 1, .value = value}));
    }
    CHECK_FALSE(FolderCursor::parse({.format = 2, .value = "D 1 2 3 4"}));
}

TEST_CASE("Ids by UID tell where the message is") {
    const auto item = parse_uid_item_id(uid_item_id(9, 5, "/a.b"));
    REQUIRE(item);
    CHECK(item->uid_validity == 9);
    CHECK(item->uid == 5);
    CHECK(item->folder_id == "/a.b");
    for (const char* id : {"", "U", "U1.2", "U1.0.x", "U1.2.", "D1.2.x", "Ua.2.x"}) {
        CHECK_FALSE(parse_uid_item_id(id));
    }
}
