#include "mailbox_name.hpp"

#include <catch2/catch.hpp>

using namespace openarchiver::imap;

TEST_CASE("Names in modified UTF-7 are shown as what they mean") {
    CHECK(display_name("Entw&APw-rfe") == "Entw\xc3\xbcrfe");
    CHECK(display_name("R&-D") == "R&D");
    CHECK(display_name("&ZeVnLIqe-/&2D3eAA-") ==
          "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e/\xf0\x9f\x98\x80");
}

TEST_CASE("Names in nothing known are shown as they are") {
    for (const char* name : {"a&b", "&AP-", "&2D0-", "&3gA-", "&A!-"}) {
        CHECK(display_name(name) == name);
    }
    CHECK(display_name("caf\xe9\n") == "caf%E9%0A");
    CHECK(display_name("Entw\xc3\xbcrfe") == "Entw\xc3\xbcrfe");
}

TEST_CASE("Ids keep every byte of a name") {
    for (const std::string name : {"50%", "caf\xe9", "a\r\nb", "%41", "Entw\xc3\xbcrfe", "%"}) {
        CHECK(unescape_id(escape_id(name)) == name);
    }
    CHECK(escape_id("a\r\nb") == "a%0D%0Ab");
}
