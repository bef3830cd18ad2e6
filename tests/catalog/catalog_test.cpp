#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <fstream>
#include <thread>
#include <vector>

#include "catalog/catalog_reader.hpp"
#include "catalog/catalog_writer.hpp"
#include "catalog/database.hpp"
#include "catalog/schema.hpp"

using namespace openarchiver;
using namespace openarchiver::catalog;
using sdk::Timestamp;
using std::chrono::milliseconds;

namespace {

class TemporaryFolder {
public:
    TemporaryFolder() {
        char name[] = "/tmp/openarchiver-catalog-XXXXXX";
        path = mkdtemp(name);
    }

    ~TemporaryFolder() { std::filesystem::remove_all(path); }

    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    std::filesystem::path path;
};

Timestamp at(std::int64_t ms) {
    return Timestamp(milliseconds(ms));
}

constexpr const char* kArchive = "0123456789abcdef0123456789abcdef";

archive::PackInfo a_pack() {
    archive::PackInfo pack;
    pack.id = archive::sha256("pack");
    pack.size = 100;
    pack.frames = {{archive::KeyId{std::byte{1}}, 8, 50, 70},
                   {archive::KeyId{std::byte{2}}, 58, 42, 90}};
    return pack;
}

ItemArchived an_item(const std::string& id, const std::string& tag, const std::string& content) {
    ItemArchived item;
    item.item = id;
    item.content_tag = tag;
    item.media_type = "message/rfc822";
    item.folder = "inbox";
    item.content = archive::sha256(content);
    item.size = content.size();
    item.place.pack = a_pack().id;
    item.place.placement = {1, 3};
    item.subject = "about " + id;
    item.from = "Anna <anna@contoso.example>";
    return item;
}

sdk::Folder a_folder(const std::string& id, const std::string& parent, const std::string& name) {
    sdk::Folder folder;
    folder.id = id;
    folder.parent_id = parent;
    folder.display_name = name;
    return folder;
}

struct Opened {
    TemporaryFolder folder;
    std::unique_ptr<CatalogWriter> writer = std::move(*CatalogWriter::open(folder.path, kArchive));
    std::unique_ptr<CatalogReader> reader = std::move(*CatalogReader::open(folder.path));
    std::uint64_t sequence = 0;

    void apply_archive(std::vector<Event> events) {
        const std::vector<EventGroup> groups{{"", "", std::move(events)}};
        REQUIRE(writer->apply("w", {++sequence, archive::sha256("x")}, groups, {}));
    }

    void apply(std::vector<Event> events, std::vector<Note> notes = {}) {
        std::vector<EventGroup> groups{{"", "", {{at(1), PackStored{a_pack()}}}},
                                       {"contoso", "anna", std::move(events)}};
        REQUIRE(writer->apply("w", {++sequence, archive::sha256("x")}, groups, notes));
    }

    AccountRecord account() { return reader->accounts("contoso")->at(0); }

    KnownItem known(const std::string& id, const std::string& folder_id) {
        const auto found = reader->find_item(account().key, id, folder_id);
        REQUIRE(found);
        REQUIRE(*found);
        return **found;
    }

    std::vector<VersionRecord> all_versions(const ItemFilter& filter = {}) {
        std::vector<VersionRecord> records;
        REQUIRE(reader->visit_versions(filter, [&](const VersionRecord& r) {
            records.push_back(r);
            return sdk::Status();
        }));
        return records;
    }
};

}  // namespace

TEST_CASE("an item delivered twice is one item with one version") {
    Opened c;
    c.apply({{at(10), an_item("m1", "t", "bytes")}, {at(11), an_item("m1", "t", "bytes")}});
    c.apply({{at(12), an_item("m1", "t", "bytes")}});
    const auto versions = c.all_versions();
    REQUIRE(versions.size() == 1);
    CHECK(versions[0].version == 1);
    CHECK(versions[0].archived_at == at(10));
    CHECK(versions[0].content == archive::sha256("bytes"));
    CHECK(c.reader->stored(versions[0].content_key)->placement.frame == 1);
    CHECK(versions[0].ref == item_ref("contoso", "anna", "m1"));
    CHECK(c.reader->totals()->items == 1);
    CHECK(c.reader->history(versions[0].item_key)->size() == 1);
}

