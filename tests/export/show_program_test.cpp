#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <string>

#include "support/archived_mail.hpp"

using namespace program_test;
namespace json = boost::json;

namespace {

std::string ref_of(const ArchivedMail& mail, const std::string& file) {
    return query_database(mail.catalog(), "SELECT ref FROM items WHERE id LIKE '%" + file + "'");
}

}  // namespace

TEST_CASE("show --raw writes the exact bytes of every version") {
    const ArchivedMail mail(6);
    for (const char* file : {"large.eml", "no-header.eml", "from.eml"}) {
        const auto ended = mail.run({"show", ref_of(mail, file), "--raw"});
        REQUIRE(ended.exit_code == 0);
        REQUIRE(mail.contents().contains(sha256_hex(ended.out)));
    }
    const std::string ref = ref_of(mail, "Inbox/0.eml");
    const auto first = mail.run({"show", ref, "--raw", "--version", "1"});
    const auto second = mail.run({"show", ref, "--raw"});
    REQUIRE(first.out != second.out);
    REQUIRE(second.out.find("Hello again") != std::string::npos);
    REQUIRE(mail.contents().contains(sha256_hex(first.out)));
    REQUIRE(mail.run({"show", ref, "--raw", "--version", "3"}).exit_code == 2);
}

TEST_CASE("show tells versions, folders and history") {
    const ArchivedMail mail(6);
    const auto changed = mail.document({"show", ref_of(mail, "Inbox/0.eml")}, 0);
    REQUIRE(changed.at("versions").as_array().size() == 2);
    REQUIRE(changed.at("in_mailbox").as_bool());
    REQUIRE(changed.at("left_at").is_null());
    REQUIRE(changed.at("address").as_string() == ArchivedMail::kAccount);
    REQUIRE(changed.at("versions").at(1).at("subject").as_string() == "number 0");
    const auto left = mail.document({"show", ref_of(mail, "Inbox/3.eml")}, 0);
    REQUIRE_FALSE(left.at("in_mailbox").as_bool());
    REQUIRE(left.at("left_at").is_string());
    REQUIRE(left.at("history").as_array().size() == 2);
    REQUIRE(left.at("history").at(1).at("event").as_string() == "left");
    const auto text = mail.run({"show", ref_of(mail, "Inbox/3.eml")});
    REQUIRE(text.exit_code == 0);
    REQUIRE(text.out.find("number 3") != std::string::npos);
    REQUIRE(text.out.find("left") != std::string::npos);
}

TEST_CASE("show of an unknown item is a usage error") {
    const ArchivedMail mail(3);
    const auto ended = mail.run({"show", "0123456789abcdef01234567"});
    REQUIRE(ended.exit_code == 2);
    REQUIRE(ended.err.find("0123456789abcdef01234567") != std::string::npos);
}

TEST_CASE("show --raw of a damaged content writes nothing") {
    const ArchivedMail mail(6);
    const std::string ref = ref_of(mail, "large.eml");
    for (const auto& [key, file] : mail.objects("packs/")) {
        flip_bit(file);
    }
    const auto ended = mail.run({"show", ref, "--raw"});
    REQUIRE(ended.exit_code == 5);
    REQUIRE(ended.out.empty());
    REQUIRE(ended.err.find("pack") != std::string::npos);
}

TEST_CASE("stats adds up") {
    const ArchivedMail mail(30);
    const auto stats = mail.document({"stats"}, 0);
    const auto number = [&](const char* name) { return stats.at(name).to_number<std::int64_t>(); };
    REQUIRE(number("versions") == static_cast<std::int64_t>(mail.versions()));
    REQUIRE(number("contents") == static_cast<std::int64_t>(mail.contents().size()));
    std::int64_t unique = 0;
    for (const auto& [hash, text] : mail.contents()) {
        unique += static_cast<std::int64_t>(text.size());
    }
    REQUIRE(number("bytes_unique") == unique);
    std::int64_t stored = 0;
    for (const auto& [key, file] : mail.objects("packs/")) {
        stored += static_cast<std::int64_t>(std::filesystem::file_size(file));
    }
    REQUIRE(number("bytes_stored") == stored);
    REQUIRE(number("saved_by_deduplication") == number("bytes_in") - number("bytes_unique"));
    REQUIRE(number("saved_by_deduplication") > 0);
    REQUIRE(number("saved_by_compression") == number("bytes_unique") - number("bytes_stored"));
    REQUIRE(mail.run({"stats"}).out.find("saved by compression") != std::string::npos);
}
