#include <signal.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <set>
#include <string>
#include <thread>

#include "support/archived_mail.hpp"

using namespace program_test;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr int kDamage = 5;

/// "kind object" of every finding that is damage.
std::set<std::string> damage_of(const json::value& report) {
    std::set<std::string> damage;
    for (const auto& finding : report.at("findings").as_array()) {
        if (finding.at("damage").as_bool()) {
            damage.insert(std::string(finding.at("kind").as_string()) + " " +
                          std::string(finding.at("object").as_string()));
        }
    }
    return damage;
}

const json::value& finding(const json::value& report, std::string_view kind) {
    for (const auto& found : report.at("findings").as_array()) {
        if (found.at("kind").as_string() == kind) {
            return found;
        }
    }
    FAIL("no finding " << kind);
    return report;
}

std::uint64_t count(const json::value& report, const char* name) {
    return report.at("counts").at(name).to_number<std::uint64_t>();
}

std::uint64_t affected(const json::value& found) {
    return found.at("affected").at("items").to_number<std::uint64_t>();
}

using Damage = std::set<std::string>;

}  // namespace

TEST_CASE("verify finds nothing wrong with a sound archive and reads every content") {
    const ArchivedMail mail;
    const auto report = mail.document({"verify"}, 0);
    REQUIRE(damage_of(report).empty());
    REQUIRE(report.at("findings").as_array().empty());
    REQUIRE(report.at("mode").as_string() == "full");
    REQUIRE(count(report, "contents_checked") == mail.contents().size());
    REQUIRE(count(report, "packs") == mail.objects("packs/").size());
    REQUIRE(count(report, "packs_checked") == count(report, "packs"));
    REQUIRE(count(report, "segments") == mail.objects("log/").size());
    REQUIRE(report.at("head").as_array().size() == 1);
    const auto quick = mail.document({"verify", "--quick"}, 0);
    REQUIRE(count(quick, "packs_checked") == count(report, "packs"));
    REQUIRE(count(quick, "contents_checked") == 0);
    const auto text = mail.run({"verify"});
    REQUIRE(text.exit_code == 0);
    REQUIRE(text.out.find("no damage found") != std::string::npos);
    // Nothing is left of the catalog that it made.
    for (const auto& entry : fs::directory_iterator(mail.folder() / "catalog")) {
        REQUIRE_FALSE(entry.path().filename().string().starts_with("verify-"));
    }
}

TEST_CASE("verify names a pack with a changed bit, wherever the bit is") {
    const ArchivedMail mail;
    const auto packs = mail.objects("packs/");
    REQUIRE(packs.size() >= 3);
    for (const auto& [key, file] : packs) {
        const std::string whole = read_file(file);
        for (const std::size_t offset : {std::size_t{0}, std::size_t{20}, std::size_t{200},
                                         whole.size() / 2, whole.size() - 1}) {
            CAPTURE(key, offset);
            flip_bit(file, offset);
            const auto report = mail.document({"verify"}, kDamage);
            REQUIRE(damage_of(report) == Damage{"pack_damaged " + key});
            write_file(file, whole);
        }
        // Only what lies in a damaged frame is affected.
        flip_bit(file, whole.size() - 1);
        REQUIRE(affected(finding(mail.document({"verify"}, kDamage), "pack_damaged")) > 0);
        write_file(file, whole);
    }
    REQUIRE(damage_of(mail.document({"verify"}, 0)).empty());
}

TEST_CASE("verify names a missing pack and the items that need it, also a quick one") {
    const ArchivedMail mail;
    const auto [key, file] = *mail.objects("packs/").begin();
    const std::string in_pack =
        query_database(mail.catalog(),
                       "SELECT count(DISTINCT v.item) FROM packs p JOIN contents c ON c.pack=p.pack"
                       " JOIN versions v ON v.content=c.content WHERE lower(hex(p.id))='" +
                           file.filename().string() + "'");
    fs::remove(file);
    for (const auto& arguments :
         {std::vector<std::string>{"verify"}, std::vector<std::string>{"verify", "--quick"}}) {
        const auto report = mail.document(arguments, kDamage);
        REQUIRE(damage_of(report) == Damage{"pack_missing " + key});
        const auto& found = finding(report, "pack_missing");
        REQUIRE(std::to_string(affected(found)) == in_pack);
        REQUIRE(found.at("affected").at("refs").as_array().size() ==
                std::min<std::size_t>(20, affected(found)));
    }
}

TEST_CASE("verify names both of two packs that were exchanged") {
    const ArchivedMail mail;
    const auto packs = mail.objects("packs/");
    const auto& [first_key, first] = *packs.begin();
    const auto& [second_key, second] = *std::next(packs.begin());
    const std::string bytes = read_file(first);
    write_file(first, read_file(second));
    write_file(second, bytes);
    const Damage both{"pack_damaged " + first_key, "pack_damaged " + second_key};
    REQUIRE(damage_of(mail.document({"verify"}, kDamage)) == both);
    REQUIRE(damage_of(mail.document({"verify", "--quick"}, kDamage)) == both);
}