TEST_CASE("what a replaced pack held is found in the other, also when events are applied again") {
    Opened c;
    auto item = an_item("m1", "t", "bytes");
    item.place.composition_size = 20;
    item.place.parts = {{.id = archive::sha256("part"),
                         .size = 60,
                         .key = {std::byte{9}},
                         .wrapped = {std::byte{8}},
                         .pack = a_pack().id,
                         .frame = 0}};
    c.apply({{at(10), item}});
    archive::PackInfo larger;
    larger.id = archive::sha256("larger");
    larger.size = 500;
    larger.frames = {{archive::KeyId{std::byte{2}}, 16, 90, 400},
                     {archive::KeyId{std::byte{9}}, 106, 42, 70}};
    const PackStored stored{
        .pack = larger,
        .replaces = {{.id = a_pack().id, .moved = {{{0, 0}, {1, 0}}, {{1, 0}, {0, 250}}}}}};
    for (int times = 0; times < 2; ++times) {  // Opened applies a_pack() again, too
        const std::vector<EventGroup> groups{{"", "", {{at(20), stored}}}};
        REQUIRE(c.writer->apply("w", {++c.sequence, archive::sha256("x")}, groups));
        c.apply({{at(21), item}, {at(22), an_item("m2", "t", "bytes")}});
        const auto content = c.reader->stored(c.all_versions().at(0).content_key);
        REQUIRE(content);
        CHECK(content->pack.id == larger.id);
        CHECK(content->placement.frame == 0);
        CHECK(content->placement.offset == 253);
        REQUIRE(content->parts.size() == 1);
        CHECK(content->parts[0].pack.id == larger.id);
        CHECK(content->parts[0].frame == 1);
        CHECK(content->parts[0].key == archive::KeyId{std::byte{9}});
        CHECK(c.writer->find_content("contoso", "anna", item.content)->value().pack == larger.id);
        CHECK(c.writer->find_part("contoso", "bo", archive::sha256("part"))->value().part.frame ==
              1);
        CHECK(c.reader->totals()->packs == 1);
        CHECK(c.reader->find_pack(a_pack().id)->value().replaced_at == at(20));
        CHECK(c.reader->find_pack(larger.id)->value().replaced_at == sdk::Timestamp{});
        CHECK_FALSE(*c.reader->find_pack(archive::sha256("another")));
    }
}

TEST_CASE("of a pack that was written anew each content moved by its own way") {
    Opened c;
    auto second = an_item("m2", "t", "other bytes");
    second.place.placement.offset = 50;
    c.apply({{at(10), an_item("m1", "t", "bytes")}, {at(10), second}});
    archive::PackInfo fresh;
    fresh.id = archive::sha256("fresh");
    fresh.size = 100;
    fresh.frames = {{archive::KeyId{std::byte{2}}, 16, 84, 40}};
    const PackStored stored{
        .pack = fresh,
        .replaces = {{.id = a_pack().id, .moved = {{{1, 3}, {0, 20}}, {{1, 50}, {0, 0}}}}}};
    const std::vector<EventGroup> groups{{"", "", {{at(20), stored}}}};
    REQUIRE(c.writer->apply("w", {++c.sequence, archive::sha256("x")}, groups));
    std::map<std::string, std::uint64_t> offsets;
    for (const auto& version : c.all_versions()) {
        const auto content = c.reader->stored(version.content_key);
        REQUIRE(content);
        CHECK(content->pack.id == fresh.id);
        CHECK(content->placement.frame == 0);
        offsets[version.item] = content->placement.offset;
    }
    CHECK(offsets == std::map<std::string, std::uint64_t>{{"m1", 20}, {"m2", 0}});
}

TEST_CASE("what was in one pack may be in several, also when events are applied again") {
    Opened c;
    auto second = an_item("m2", "t", "other bytes");
    second.place.placement.offset = 50;
    c.apply({{at(10), an_item("m1", "t", "bytes")}, {at(10), second}});
    const auto fresh = [](const char* name) {
        archive::PackInfo pack;
        pack.id = archive::sha256(name);
        pack.size = 100;
        pack.frames = {{archive::KeyId{std::byte{2}}, 16, 84, 40}};
        return pack;
    };
    const PackStored one{.pack = fresh("one"),
                         .takes = {{.id = a_pack().id, .moved = {{{1, 3}, {0, 20}}}}}};
    const PackStored two{.pack = fresh("two"),
                         .takes = {{.id = a_pack().id, .moved = {{{1, 50}, {0, 0}}}}}};
    for (int times = 0; times < 2; ++times) {
        const std::vector<EventGroup> groups{
            {"", "", {{at(20), one}, {at(20), two}, {at(20), PackDropped{a_pack().id}}}}};
        REQUIRE(c.writer->apply("w", {++c.sequence, archive::sha256("x")}, groups));
        std::map<std::string, std::pair<archive::Digest, std::uint64_t>> places;
        for (const auto& version : c.all_versions()) {
            const auto content = c.reader->stored(version.content_key);
            REQUIRE(content);
            places[version.item] = {content->pack.id, content->placement.offset};
        }
        CHECK(places["m1"] == std::pair(archive::sha256("one"), std::uint64_t{20}));
        CHECK(places["m2"] == std::pair(archive::sha256("two"), std::uint64_t{0}));
        CHECK(c.reader->find_pack(a_pack().id)->value().replaced_at == at(20));
        CHECK(c.reader->totals()->packs == 2);
    }
}

