#include <catch2/catch.hpp>

#include "archive/digest.hpp"
#include "verify/content_check.hpp"

using namespace openarchiver;

TEST_CASE("Each pack belongs to exactly one part, always the same") {
    std::array<int, 7> sizes{};
    for (int i = 0; i < 7000; ++i) {
        const auto pack = archive::sha256(std::to_string(i));
        int owners = 0;
        for (std::uint64_t number = 1; number <= 7; ++number) {
            if (verify::belongs_to(verify::Part{number, 7}, pack)) {
                ++owners;
                ++sizes[number - 1];
            }
        }
        REQUIRE(owners == 1);
        REQUIRE(verify::belongs_to(std::nullopt, pack));
        REQUIRE(verify::belongs_to(verify::Part{1, 1}, pack));
    }
    for (const int size : sizes) {
        REQUIRE(size > 800);
    }
}