TEST_CASE("verify names a segment with a changed bit and the items that it told of") {
    const ArchivedMail mail;
    const auto segments = mail.objects("log/");
    REQUIRE(segments.size() >= 3);
    std::uint64_t items = 0;
    for (const auto& [key, file] : segments) {
        CAPTURE(key);
        const std::string whole = read_file(file);
        flip_bit(file);
        for (const auto& arguments :
             {std::vector<std::string>{"verify", "--quick"}, std::vector<std::string>{"verify"}}) {
            const auto report = mail.document(arguments, kDamage);
            REQUIRE(damage_of(report) == Damage{"segment_damaged " + key});
            items += affected(finding(report, "segment_damaged"));
        }
        write_file(file, whole);
    }
    REQUIRE(items > 0);
}

TEST_CASE("verify names a missing segment: the first, one in the middle, the last") {
    const ArchivedMail mail;
    const auto segments = mail.objects("log/");
    REQUIRE(segments.size() >= 3);
    for (const auto& [key, file] : segments) {
        CAPTURE(key);
        const std::string whole = read_file(file);
        fs::remove(file);
        for (const auto& arguments :
             {std::vector<std::string>{"verify", "--quick"}, std::vector<std::string>{"verify"}}) {
            REQUIRE(damage_of(mail.document(arguments, kDamage)) ==
                    Damage{"segment_missing " + key});
        }
        write_file(file, whole);
    }
    for (const auto& [key, file] : segments) {
        fs::remove(file);
    }
    REQUIRE(damage_of(mail.document({"verify", "--quick"}, kDamage)) ==
            Damage{"segment_missing " + segments.begin()->first});
}

TEST_CASE("verify notices segments that changed places") {
    const ArchivedMail mail;
    const auto segments = mail.objects("log/");
    const auto& [first_key, first] = *segments.begin();
    const auto& [second_key, second] = *std::next(segments.begin());
    const std::string bytes = read_file(first);
    write_file(first, read_file(second));
    write_file(second, bytes);
    const auto damage = damage_of(mail.document({"verify"}, kDamage));
    REQUIRE(damage.contains("segment_damaged " + first_key));
    REQUIRE(damage.contains("segment_damaged " + second_key));
}

TEST_CASE("verify notices a catalog that says other than the log, and rebuild heals it") {
    const ArchivedMail mail;
    const std::string ref = query_database(mail.catalog(), "SELECT ref FROM items WHERE item=2");
    REQUIRE(ref.size() == 24);

    struct Edit {
        const char* sql;
        const char* table;
        bool of_item;
    };

    const Edit edits[] = {
        {"UPDATE versions SET subject='other' WHERE item=2", "versions", true},
        {"UPDATE versions SET archived_at=1 WHERE item=2", "versions", true},
        {"UPDATE items SET left_at=5 WHERE item=2", "items", true},
        {"DELETE FROM placements WHERE item=2", "placements", true},
        {"UPDATE history SET at=at+1 WHERE item=2", "history", true},
        {"DELETE FROM versions WHERE item=2", "versions", true},
        {"UPDATE folders SET name='x' WHERE folder=1", "folders", false},
        {"UPDATE accounts SET address='x'", "accounts", false},
        {"UPDATE packs SET size=size+1 WHERE pack=1", "packs", false},
        {"UPDATE frames SET offset=offset+1 WHERE pack=1 AND frame=0", "frames", false},
    };
    for (const auto& edit : edits) {
        INFO(edit.sql);
        edit_database(mail.catalog(), edit.sql);
        const auto report = mail.document({"verify"}, kDamage);
        REQUIRE(damage_of(report).contains(std::string("catalog_differs catalog/") + edit.table));
        for (const auto& kind : damage_of(report)) {
            REQUIRE(kind.starts_with("catalog_differs "));
        }
        if (edit.of_item) {
            const auto& found = finding(report, "catalog_differs");
            REQUIRE(affected(found) == 1);
            REQUIRE(found.at("affected").at("refs").at(0).as_string() == ref);
        }
        const auto rebuilt = mail.document({"rebuild"}, 0);
        REQUIRE(rebuilt.at("versions").to_number<std::uint64_t>() == mail.versions());
        REQUIRE(damage_of(mail.document({"verify"}, 0)).empty());
    }
}

TEST_CASE("verify without a catalog says so, and checks the archive all the same") {
    const ArchivedMail mail;
    fs::remove_all(mail.folder() / "catalog");
    const auto report = mail.document({"verify"}, kDamage);
    REQUIRE(damage_of(report) == Damage{"catalog_unreadable catalog"});
    REQUIRE(count(report, "contents_checked") == mail.contents().size());
    mail.document({"rebuild"}, 0);
    REQUIRE(damage_of(mail.document({"verify"}, 0)).empty());
}

