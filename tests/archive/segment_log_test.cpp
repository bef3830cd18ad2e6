#include <catch2/catch.hpp>

#include "archive/segment.hpp"
#include "memory_store.hpp"
#include "support.hpp"

using namespace openarchiver;
using archive::EventBlock;
using archive::Keyring;
using archive::LogPosition;
using archive::Segment;
using archive::SegmentLog;

namespace {

constexpr std::string_view kWriter = "abcdefgh01234567";
constexpr std::string_view kOther = "zzzzzzzzzzzzzzzz";

struct Fixture {
    sdk::Result<LogPosition> append(std::string text, std::string_view writer = kWriter) {
        LogPosition& last = positions[std::string(writer)];
        auto position =
            log.append(writer, last, {{.key = keyring.archive_key(), .events = std::move(text)}},
                       test::at(++time), {});
        if (position) {
            last = *position;
        }
        return position;
    }

    sdk::Result<LogPosition> replay(LogPosition from = {}, std::string_view writer = kWriter) {
        events.clear();
        beyond = 0;
        return log.replay(
            writer, from,
            [&](const Segment& segment, const LogPosition& position) -> sdk::Status {
                CHECK(segment.sequence == position.sequence);
                for (const EventBlock& block : segment.blocks) {
                    events += block.events;
                }
                return {};
            },
            {}, &beyond);
    }

    std::string& object(std::uint64_t sequence) {
        return contents.objects.at(archive::segment_key(kWriter, sequence));
    }

    test::StoreContents contents;
    test::MemoryStore store{contents};
    Keyring keyring = Keyring::create(GENERATE(true, false));
    SegmentLog log{store, keyring};
    std::map<std::string, LogPosition> positions;
    std::int64_t time = 0;
    std::string events;
    std::uint64_t beyond = 0;
};

sdk::Error lost() {
    return {.code = sdk::Errc::unavailable, .message = "connection lost"};
}

}  // namespace

TEST_CASE("A log is replayed in order, from the start or from a position") {
    Fixture fixture;
    CHECK(fixture.replay()->sequence == 0);
    LogPosition third;
    for (int i = 1; i <= 12; ++i) {
        const auto position = fixture.append(std::to_string(i) + " ");
        REQUIRE(position);
        CHECK(position->sequence == static_cast<std::uint64_t>(i));
        if (i == 3) {
            third = *position;
        }
    }
    REQUIRE(fixture.append("other", kOther));
    const auto end = fixture.replay();
    REQUIRE(end);
    CHECK(*end == fixture.positions[std::string(kWriter)]);
    CHECK(fixture.events == "1 2 3 4 5 6 7 8 9 10 11 12 ");
    CHECK(*fixture.replay(third) == *end);
    CHECK(fixture.events == "4 5 6 7 8 9 10 11 12 ");
    CHECK(*fixture.replay(*end) == *end);
    CHECK(fixture.events.empty());
    CHECK(fixture.beyond == 0);
    REQUIRE(fixture.log.writers({}));
    CHECK(*fixture.log.writers({}) ==
          std::vector<std::string>{std::string(kWriter), std::string(kOther)});
}

TEST_CASE("A replay ends with the error of its visitor") {
    Fixture fixture;
    REQUIRE(fixture.append("1"));
    const auto end =
        fixture.log.replay(kWriter, {},
                           [](const Segment&, const LogPosition&) -> sdk::Status {
                               return sdk::Error{.code = sdk::Errc::cancelled, .message = "enough"};
                           },
                           {});
    CHECK(end.error().code == sdk::Errc::cancelled);
}

TEST_CASE("A replay stops at a gap and counts what lies beyond") {
    Fixture fixture;
    for (int i = 1; i <= 6; ++i) {
        REQUIRE(fixture.append(std::to_string(i)));
    }
    fixture.contents.objects.erase(archive::segment_key(kWriter, 4));
    const auto end = fixture.replay();
    REQUIRE(end);
    CHECK(end->sequence == 3);
    CHECK(fixture.events == "123");
    CHECK(fixture.beyond == 2);
}