TEST_CASE("how the store protects packs is kept, and told of those that it matters for") {
    Opened c;
    c.apply({{at(10), an_item("m1", "t", "bytes")}});
    CHECK(c.reader->small_packs(1U << 20U, 1U << 22U, {}, at(1))->size() == 1);
    CHECK(c.reader->small_packs(1U << 20U, 1U << 22U, at(1), at(1000))->empty());
    const std::vector<Note> notes{
        {at(20), PackProtected{a_pack().id, {.locked_until = at(900), .held = true}}},
        {at(30), LocksKept{.report = "{}", .log = true}},
        {at(40), LocksKept{.report = "{\"packs\":1}", .log = false}}};
    REQUIRE(c.writer->apply(notes));
    const auto packs = *c.reader->protected_packs(at(100));
    REQUIRE(packs.size() == 1);
    CHECK(packs[0].locked_until == at(900));
    CHECK(packs[0].held);
    CHECK(packs[0].raw_bytes > 0);
    CHECK(c.reader->locks()->at == at(40));
    CHECK(c.reader->locks()->log_at == at(30));
    CHECK(c.reader->locks()->report == "{\"packs\":1}");
    CHECK(c.reader->small_packs(1U << 20U, 1U << 22U, at(1), at(899))->empty());
    const std::vector<Note> free{{at(50), PackProtected{a_pack().id, {.locked_until = at(900)}}}};
    REQUIRE(c.writer->apply(free));
    CHECK(c.reader->small_packs(1U << 20U, 1U << 22U, at(1), at(899))->empty());
    CHECK(c.reader->small_packs(1U << 20U, 1U << 22U, at(1), at(900))->size() == 1);
    const std::vector<EventGroup> dropped{{"", "", {{at(60), PackDropped{a_pack().id}}}}};
    REQUIRE(c.writer->apply("w", {++c.sequence, archive::sha256("x")}, dropped));
    CHECK(c.reader->protected_packs(at(899))->size() == 1);
    CHECK(c.reader->protected_packs(at(900))->empty());
}

TEST_CASE("items that are disposed of leave their id, and nothing else of theirs") {
    Opened c;
    const auto disposal = [&](const char* id, const char* account,
                              std::vector<ItemsDisposed::Item> items, DisposalCause cause) {
        const std::vector<EventGroup> groups{
            {"", "", {{at(30), Disposal{.id = id, .cause = cause, .refs = {"r"}}}}},
            {"contoso", account, {{at(30), ItemsDisposed{id, std::move(items)}}}}};
        REQUIRE(c.writer->apply("w", {++c.sequence, archive::sha256("x")}, groups));
    };
    c.apply({{at(10), an_item("m1", "draft", "v1")},
             {at(11), an_item("m1", "sent", "v2")},
             {at(12), an_item("m2", "t", "v2")}});
    REQUIRE(c.all_versions().size() == 3);
    const auto ref = item_ref("contoso", "anna", "m1");

    SECTION("with what no other item has") {
        disposal("d1", "anna", {{"m1", 2}}, DisposalCause::retention);
        REQUIRE(c.all_versions().size() == 1);
        CHECK(c.all_versions()[0].item == "m2");
        CHECK(c.reader->stored(c.all_versions()[0].content_key));
        CHECK(c.reader->totals()->contents == 1);
        CHECK(c.reader->totals()->items == 1);
        CHECK(c.known("m1", "inbox").disposed);
        CHECK(c.known("m1", "inbox").in_folder);
        CHECK_THAT(c.reader->versions(ref).error().message, Catch::Contains("d1"));
        const auto packs = *c.reader->packs_to_rewrite();
        REQUIRE(packs.size() == 1);
        CHECK(packs[0].by == at(30) + std::chrono::days(30));
        CHECK(packs[0].kept_bytes == 2);
        // Told again, or under way meanwhile: it is not archived again.
        c.apply({{at(40), an_item("m1", "sent", "v2")}, {at(41), an_item("m1", "new", "v3")}});
        CHECK(c.all_versions().size() == 1);
    }
    SECTION("at once where they are forgotten") {
        disposal("d2", "anna", {{"m1", 2}, {"m2", 1}}, DisposalCause::forget);
        const auto packs = *c.reader->packs_to_rewrite();
        REQUIRE(packs.size() == 1);
        CHECK(packs[0].by == at(30));
        CHECK(packs[0].kept_bytes == 0);
        const std::vector<EventGroup> groups{{"", "", {{at(50), PackDropped{a_pack().id}}}}};
        REQUIRE(c.writer->apply("w", {++c.sequence, archive::sha256("x")}, groups));
        CHECK(c.reader->packs_to_rewrite()->empty());
        CHECK(c.reader->find_pack(a_pack().id)->value().replaced_at == at(50));
        CHECK(c.reader->totals()->packs == 0);
    }
    SECTION("but for a version that came later") {
        disposal("d3", "anna", {{"m1", 1}}, DisposalCause::retention);
        const auto versions = *c.reader->versions(ref);
        REQUIRE(versions.size() == 1);
        CHECK(versions[0].version == 2);
        CHECK_FALSE(c.known("m1", "inbox").disposed);
    }
}

