#include "catalog/event.hpp"

#include <catch2/catch.hpp>

using namespace openarchiver;
using namespace openarchiver::catalog;

namespace {

EventGroup through_text(const EventGroup& group) {
    auto decoded = decode(encode(group));
    REQUIRE(decoded);
    return std::move(*decoded);
}

}  // namespace

TEST_CASE("an archived item survives the way through the log") {
    ItemArchived item;
    item.item = "AAkALgAA/+=";
    item.content_tag = "t1";
    item.media_type = "message/rfc822";
    item.folder = "inbox";
    item.content = archive::sha256("content");
    item.size = 1234567890123;
    item.place.pack = archive::sha256("pack");
    item.place.placement = {7, 42};
    item.place.composition_size = 99;
    item.place.parts = {{.id = archive::sha256("part"),
                         .size = 5'000'000'000,
                         .key = {std::byte{7}},
                         .wrapped = {std::byte{8}},
                         .pack = archive::sha256("another pack"),
                         .frame = 3}};
    item.received_at = sdk::Timestamp(std::chrono::milliseconds(1790668800123));
    item.message_id = "<a@b>";
    item.subject =
        "Gr\xC3\xBC\xC3\x9F"
        "e \xF0\x9F\x93\xAC";
    item.from = "\xFF broken \xC3";  // not UTF-8: must come back byte by byte all the same
    item.fidelity = Fidelity::reconstructed;

    const auto group =
        through_text({"contoso", "anna", {{sdk::Timestamp(std::chrono::milliseconds(5)), item}}});
    CHECK(group.source == "contoso");
    CHECK(group.account == "anna");
    REQUIRE(group.events.size() == 1);
    CHECK(group.events[0].at.time_since_epoch().count() == 5);
    const auto& read = std::get<ItemArchived>(group.events[0].body);
    CHECK(read.item == item.item);
    CHECK(read.content_tag == item.content_tag);
    CHECK(read.folder == item.folder);
    CHECK(read.content == item.content);
    CHECK(read.size == item.size);
    CHECK(read.place.pack == item.place.pack);
    CHECK(read.place.placement.frame == 7);
    CHECK(read.place.placement.offset == 42);
    CHECK(read.place.composition_size == 99);
    CHECK(read.place.parts == item.place.parts);
    CHECK(read.received_at == item.received_at);
    CHECK(read.subject == item.subject);
    CHECK(read.from == item.from);
    CHECK(read.fidelity == Fidelity::reconstructed);
}

TEST_CASE("leaves fit the items that they are of, and survive the way through the log") {
    ItemArchived item;
    item.item = "a";
    item.content = archive::sha256("content");
    std::vector<EventGroup> groups{{"contoso", "anna", {{{}, item}, {{}, ItemLeft{"a", "inbox"}}}},
                                   {"contoso", "bert", {{{}, item}}}};
    const auto leaves = add_leaves("archive", groups);
    REQUIRE(leaves.hashes.size() == 2);
    CHECK(std::get<LeavesAdded>(through_text({"", "", {{{}, leaves}}}).events[0].body).hashes ==
          leaves.hashes);
    for (const auto& group : groups) {
        const auto read = through_text(group);
        const auto& event = read.events[0];
        const auto& of = std::get<ItemArchived>(event.body);
        CHECK(leaves.hashes.at(of.leaf) ==
              evidence::commitment(of.salt, statement_of("archive", read, event.at, of)));
    }
    CHECK(std::get<ItemArchived>(groups[0].events[0].body).salt !=
          std::get<ItemArchived>(groups[1].events[0].body).salt);
}

