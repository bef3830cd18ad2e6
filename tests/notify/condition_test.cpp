#include "notify/condition.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>

#include "catalog/iso_time.hpp"
#include "notify/notification.hpp"
#include "notify/plain_text.hpp"

namespace openarchiver::notify {
namespace {

using namespace std::chrono_literals;

const sdk::Timestamp kNow = *catalog::parse_iso_time("2026-03-01T12:00:00.000Z");
constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

std::string source(const std::string& members) {
    return R"({"sources":[{"id":"mail","name":"Mail","paused_by":null,"status":"active",)"
           R"("reason":"","every_seconds":300,"lag_seconds":60,"failures":0,)"
           R"("accounts":{"failed":0},"credentials_expire_at":null)" +
           (members.empty() ? "" : "," + members) + "}]}";
}

Observation look(const std::string& status, const profile::Notifications& settings = {}) {
    return observe(boost::json::parse(status), settings, kGiB, kNow);
}

/// "kind/subject degree" of the only condition; empty: there is none.
std::string only(const std::string& status, const profile::Notifications& settings = {}) {
    const auto seen = look(status, settings);
    CHECK(seen.conditions.size() <= 1);
    return seen.conditions.empty() ? ""
                                   : seen.conditions.front().key() + " " +
                                         std::to_string(seen.conditions.front().degree);
}

TEST_CASE("a source that works is no condition", "[unit]") {
    CHECK(only(source("")).empty());
    CHECK(look(source("")).subjects ==
          std::set<std::string>{"archive", "catalog", "engine", "mail"});
}

TEST_CASE("a source is as bad as its status and its accounts say", "[unit]") {
    // Of two members of a name the last one counts.
    CHECK(only(source(R"("status":"attention","failures":3)")) == "attention/mail 1");
    CHECK(only(source(R"("status":"attention","accounts":{"failed":2})")) == "attention/mail 2");
    CHECK(only(source(R"("status":"error","reason":"refused")")) == "attention/mail 3");
    CHECK(only(source(R"("status":"importing","lag_seconds":null)")).empty());
}

TEST_CASE("a paused source concerns nobody", "[unit]") {
    const auto seen = look(source(R"("status":"error","paused_by":"ada","lag_seconds":999999)"));
    CHECK(seen.conditions.empty());
    CHECK_FALSE(seen.subjects.contains("mail"));
}

TEST_CASE("lag counts beyond the schedule", "[unit]") {
    CHECK(only(source(R"("lag_seconds":14700)")).empty());
    CHECK(only(source(R"("lag_seconds":14701)")) == "lag/mail 1");
    CHECK(only(source(R"("lag_seconds":90000,"every_seconds":86400)")).empty());
}

TEST_CASE("a credential is told of from 30 days before, and more as its end comes near", "[unit]") {
    const auto expires = [](std::chrono::hours in) {
        return source(R"("credentials_expire_at":")" + catalog::iso_time(kNow + in) + "\"");
    };
    CHECK(only(expires(24h * 31)).empty());
    CHECK(only(expires(24h * 30)) == "credential/mail 1");
    CHECK(only(expires(24h * 7)) == "credential/mail 2");
    CHECK(only(expires(-1h)) == "credential/mail 3");
    CHECK(look(expires(24h * 30)).conditions.front().patience == 7);
    CHECK(look(expires(24h * 3)).conditions.front().patience == 1);
    CHECK_THAT(look(expires(25h)).conditions.front().summary, Catch::Contains("in 1 day"));
}

TEST_CASE("storage fills by share or by size, and is full at the floor", "[unit]") {
    const auto space = [](std::uint64_t free, std::uint64_t total) {
        return R"({"storage":{"archive":null,"catalog":{"free_bytes":)" + std::to_string(free) +
               R"(,"total_bytes":)" + std::to_string(total) + "}}}";
    };
    CHECK(only(space(11 * kGiB, 100 * kGiB)).empty());
    CHECK(only(space(9 * kGiB, 100 * kGiB)) == "storage/catalog 1");
    CHECK(only(space(kGiB, 100 * kGiB)) == "storage/catalog 2");
    CHECK(only(space(0, 0)).empty());
    profile::Notifications by_size;
    by_size.storage_below_percent = 0;
    by_size.storage_below_bytes = 20 * kGiB;
    CHECK(only(space(21 * kGiB, 1000 * kGiB), by_size).empty());
    CHECK(only(space(19 * kGiB, 1000 * kGiB), by_size) == "storage/catalog 1");
}

TEST_CASE("damage and incomplete evidence are conditions of the archive", "[unit]") {
    CHECK(only(R"({"verify":{"last":{},"damage":null}})").empty());
    CHECK(only(R"({"verify":null})").empty());
    CHECK(only(R"({"verify":{"last":{},"damage":{"at":"2026","scope":"full","findings":2}}})") ==
          "verify/archive 1");
    CHECK(only(R"({"evidence":{"problems":[]}})").empty());
    CHECK(only(R"({"evidence":{"problems":["no timestamp"]}})") == "evidence/archive 1");
}

TEST_CASE("a status that is none shows nothing", "[unit]") {
    for (const char* const status :
         {"null", "[]", "{}", R"({"sources":7})", R"({"sources":[null,{}]})",
          R"({"storage":{"archive":{"free_bytes":-1,"total_bytes":"x"}}})"}) {
        CHECK(look(status).conditions.empty());
    }
}

TEST_CASE("texts of others are one line without addresses", "[unit]") {
    CHECK(plain_text("a\r\nBcc: x\x7f") == "a  Bcc: x ");
    CHECK(plain_text("550 <ada@example.org> unknown, ask bob@example.org.") ==
          "550 <(address)> unknown, ask (address)");
    CHECK(plain_text("@ @@ a@") == "(address) (address) (address)");
    CHECK(plain_text("\xff\xfe").find('\xff') == std::string::npos);
    CHECK(plain_text(std::string(2000, 'a')).size() == 500);
    CHECK(look(source(R"("status":"error","reason":"ada@example.org\r\nis locked")"))
              .conditions.front()
              .summary == "Mail is not archived: (address)  is locked");
}

TEST_CASE("a summary is one line that fits", "[unit]") {
    Notification notification{.id = "1", .at = kNow, .host = "here"};
    CHECK(summary_of(notification) == "test: notifications of here arrive here");
    notification.notices.assign(
        3, {.change = Change::over,
            .condition = {.summary = "line\r\nBcc: eve@example.org" + std::string(500, 'x')}});
    const std::string summary = summary_of(notification);
    CHECK(summary.find_first_of("\r\n") == std::string::npos);
    CHECK(summary.starts_with("over: line"));
    CHECK(summary.ends_with("(and 2 more)"));
    CHECK(summary.size() < 200);
}

}  // namespace
}  // namespace openarchiver::notify