TEST_CASE("verify of all parts together is a verify of the whole") {
    const ArchivedMail mail;
    const auto [key, file] = *mail.objects("packs/").begin();
    flip_bit(file);
    std::uint64_t packs = 0;
    int damaged_parts = 0;
    for (const char* part : {"1/3", "2/3", "3/3"}) {
        const auto ended = mail.run({"--json", "verify", "--part", part});
        const auto report = json::parse(ended.out);
        packs += count(report, "packs_checked");
        if (!damage_of(report).empty()) {
            REQUIRE(ended.exit_code == kDamage);
            REQUIRE(damage_of(report) == Damage{"pack_damaged " + key});
            ++damaged_parts;
        }
    }
    REQUIRE(packs == mail.objects("packs/").size());
    REQUIRE(damaged_parts == 1);
    for (const char* part : {"0/3", "4/3", "1", "a/b", "1/3x", "/"}) {
        REQUIRE(mail.run({"verify", "--part", part}).exit_code == 2);
    }
}

TEST_CASE("verify lists objects that nothing needs, which is no damage") {
    const ArchivedMail mail;
    const auto [key, file] = *mail.objects("packs/").begin();
    const std::string id = sha256_hex("nothing");
    const fs::path root = file.parent_path().parent_path().parent_path();
    write_file(root / "packs" / id.substr(0, 2) / id, "nothing");
    write_file(root / "packs" / "stray", "stray");
    for (const auto& arguments :
         {std::vector<std::string>{"verify", "--quick"}, std::vector<std::string>{"verify"}}) {
        const auto report = mail.document(arguments, 0);
        REQUIRE(finding(report, "unreferenced_pack").at("object").as_string() ==
                "packs/" + id.substr(0, 2) + "/" + id);
        REQUIRE(finding(report, "foreign_object").at("object").as_string() == "packs/stray");
    }
}

TEST_CASE("verify with another key is refused, and checks nothing") {
    const ArchivedMail mail;
    write_file(mail.folder() / "archive.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
    const auto report = mail.document({"verify"}, 4);
    REQUIRE(report.at("error").at("code").as_string() == "unauthenticated");
}

TEST_CASE("verify says what is damaged when the archive can't be opened") {
    const ArchivedMail mail;
    for (const char* key : {"keyring", "archive"}) {
        const auto objects = mail.objects(key);
        const fs::path file = objects.begin()->second;
        const std::string whole = read_file(file);
        flip_bit(file);
        const auto ended = mail.run({"verify"});
        CAPTURE(key, ended.err);
        REQUIRE(ended.exit_code == kDamage);
        REQUIRE(ended.err.find(key) != std::string::npos);
        write_file(file, whole);
    }
}

TEST_CASE("verify beside a running service finds nothing wrong while mail comes in") {
    ArchivedMail mail(20);
    Running service(mail.profile(), {"serve"});
    const auto answers = [&] {
        for (const auto& entry : fs::recursive_directory_iterator(mail.folder() / "catalog")) {
            if (entry.is_socket()) {
                return true;
            }
        }
        return false;
    };
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!answers() && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
    }
    REQUIRE(answers());
    for (int round = 0; round < 6; ++round) {
        for (int i = 0; i < 30; ++i) {
            mail.put_message("Inbox/live" + std::to_string(round * 100 + i) + ".eml",
                             "Subject: live\n\n" + std::to_string(round * 100 + i) + "\n");
        }
        // Handed over to the service, which goes on writing while verify reads.
        Running sync(mail.profile(), {"sync"});
        REQUIRE(damage_of(mail.document({"verify"}, 0)).empty());
        REQUIRE(damage_of(mail.document({"verify", "--quick"}, 0)).empty());
        REQUIRE(sync.wait().exit_code == 0);
    }
    const auto rebuilt = mail.document({"rebuild"}, 0);
    REQUIRE(rebuilt.at("versions").to_number<std::uint64_t>() == mail.versions());
    REQUIRE(damage_of(mail.document({"verify"}, 0)).empty());
    service.signal(SIGTERM);
    REQUIRE(service.wait().exit_code == 0);
}

TEST_CASE("verify follows an archive that several catalogs wrote one after another") {
    ArchivedMail mail(20);
    for (int round = 0; round < 4; ++round) {
        mail.document({"rebuild"}, 0);
        mail.put_message("Inbox/1.eml", "Subject: changed\n\nround " + std::to_string(round));
        mail.put_message("Inbox/round" + std::to_string(round) + ".eml",
                         "Subject: new\n\nround " + std::to_string(round));
        if (round > 0) {
            fs::remove(mail.folder() / ("mail/Inbox/round" + std::to_string(round - 1) + ".eml"));
        }
        mail.sync();
        const auto report = mail.document({"verify"}, 0);
        REQUIRE(damage_of(report).empty());
        REQUIRE(report.at("head").as_array().size() == static_cast<std::size_t>(round) + 2);
    }
}
