#include "export/time_filter.hpp"

#include <catch2/catch.hpp>

#include "export/manifest.hpp"

using namespace openarchiver::exporter;

TEST_CASE("Days and times of RFC 3339 are understood") {
    const auto text = [](const char* given) {
        const auto time = parse_time(given);
        return time ? iso_time(*time) : time.error().message;
    };
    REQUIRE(text("2026-03-01") == "2026-03-01T00:00:00Z");
    REQUIRE(text("2026-03-01T14:05:09Z") == "2026-03-01T14:05:09Z");
    REQUIRE(text("2026-03-01 14:05:09z") == "2026-03-01T14:05:09Z");
    REQUIRE(text("2026-03-01T00:30:00+01:00") == "2026-02-28T23:30:00Z");
    REQUIRE(text("2026-03-01T00:30:00.1234-00:30") == "2026-03-01T01:00:00.123Z");
    REQUIRE(text("1969-12-31T23:59:59.999Z") == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("What is no day or time is refused with what is expected") {
    for (const char* given : {"", "yesterday", "2026-3-1", "2026-02-30", "2026-13-01",
                              "2026-03-01T", "2026-03-01T25:00:00Z", "2026-03-01T14:05:09",
                              "2026-03-01T14:05:09Zx", "2026-03-01T14:05:09.Z", "2026-03-01x"}) {
        INFO(given);
        const auto time = parse_time(given);
        REQUIRE_FALSE(time);
        REQUIRE(time.error().code == openarchiver::sdk::Errc::invalid_argument);
        REQUIRE(time.error().message.find("2026-03-01T14:05:09Z") != std::string::npos);
    }
}