TEST_CASE("another content tag is another version beside the first") {
    Opened c;
    c.apply({{at(10), an_item("m1", "draft", "v1")}, {at(20), an_item("m1", "sent", "v2 longer")}});
    const auto versions = *c.reader->versions(item_ref("contoso", "anna", "m1"));
    REQUIRE(versions.size() == 2);
    CHECK(versions[0].content_tag == "draft");
    CHECK(versions[1].content_tag == "sent");
    CHECK(versions[1].version == 2);
    CHECK(versions[1].size == 9);
    CHECK(c.known("m1", "inbox").content_tag == "sent");
}

TEST_CASE("another content tag of the same bytes makes no version") {
    Opened c;
    c.apply({{at(10), an_item("m1", "draft", "v1")}, {at(20), an_item("m1", "read", "v1")}});
    const auto versions = *c.reader->versions(item_ref("contoso", "anna", "m1"));
    REQUIRE(versions.size() == 1);
    CHECK(versions[0].content_tag == "read");
    CHECK(versions[0].archived_at == at(10));
    CHECK(c.known("m1", "inbox").content_tag == "read");
    CHECK(c.reader->history(versions[0].item_key)->size() == 1);
}

TEST_CASE("equal contents of an account are kept once") {
    Opened c;
    c.apply({{at(10), an_item("m1", "t", "same")}, {at(10), an_item("m2", "t", "same")}});
    CHECK(c.reader->totals()->contents == 1);
    CHECK(c.reader->totals()->versions == 2);
    const auto known = c.writer->find_content("contoso", "anna", archive::sha256("same"));
    REQUIRE(known);
    REQUIRE(*known);
    CHECK((*known)->pack == a_pack().id);
    CHECK_FALSE(*c.writer->find_content("contoso", "bo", archive::sha256("same")));
}

TEST_CASE("an item that left every folder has left its account, until it comes back") {
    Opened c;
    c.apply({{at(1), FolderSeen{a_folder("inbox", "", "Inbox")}},
             {at(1), FolderSeen{a_folder("old", "inbox", "Old")}},
             {at(10), an_item("m1", "t", "x")}});
    CHECK(c.known("m1", "inbox").in_folder);
    CHECK_FALSE(c.known("m1", "old").in_folder);

    SECTION("moved: placed and left in any order") {
        c.apply({{at(20), ItemLeft{"m1", "inbox"}}, {at(21), ItemPlaced{"m1", "old"}}});
        CHECK(c.all_versions()[0].left_at == Timestamp{});
        CHECK(c.known("m1", "old").in_folder);
        CHECK_FALSE(c.known("m1", "inbox").in_folder);
        c.apply({{at(30), ItemPlaced{"m1", "inbox"}}, {at(31), ItemLeft{"m1", "old"}}});
        CHECK(c.all_versions()[0].left_at == Timestamp{});
        CHECK(c.reader->history(c.all_versions()[0].item_key)->size() == 5);
    }
    SECTION("gone, and back") {
        c.apply({{at(20), ItemLeft{"m1", "inbox"}}});
        CHECK(c.all_versions()[0].left_at == at(20));
        CHECK(c.reader->account_counts(c.account().key)->in_mailbox == 0);
        const auto last = *c.reader->folders_of(c.all_versions()[0].item_key);
        REQUIRE(last.size() == 1);
        CHECK(last[0] == c.reader->folders(c.account().key)->at(0).key);
        c.apply({{at(25), ItemLeft{"m1", "inbox"}}});
        CHECK(c.all_versions()[0].left_at == at(20));
        c.apply({{at(30), ItemPlaced{"m1", "old"}}});
        CHECK(c.all_versions()[0].left_at == Timestamp{});
    }
    SECTION("events of unknown items change nothing") {
        c.apply({{at(20), ItemLeft{"nobody", "inbox"}}, {at(20), ItemPlaced{"nobody", "old"}}});
        CHECK(c.reader->totals()->items == 1);
    }
}