TEST_CASE("A segment that does not follow its predecessor breaks the chain") {
    Fixture fixture;
    for (int i = 1; i <= 3; ++i) {
        REQUIRE(fixture.append(std::to_string(i)));
    }
    SECTION("a predecessor that was written anew") {
        Fixture another;
        another.contents.objects.clear();
        const auto forged = archive::encode_segment(
            {.writer = std::string(kWriter),
             .sequence = 2,
             .previous = archive::sha256(fixture.object(1)),
             .created_at = test::at(1),
             .blocks = {{.key = fixture.keyring.archive_key(), .events = "forged"}}});
        REQUIRE(forged);
        fixture.object(2) = *forged;
        const auto end = fixture.replay();
        REQUIRE_FALSE(end);
        CHECK(end.error().code == sdk::Errc::corrupt);
        CHECK(end.error().message.find(archive::segment_key(kWriter, 3)) != std::string::npos);
        CHECK(end.error().message.find("chain") != std::string::npos);
    }
    SECTION("exchanged segments") {
        std::swap(fixture.object(2), fixture.object(3));
        const auto end = fixture.replay();
        REQUIRE_FALSE(end);
        CHECK(end.error().code == sdk::Errc::corrupt);
        CHECK(end.error().message.find(archive::segment_key(kWriter, 2)) != std::string::npos);
    }
    SECTION("a segment of another writer") {
        REQUIRE(fixture.append("x", kOther));
        fixture.object(1) = fixture.contents.objects.at(archive::segment_key(kOther, 1));
        CHECK(fixture.replay().error().code == sdk::Errc::corrupt);
    }
    SECTION("a position that is not the store's") {
        CHECK(
            fixture.replay({.sequence = 2, .digest = archive::sha256("elsewhere")}).error().code ==
            sdk::Errc::corrupt);
    }
}

TEST_CASE("A segment that arrived counts, whatever the store answered") {
    Fixture fixture;
    REQUIRE(fixture.append("1 "));
    fixture.contents.after_put = [](std::string_view) -> sdk::Status { return lost(); };
    REQUIRE(fixture.append("2 "));
    fixture.contents.after_put = nullptr;
    REQUIRE(fixture.append("3 "));
    REQUIRE(fixture.replay());
    CHECK(fixture.events == "1 2 3 ");
}

TEST_CASE("A segment that did not arrive can be appended again") {
    Fixture fixture;
    fixture.contents.before_put = [](std::string_view) -> sdk::Status { return lost(); };
    CHECK(fixture.append("1 ").error().code == sdk::Errc::unavailable);
    CHECK(fixture.contents.objects.empty());
    fixture.contents.before_put = nullptr;
    REQUIRE(fixture.append("1 "));
    REQUIRE(fixture.replay());
    CHECK(fixture.events == "1 ");
}

TEST_CASE("A segment that arrives after its writer gave up is not taken for another engine's") {
    Fixture fixture;
    REQUIRE(fixture.append("1 "));
    // The object lands, and neither the answer nor a look at it comes through.
    fixture.contents.after_put = [](std::string_view) -> sdk::Status { return lost(); };
    fixture.contents.before_get = [](std::string_view) -> sdk::Status { return lost(); };
    REQUIRE_FALSE(fixture.append("2 "));
    SECTION("the same events again are that segment") {
        fixture.contents.after_put = nullptr;
        fixture.contents.before_get = nullptr;
        const auto position = fixture.append("2 ");
        REQUIRE(position);
        CHECK(position->sequence == 2);
        REQUIRE(fixture.replay());
        CHECK(fixture.events == "1 2 ");
    }
    SECTION("other events come after it") {
        REQUIRE_FALSE(fixture.append("3 "));
        REQUIRE_FALSE(fixture.append("4 "));
        fixture.contents.after_put = nullptr;
        fixture.contents.before_get = nullptr;
        const auto position = fixture.append("5 ");
        REQUIRE(position);
        CHECK(position->sequence == 3);
        CHECK(*fixture.replay() == *position);
        CHECK(fixture.events == "1 2 5 ");
    }
}

TEST_CASE("A log that another engine writes is noticed and left as it is") {
    Fixture fixture;
    REQUIRE(fixture.append("1"));
    SegmentLog other(fixture.store, fixture.keyring);
    REQUIRE(other.append(kWriter, fixture.positions[std::string(kWriter)],
                         {{.key = fixture.keyring.archive_key(), .events = "theirs"}}, test::at(1),
                         {}));
    const auto position = fixture.append("ours");
    REQUIRE_FALSE(position);
    CHECK(position.error().code == sdk::Errc::already_exists);
    CHECK(position.error().message.find("another engine writes this log") != std::string::npos);
    REQUIRE(fixture.replay());
    CHECK(fixture.events == "1theirs");
}

TEST_CASE("Objects of another shape beside the log don't disturb it") {
    Fixture fixture;
    REQUIRE(fixture.append("1"));
    fixture.contents.objects["log/" + std::string(kWriter) + "/1"] = "x";
    fixture.contents.objects["log/" + std::string(kWriter) + "/notes"] = "x";
    fixture.contents.objects["log/readme"] = "x";
    fixture.contents.objects["log/short/00000000000000000001"] = "x";
    CHECK(fixture.replay()->sequence == 1);
    CHECK(fixture.beyond == 0);
}
