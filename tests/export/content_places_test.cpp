#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <openarchiver/testkit/memory_object_store.hpp>

#include "archive/archive.hpp"
#include "verify/content_check.hpp"

using namespace openarchiver;

namespace {

archive::Digest digest(int value) {
    archive::Digest made{};
    made[0] = static_cast<std::byte>(value);
    return made;
}

}  // namespace

TEST_CASE("A content whose pack the log dropped is damage, whatever packs are there") {
    const auto folder = std::filesystem::temp_directory_path() /
                        ("openarchiver-places-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder);
    const auto archive = archive::Archive::create(std::make_unique<testkit::MemoryObjectStore>(),
                                                  std::nullopt, std::nullopt, {}, {});
    REQUIRE(archive);
    const std::string& id = (*archive)->marker().archive_id;
    verify::Report report;
    {
        auto replayed = verify::ReplayedCatalog::make(folder, id);
        REQUIRE(replayed);
        catalog::ItemArchived item;
        item.item = "1";
        item.folder = "inbox";
        item.content = digest(2);
        item.size = 5;
        item.place.pack = digest(1);
        const bool dropped = GENERATE(false, true);
        std::vector<catalog::EventGroup> groups{
            {"contoso", "", {{{}, catalog::SourceSeen{"Contoso", "mailfiles"}}}},
            {"contoso", "ada", {{{}, catalog::AccountSeen{"ada@contoso.example", "Ada", {}, ""}}}},
            {"",
             "",
             {{{}, catalog::PackStored{.pack = {.id = digest(1), .size = 9, .frames = {{}}}}}}},
            {"contoso", "ada", {{{}, catalog::FolderSeen{{.id = "inbox"}}}, {{}, item}}}};
        if (dropped) {
            groups.push_back({"", "", {{{}, catalog::PackDropped{digest(1)}}}});
        }
        REQUIRE((*replayed)->writer()->apply("abcdefghijklmnop", {.sequence = 1}, groups));
        REQUIRE((*replayed)->filled(id));
        (*replayed)->close();
        const verify::Inventory inventory;
        const auto check = verify::ContentCheck::open(
            **archive, **replayed, inventory, [](const archive::Digest&) { return false; }, report);
        REQUIRE(check);
        REQUIRE((*check)->check_places());
        REQUIRE(report.findings.size() == (dropped ? 1U : 0U));
        if (dropped) {
            CHECK(report.findings.front().kind == verify::FindingKind::content_damaged);
            CHECK(report.findings.front().affected.count == 1);
        }
    }
    std::filesystem::remove_all(folder);
}