TEST_CASE("folder paths follow renames and moves, and a cycle does not hang") {
    Opened c;
    c.apply({{at(1), FolderSeen{a_folder("a", "", "A")}},
             {at(1), FolderSeen{a_folder("b", "a", "B/b")}},
             {at(1), FolderSeen{a_folder("x", "y", "X")}},
             {at(1), FolderSeen{a_folder("y", "x", "Y")}}});
    auto folders = *c.reader->folders(c.account().key);
    CHECK(folders[1].path == std::vector<std::string>{"A", "B/b"});
    c.apply({{at(2), FolderSeen{a_folder("a", "", "Renamed")}}, {at(3), FolderRemoved{"x"}}});
    folders = *c.reader->folders(c.account().key);
    CHECK(folders[1].path.front() == "Renamed");
    CHECK(folders[2].removed_at == at(3));
}

TEST_CASE("cursors, empty ones too, are told from none") {
    Opened c;
    c.apply(
        {{at(1), FolderSeen{a_folder("a", "", "A")}},
         {at(1), FolderSeen{a_folder("b", "", "B")}},
         {at(2), CursorAdvanced{CursorScope::folder, "a", sdk::Cursor{2, std::string("x\0y", 3)}}},
         {at(2), CursorAdvanced{CursorScope::folder, "b", sdk::Cursor{1, ""}}},
         {at(2), CursorAdvanced{CursorScope::folders, "", sdk::Cursor{9, "tree"}}}});
    auto folders = *c.reader->folders(c.account().key);
    REQUIRE(folders[0].cursor);
    CHECK(folders[0].cursor->value == std::string("x\0y", 3));
    REQUIRE(folders[1].cursor);
    CHECK(folders[1].cursor->value.empty());
    CHECK(c.account().folders_cursor == sdk::Cursor{9, "tree"});
    c.apply({{at(3), CursorAdvanced{CursorScope::folder, "a", std::nullopt}}},
            {{at(3), CursorMoved{
                         "contoso", "anna", {CursorScope::folder, "b", sdk::Cursor{1, "moved"}}}}});
    folders = *c.reader->folders(c.account().key);
    CHECK_FALSE(folders[0].cursor);
    CHECK(folders[1].cursor->value == "moved");
}

TEST_CASE("a failed item is kept, tried again on a schedule, and settled by its archiving") {
    Opened c;
    ItemFailed failed;
    failed.item.id = "bad";
    failed.item.content_tag = "t";
    failed.folder = "inbox";
    failed.error = {sdk::Errc::corrupt, "conversion failed", "ErrorMimeContentConversionFailed",
                    "r1"};
    c.apply({{at(1000), failed}});
    auto failures = *c.reader->failures("contoso");
    REQUIRE(failures.size() == 1);
    CHECK(failures[0].service_code == "ErrorMimeContentConversionFailed");
    CHECK(failures[0].attempts == 1);
    CHECK(failures[0].next_try_at == at(1000));
    CHECK(failures[0].folder == "inbox");

    const Note retry{at(2000), RetryFailed{"contoso", "anna", "bad", failed.error}};
    REQUIRE(c.writer->apply(std::vector{retry}));
    failures = *c.reader->failures("contoso");
    CHECK(failures[0].attempts == 2);
    CHECK(failures[0].next_try_at == at(2000) + std::chrono::minutes(15));
    REQUIRE(c.writer->apply(std::vector{Note{at(3000), RetryRequested{"contoso"}}}));
    CHECK(c.reader->failures()->at(0).next_try_at == at(0));

    SECTION("accepted: it stays listed") {
        c.apply({{at(5), FailureSettled{"bad", true}}});
        CHECK(c.reader->failures()->at(0).accepted);
        CHECK(c.reader->account_counts(c.account().key)->failures == 0);
    }
    SECTION("archived after all: it is gone") {
        c.apply({{at(5), an_item("bad", "t", "content")}});
        CHECK(c.reader->failures()->empty());
    }
}