TEST_CASE("a pack that replaces others survives the way through the log") {
    PackStored stored;
    stored.pack.id = archive::sha256("pack");
    stored.pack.size = 1000;
    stored.pack.frames = {{archive::KeyId{std::byte{2}}, 16, 90, 400}};
    stored.replaces = {{.id = archive::sha256("a"), .moved = {{{0, 7}, {3, 5'000'000'000}}}},
                       {.id = archive::sha256("b"), .moved = {}}};
    stored.takes = {{.id = archive::sha256("c"), .moved = {{{2, 9}, {0, 1}}}}};
    const auto group =
        through_text({"", "", {{sdk::Timestamp(std::chrono::milliseconds(5)), stored}}});
    const auto& read = std::get<PackStored>(group.events.at(0).body);
    CHECK(read.pack.frames == stored.pack.frames);
    REQUIRE(read.replaces.size() == 2);
    CHECK(read.replaces[0].id == archive::sha256("a"));
    REQUIRE(read.replaces[0].moved.size() == 1);
    CHECK(read.replaces[0].moved[0].from.offset == 7);
    CHECK(read.replaces[0].moved[0].to.frame == 3);
    CHECK(read.replaces[0].moved[0].to.offset == 5'000'000'000);
    CHECK(read.replaces[1].moved.empty());
    REQUIRE(read.takes.size() == 1);
    CHECK(read.takes[0].id == archive::sha256("c"));
    CHECK(read.takes[0].moved.at(0).from.offset == 9);
}

TEST_CASE("disposals survive the way through the log") {
    const auto when = sdk::Timestamp(std::chrono::milliseconds(5));
    const auto of_archive = through_text({"",
                                          "",
                                          {{when, RetentionApproved{R"([{"id":"a"}])", "ann@host"}},
                                           {when, Disposal{"d1",
                                                           DisposalCause::forget,
                                                           "",
                                                           "asked",
                                                           "ann@host",
                                                           {"r1", "r2"},
                                                           3,
                                                           5'000'000'000,
                                                           {std::byte{7}},
                                                           4}},
                                           {when, PackDropped{archive::sha256("pack")}}}});
    CHECK(std::get<RetentionApproved>(of_archive.events.at(0).body).definition ==
          R"([{"id":"a"}])");
    const auto& disposal = std::get<Disposal>(of_archive.events.at(1).body);
    CHECK(disposal.id == "d1");
    CHECK(disposal.cause == DisposalCause::forget);
    CHECK(disposal.reason == "asked");
    CHECK(disposal.by == "ann@host");
    CHECK(disposal.refs == std::vector<std::string>{"r1", "r2"});
    CHECK(disposal.versions == 3);
    CHECK(disposal.bytes == 5'000'000'000);
    CHECK(disposal.salt == evidence::LeafSalt{std::byte{7}});
    CHECK(disposal.leaf == 4);
    CHECK(std::get<PackDropped>(of_archive.events.at(2).body).id == archive::sha256("pack"));
    const auto of_account =
        through_text({"s", "a", {{when, ItemsDisposed{"d1", {{"m\xff", 2}, {"n", 1}}}}}});
    const auto& items = std::get<ItemsDisposed>(of_account.events.at(0).body);
    CHECK(items.disposal == "d1");
    REQUIRE(items.items.size() == 2);
    CHECK(items.items[0].id == "m\xff");
    CHECK(items.items[0].versions == 2);
}

TEST_CASE("cursors survive the way through the log whatever bytes they hold") {
    std::string value;
    for (int byte = 0; byte < 256; ++byte) {
        value.push_back(static_cast<char>(byte));
    }
    const auto group =
        through_text({"s",
                      "a",
                      {{{}, CursorAdvanced{CursorScope::folder, "f", sdk::Cursor{3, value}}},
                       {{}, CursorAdvanced{CursorScope::folders, "", std::nullopt}}}});
    const auto& cursor = std::get<CursorAdvanced>(group.events[0].body);
    REQUIRE(cursor.cursor);
    CHECK(cursor.cursor->format == 3);
    CHECK(cursor.cursor->value == value);
    const auto& forgotten = std::get<CursorAdvanced>(group.events[1].body);
    CHECK(forgotten.scope == CursorScope::folders);
    CHECK_FALSE(forgotten.cursor);
}

TEST_CASE("events of newer engines are skipped, damaged ones are refused") {
    const auto newer = decode(
        "{\"e\":\"of\",\"source\":\"s\",\"account\":\"a\"}\n{\"e\":\"teleported\",\"at\":1}\n"
        "{\"e\":\"left\",\"id\":\"x\",\"folder\":\"f\",\"at\":2,\"why\":\"new member\"}\n");
    REQUIRE(newer);
    REQUIRE(newer->events.size() == 1);
    CHECK(std::get<ItemLeft>(newer->events[0].body).item == "x");

    CHECK_FALSE(decode(""));
    CHECK_FALSE(decode("{\"e\":\"left\",\"id\":\"x\"}\n"));
    CHECK_FALSE(decode("{\"e\":\"of\",\"source\":\"s\"}\n{\"e\":\n"));
    CHECK_FALSE(decode("{\"e\":\"of\"}\n{\"e\":\"item\",\"id\":\"x\",\"content\":\"zz\"}\n"));
}

TEST_CASE("what people did survives the way through the log") {
    const EventGroup group = through_text(
        {"",
         "",
         {{sdk::Timestamp(std::chrono::milliseconds(1)),
           SourceDefined{.source = "contoso",
                         .definition = R"({"name":"C"})",
                         .secrets = {{"/client_secret", std::string("\0\xFF", 2)}},
                         .by = "api:anna"}},
          {sdk::Timestamp(std::chrono::milliseconds(2)), SourceRemoved{"contoso", "api:anna"}},
          {sdk::Timestamp(std::chrono::milliseconds(3)),
           SourcePaused{.source = "contoso", .paused = false, .by = "api:anna"}},
          {sdk::Timestamp(std::chrono::milliseconds(4)), Audited{.id = "0123",
                                                                 .by = "api:anna",
                                                                 .role = "auditor",
                                                                 .action = "search",
                                                                 .object = "x",
                                                                 .detail = "{}"}}}});
    REQUIRE(group.events.size() == 4);
    const auto& defined = std::get<SourceDefined>(group.events[0].body);
    CHECK(defined.definition == R"({"name":"C"})");
    CHECK(defined.secrets ==
          decltype(SourceDefined::secrets){{"/client_secret", std::string("\0\xFF", 2)}});
    CHECK(std::get<SourceRemoved>(group.events[1].body).by == "api:anna");
    CHECK_FALSE(std::get<SourcePaused>(group.events[2].body).paused);
    const auto& audited = std::get<Audited>(group.events[3].body);
    CHECK(audited.role == "auditor");
    CHECK(audited.action == "search");
    CHECK(audited.detail == "{}");
}
