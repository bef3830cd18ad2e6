#include "uid_set.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <set>

using openarchiver::imap::UidSet;

namespace {

UidSet set_of(const char* text) {
    const auto set = UidSet::parse(text);
    REQUIRE(set);
    return *set;
}

}  // namespace

TEST_CASE("A set is written as short as it can be") {
    CHECK(set_of("1,2,3,5,7:9,8:12").text() == "1:3,5,7:12");
    CHECK(set_of("9:7").text() == "7:9");
    CHECK(set_of("4294967295,4294967294").text() == "4294967294:4294967295");
    CHECK(set_of("").empty());
}

TEST_CASE("What is no sequence set is not read as one") {
    for (const char* text : {"0", "1:", ":2", "1,,2", "a", "1:*", "4294967296", "-1", "1 2"}) {
        INFO(text);
        CHECK_FALSE(UidSet::parse(text));
    }
}

TEST_CASE("A set takes its smallest out") {
    UidSet set = set_of("1:10,20");
    CHECK(set.take(4).text() == "1:4");
    CHECK(set.text() == "5:10,20");
    CHECK(set.take(100).text() == "5:10,20");
    CHECK(set.empty());
}

TEST_CASE("Sets do what sets of numbers do") {
    std::mt19937 random(1);  // NOLINT: the same each time
    for (int round = 0; round < 300; ++round) {
        UidSet left;
        UidSet right;
        std::set<UidSet::Uid> plain_left;
        std::set<UidSet::Uid> plain_right;
        for (int i = 0; i < 12; ++i) {
            const UidSet::Uid first = static_cast<UidSet::Uid>(1 + random() % 40);
            const UidSet::Uid last = static_cast<UidSet::Uid>(first + random() % 5);
            const bool to_left = random() % 2 == 0;
            (to_left ? left : right).add(first, last);
            for (UidSet::Uid uid = first; uid <= last; ++uid) {
                (to_left ? plain_left : plain_right).insert(uid);
            }
        }
        std::vector<UidSet::Uid> rest;
        for (const UidSet::Uid uid : plain_left) {
            if (!plain_right.contains(uid)) {
                rest.push_back(uid);
            }
        }
        CHECK(left.uids() == std::vector<UidSet::Uid>(plain_left.begin(), plain_left.end()));
        CHECK(left.count() == plain_left.size());
        CHECK(left.without(right).uids() == rest);
        CHECK(UidSet::parse(left.text()) == left);
        for (UidSet::Uid uid = 1; uid < 50; ++uid) {
            CHECK(left.contains(uid) == plain_left.contains(uid));
        }
        CHECK(left.within(10, 20).count() ==
              static_cast<std::uint64_t>(
                  std::distance(plain_left.lower_bound(10), plain_left.upper_bound(20))));
    }
}