TEST_CASE("a reconstruction stands beside its failure until the exact bytes are the next version") {
    Opened c;
    ItemFailed failed;
    failed.item.id = "bad";
    failed.item.content_tag = "t";
    failed.folder = "inbox";
    failed.error = {sdk::Errc::corrupt, "conversion failed", "ErrorMimeContentConversionFailed"};
    ItemArchived rest = an_item("bad", "t", "what could be had");
    rest.fidelity = Fidelity::reconstructed;
    const std::vector<Event> first{{at(10), failed}, {at(10), rest}};
    c.apply(first);
    c.apply(first);
    CHECK(c.all_versions().size() == 1);
    CHECK(c.known("bad", "inbox").fidelity == Fidelity::reconstructed);
    REQUIRE(c.reader->failures()->size() == 1);
    CHECK(c.reader->failures()->at(0).archived == Fidelity::reconstructed);

    // Moved meanwhile: what a retry fetches says nothing of where the item is.
    c.apply({{at(20), ItemPlaced{"bad", "archive"}}, {at(20), ItemLeft{"bad", "inbox"}}});
    const std::vector<Event> second{{at(30), an_item("bad", "t", "the exact bytes")}};
    c.apply(second);
    c.apply(second);
    const auto versions = *c.reader->versions(item_ref("contoso", "anna", "bad"));
    REQUIRE(versions.size() == 2);
    CHECK(versions[0].fidelity == Fidelity::reconstructed);
    CHECK(versions[1].fidelity == Fidelity::exact);
    CHECK(versions[1].content == archive::sha256("the exact bytes"));
    CHECK(c.reader->failures()->empty());
    CHECK(c.known("bad", "archive").in_folder);
}

TEST_CASE("filters pick versions by source, account, folder, sender and time") {
    Opened c;
    auto early = an_item("m1", "t", "1");
    early.received_at = at(1000);
    auto late = an_item("m2", "t", "2");
    late.received_at = at(5000);
    late.folder = "sub";
    late.from = "bo@fabrikam.example";
    c.apply({{at(1), FolderSeen{a_folder("inbox", "", "Inbox")}},
             {at(1), FolderSeen{a_folder("sub", "inbox", "Sub")}},
             {at(9), early},
             {at(9), late}});
    const auto count = [&](auto change) {
        ItemFilter filter;
        change(filter);
        return c.all_versions(filter).size();
    };
    CHECK(count([](auto&) {}) == 2);
    CHECK(count([](auto& f) { f.sources = {"other"}; }) == 0);
    CHECK(count([](auto& f) { f.accounts = {"anna"}; }) == 2);
    CHECK(count([](auto& f) { f.folders = {"Inbox"}; }) == 2);
    CHECK(count([](auto& f) { f.folders = {"Inbox/Sub"}; }) == 1);
    CHECK(count([](auto& f) { f.sender = "ANNA@"; }) == 1);
    CHECK(count([](auto& f) { f.since = at(5000); }) == 1);
    CHECK(count([](auto& f) { f.until = at(5000); }) == 1);
}

TEST_CASE("a reader beside the first writer finds no catalog or a whole one") {
    for (int round = 0; round < 20; ++round) {
        TemporaryFolder folder;
        std::atomic<bool> made = false;
        std::vector<std::string> wrong;
        std::jthread reader([&] {
            while (!made) {
                const auto opened = CatalogReader::open(folder.path);
                if (!opened && opened.error().code != sdk::Errc::not_found) {
                    wrong.push_back(opened.error().message);
                } else if (opened && (*opened)->archive_id().value() != kArchive) {
                    wrong.emplace_back("no archive id");
                }
            }
        });
        REQUIRE(CatalogWriter::open(folder.path, kArchive));
        made = true;
        reader.join();
        CHECK(wrong.empty());
    }
}

