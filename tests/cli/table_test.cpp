#include "cli/table.hpp"

#include <catch2/catch.hpp>
#include <chrono>
#include <string>

using namespace openarchiver;
using cli::Table;

TEST_CASE("A text's width is the columns that it takes on a terminal", "[cli]") {
    CHECK(cli::display_width("Inbox") == 5);
    CHECK(cli::display_width("Entwürfe") == 8);
    CHECK(cli::display_width("受信トレイ") == 10);
    CHECK(cli::display_width("e\xCC\x81") == 1);  // e and a combining accent
    CHECK(cli::display_width("📧") == 2);
    CHECK(cli::display_width("\xFF\xFE") == 2);  // no UTF-8: one replacement each
}

TEST_CASE("What does not fit is cut at a character and marked", "[cli]") {
    CHECK(cli::fit("Inbox", 5) == "Inbox");
    CHECK(cli::fit("Entwürfe", 5) == "Entw…");
    CHECK(cli::fit("受信トレイ", 5) == "受信…");
    CHECK(cli::fit("受信トレイ", 4) == "受…");
    CHECK(cli::fit("Inbox", 0).empty());
}

TEST_CASE("Text from elsewhere can't steer the terminal", "[cli]") {
    CHECK(cli::plain("a\x1b[31mb\r\nc") == "a [31mb  c");
    CHECK(cli::plain("a\xE2\x80\xAE"
                     "b") == "ab");
    CHECK(cli::plain("a\xC3") == "a\xEF\xBF\xBD");
}

TEST_CASE("A table's columns are aligned by width, not by bytes", "[cli]") {
    Table table(
        {{.name = "FOLDER"}, {.name = "ITEMS", .align = Table::Align::right}, {.name = "X"}});
    table.row({"Entwürfe", "7", "a"});
    table.row({"受信トレイ", "1,234", ""});
    CHECK(table.text() ==
          "FOLDER      ITEMS  X\n"
          "Entwürfe        7  a\n"
          "受信トレイ  1,234  \n");
}

TEST_CASE("A column with a limit cuts its values", "[cli]") {
    Table table({{.name = "NAME", .limit = 4}});
    table.row({"Adalbert"});
    CHECK(table.text() == "NAME\nAda…\n");
}

TEST_CASE("Sizes, counts, durations and times are readable", "[cli]") {
    using namespace std::chrono_literals;
    CHECK(cli::size_text(0) == "0 B");
    CHECK(cli::size_text(1023) == "1023 B");
    CHECK(cli::size_text(1536) == "1.5 KiB");
    CHECK(cli::size_text(std::uint64_t{1} << 20U) == "1.0 MiB");
    CHECK(cli::size_text((std::uint64_t{1} << 20U) - 1) == "1.0 MiB");
    CHECK(cli::size_text(std::uint64_t{123} << 30U) == "123 GiB");
    CHECK(cli::count_text(0) == "0");
    CHECK(cli::count_text(999) == "999");
    CHECK(cli::count_text(1000) == "1,000");
    CHECK(cli::count_text(12345678) == "12,345,678");
    CHECK(cli::duration_text(1234ms) == "1.2s");
    CHECK(cli::duration_text(45s) == "45s");
    CHECK(cli::duration_text(725s) == "12m 05s");
    CHECK(cli::duration_text(200min) == "3h 20m");
    CHECK(cli::duration_text(52h) == "2d 4h");
    CHECK(cli::time_text({}) == "never");
    CHECK(cli::time_text(sdk::Timestamp(1772373909120ms)) == "2026-03-01 14:05:09");
}