TEST_CASE("a catalog knows its archive, its version and when it is damaged") {
    TemporaryFolder folder;
    CHECK(CatalogReader::open(folder.path).error().code == sdk::Errc::not_found);
    std::string writer_id;
    {
        auto writer = CatalogWriter::open(folder.path, kArchive);
        REQUIRE(writer);
        writer_id = (*writer)->writer_id();
        CHECK(writer_id.size() == 16);
        REQUIRE((*writer)->apply("w", {4, archive::sha256("4")}, {}));
    }
    {
        auto writer = CatalogWriter::open(folder.path, kArchive);
        REQUIRE(writer);
        CHECK((*writer)->writer_id() == writer_id);
        CHECK((*writer)->position("w")->sequence == 4);
        CHECK((*writer)->position("w")->digest == archive::sha256("4"));
        CHECK((*writer)->position("nobody")->sequence == 0);
    }
    const auto other = CatalogWriter::open(folder.path, std::string(32, 'f'));
    REQUIRE_FALSE(other);
    CHECK(other.error().code == sdk::Errc::corrupt);

    std::ofstream(catalog_file(folder.path), std::ios::binary | std::ios::in)
        << "no database at all";
    const auto damaged = CatalogReader::open(folder.path);
    REQUIRE_FALSE(damaged);
    CHECK(damaged.error().code == sdk::Errc::corrupt);
    CHECK_THAT(damaged.error().message, Catch::Contains("openarchiver rebuild"));
}

TEST_CASE("what a folder's count has and the archive has not is unexplained, once compared") {
    Opened c;
    const sdk::Error broken{sdk::Errc::corrupt, "broken"};
    sdk::Item failed;
    failed.id = "m9";
    c.apply({{at(10), FolderSeen{a_folder("inbox", "", "Inbox")}},
             {at(11), an_item("m1", "t", "one")},
             {at(12), an_item("m2", "t", "two")},
             {at(13), ItemFailed{failed, "inbox", broken}}},
            {{at(14), FoldersCounted{"contoso", "anna", {{"inbox", 7}}}}});
    FolderRecord folder = c.reader->folders(c.account().key)->at(0);
    CHECK(folder.folder.item_count == 7U);
    CHECK(folder.counted_at == at(14));
    CHECK_FALSE(folder.unexplained);

    c.apply({}, {{at(15), FoldersCompared{"contoso", "anna", {"inbox"}}}});
    CHECK(c.reader->folders(c.account().key)->at(0).unexplained == 4U);
    const auto counts = c.reader->folder_counts(c.account().key);
    REQUIRE(counts);
    CHECK(counts->at(folder.key).items == 2);
    CHECK(counts->at(folder.key).failed == 1);
    CHECK(counts->at(folder.key).outstanding == 1);

    SECTION("what comes or leaves afterwards changes nothing until it is counted again") {
        c.apply({{at(16), ItemLeft{"m1", "inbox"}}});
        CHECK(c.reader->folders(c.account().key)->at(0).unexplained == 4U);
    }
    SECTION("a failure of an item that is archived all the same is not counted twice") {
        failed.id = "m1";
        c.apply({{at(16), ItemFailed{failed, "inbox", broken}}},
                {{at(17), FoldersCompared{"contoso", "anna", {"inbox"}}}});
        CHECK(c.reader->folders(c.account().key)->at(0).unexplained == 4U);
        CHECK(c.reader->folder_counts(c.account().key)->at(folder.key).failed == 1);
        CHECK(c.reader->folder_counts(c.account().key)->at(folder.key).outstanding == 2);
    }
}

TEST_CASE("a catalog of the version before is brought up to date, by who reads as by who writes") {
    TemporaryFolder folder;
    {
        auto writer = CatalogWriter::open(folder.path, kArchive);
        REQUIRE(writer);
        const std::vector<EventGroup> groups{
            {"contoso", "anna", {{at(1), FolderSeen{a_folder("inbox", "", "Inbox")}}}}};
        REQUIRE((*writer)->apply("w", {1, archive::sha256("x")}, groups, {}));
    }
    {
        auto session = open_session(catalog_file(folder.path), Access::write);
        using namespace Poco::Data::Keywords;
        session << "ALTER TABLE folders DROP COLUMN counted_at", now;
        session << "ALTER TABLE folders DROP COLUMN unexplained", now;
        for (const char* const later :
             {"DROP TABLE segments", "DROP TABLE tiles", "DROP TABLE heads",
              "DROP INDEX versions_by_segment", "ALTER TABLE versions DROP COLUMN segment",
              "ALTER TABLE versions DROP COLUMN leaf"}) {
            session << later, now;
        }
        session << "DROP TABLE holds", now;
        session << "DROP TABLE forgotten", now;
        for (const char* table : {"parts", "held_parts", "content_parts"}) {
            session << "DROP TABLE " + std::string(table), now;
        }
        session << "DROP INDEX contents_by_place", now;
        session << "ALTER TABLE contents DROP COLUMN composition", now;
        session << "ALTER TABLE packs DROP COLUMN replaced", now;
        for (const char* const later :
             {"DROP TABLE approvals", "DROP TABLE disposals", "DROP INDEX items_disposed",
              "DROP INDEX packs_to_rewrite", "ALTER TABLE items DROP COLUMN disposal",
              "ALTER TABLE packs DROP COLUMN rewrite_by",
              "ALTER TABLE versions DROP COLUMN properties",
              "ALTER TABLE failures DROP COLUMN title",
              "ALTER TABLE failures DROP COLUMN properties",
              "ALTER TABLE packs DROP COLUMN locked_until", "ALTER TABLE packs DROP COLUMN held",
              "DROP TABLE kept_sources", "DROP TABLE paused_sources", "DROP TABLE audit"}) {
            session << later, now;
        }
        session << "PRAGMA user_version=1", now;
    }
    SECTION("reading") {
        const auto reader = CatalogReader::open(folder.path);
        REQUIRE(reader);
        const auto folders = (*reader)->folders((*reader)->accounts("contoso")->at(0).key);
        REQUIRE(folders);
        CHECK(folders->at(0).folder.display_name == "Inbox");
        CHECK_FALSE(folders->at(0).unexplained);
    }
    SECTION("writing") {
        const auto writer = CatalogWriter::open(folder.path, kArchive);
        REQUIRE(writer);
        const std::vector<Note> notes{{at(2), FoldersCounted{"contoso", "anna", {{"inbox", 3}}}}};
        CHECK((*writer)->apply(notes));
    }
}

TEST_CASE("sources of the API change and go, and pausing is told of any source") {
    Opened c;
    c.apply_archive({{at(1), SourceDefined{.source = "contoso",
                                           .definition = "{1}",
                                           .secrets = {{"/client_secret", "\xFF\x01"}},
                                           .by = "api:anna"}},
                     {at(2), SourceDefined{.source = "files", .definition = "{2}", .by = "api:b"}},
                     {at(3), SourcePaused{.source = "contoso", .by = "api:b"}},
                     {at(3), SourcePaused{.source = "of-the-profile", .by = "api:b"}}});
    c.apply_archive(
        {{at(4), SourceDefined{.source = "files", .definition = "{3}", .by = "api:c"}}});
    auto sources = c.reader->kept_sources();
    REQUIRE(sources);
    REQUIRE(sources->size() == 2);
    CHECK(sources->at(0).defined.definition == "{1}");
    CHECK(sources->at(0).defined.secrets ==
          decltype(SourceDefined::secrets){{"/client_secret", "\xFF\x01"}});
    CHECK(sources->at(1).defined.definition == "{3}");
    CHECK(sources->at(1).at == at(4));
    auto paused = c.reader->paused_sources();
    REQUIRE(paused);
    REQUIRE(paused->size() == 2);
    CHECK(paused->at(0).id == "contoso");
    CHECK(paused->at(0).by == "api:b");

    c.apply_archive(
        {{at(5), SourceRemoved{"contoso", "api:a"}},
         {at(5), SourcePaused{.source = "of-the-profile", .paused = false, .by = "x"}}});
    CHECK(c.reader->kept_sources()->size() == 1);
    CHECK(c.reader->paused_sources()->empty());
}

TEST_CASE("what was audited is listed once, the newest first, by page and by filter") {
    Opened c;
    for (int i = 1; i <= 5; ++i) {
        const Audited entry{.id = "id" + std::to_string(i),
                            .by = i % 2 == 0 ? "api:anna" : "root",
                            .role = i % 2 == 0 ? "auditor" : "",
                            .action = i < 4 ? "search" : "export",
                            .detail = R"({"n":1})"};
        c.apply_archive({{at(i), entry}, {at(i), entry}});
    }
    auto page = c.reader->audit({}, 0, 2);
    REQUIRE(page);
    REQUIRE(page->size() == 2);
    CHECK(page->at(0).entry.id == "id5");
    CHECK(page->at(0).at == at(5));
    page = c.reader->audit({}, page->at(1).key, 10);
    REQUIRE(page->size() == 3);
    CHECK(page->at(0).entry.id == "id3");
    CHECK(page->at(2).entry.id == "id1");
    CHECK(c.reader->audit({.by = "root"}, 0, 10)->size() == 3);
    CHECK(c.reader->audit({.action = "export"}, 0, 10)->size() == 2);
    CHECK(c.reader->audit({.since = at(2), .until = at(4)}, 0, 10)->size() == 2);
}
