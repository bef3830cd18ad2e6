#include "export/names.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "export/utf8.hpp"

using namespace openarchiver::exporter;

namespace {

/// Names from the characters that matter, so that near-collisions are likely.
std::vector<std::string> random_names(std::size_t count) {
    static const std::vector<std::string> kPieces = {".",
                                                     "..",
                                                     "/",
                                                     "\\",
                                                     " ",
                                                     "%",
                                                     "%2F",
                                                     "%~",
                                                     "%empty",
                                                     "a",
                                                     "A",
                                                     "\n",
                                                     ":",
                                                     "*",
                                                     "CON",
                                                     "nul",
                                                     ".eml",
                                                     ".txt",
                                                     "é",
                                                     "\xC3",
                                                     "日",
                                                     std::string(1, '\0'),
                                                     std::string(90, 'x'),
                                                     std::string(120, 'y')};
    std::mt19937 random(20260301);
    std::uniform_int_distribution<std::size_t> length(0, 5);
    std::uniform_int_distribution<std::size_t> piece(0, kPieces.size() - 1);
    std::vector<std::string> names;
    for (std::size_t i = 0; i < count; ++i) {
        std::string name;
        for (std::size_t n = length(random); n > 0; --n) {
            name += kPieces[piece(random)];
        }
        names.push_back(std::move(name));
    }
    return names;
}

void require_safe(const std::string& name) {
    INFO(name);
    REQUIRE(!name.empty());
    REQUIRE(name.size() <= 255);
    REQUIRE(name != ".");
    REQUIRE(name != "..");
    REQUIRE(name.find('/') == std::string::npos);
    REQUIRE(name.find('\\') == std::string::npos);
    REQUIRE(name.find('\0') == std::string::npos);
    REQUIRE(name.front() != '.');
    REQUIRE(name.back() != '.');
    REQUIRE(name.back() != ' ');
    REQUIRE(valid_utf8(name) == name);
}

}  // namespace

TEST_CASE("Plain names stay as they are") {
    for (const char* name :
         {"Inbox", "Projects 2026", "Gelöschte Elemente", "日本語", "a.b.c", "-"}) {
        REQUIRE(escape_name(name) == name);
    }
}

TEST_CASE("Names that a file system can't hold are escaped") {
    REQUIRE(escape_name("") == "%empty");
    REQUIRE(escape_name(".") == "%2E");
    REQUIRE(escape_name("..") == "%2E%2E");
    REQUIRE(escape_name("../../etc/passwd") == "%2E.%2F..%2Fetc%2Fpasswd");
    REQUIRE(escape_name("50% off") == "50%25 off");
    REQUIRE(escape_name("trailing. ") == "trailing%2E%20");
    REQUIRE(escape_name(".hidden") == "%2Ehidden");
    REQUIRE(escape_name("con") == "%63on");
    REQUIRE(escape_name("LPT1.txt") == "%4CPT1.txt");
    REQUIRE(escape_name("console") == "console");
    REQUIRE(escape_name(std::string("a\0b", 3)) == "a%00b");
    REQUIRE(escape_name("\xC3(") == "%C3(");
    REQUIRE(escape_name("a.b", ".") == "a%2Eb");
}

TEST_CASE("Different names have different escaped names, none of which leaves its folder") {
    std::map<std::string, std::string> name_of;
    for (const auto& name : random_names(20000)) {
        const std::string escaped = escape_name(name);
        require_safe(escaped);
        const auto [known, is_new] = name_of.emplace(escaped, name);
        INFO(escaped);
        REQUIRE(known->second == name);
    }
}

TEST_CASE("A long name is cut at a character and keeps its difference in a hash") {
    std::string base;
    while (base.size() < 300) {
        base += "日";
    }
    const std::string a = escape_name(base + "a");
    const std::string b = escape_name(base + "b");
    REQUIRE(a.size() <= kMaxName);
    REQUIRE(a != b);
    REQUIRE(valid_utf8(a) == a);
    REQUIRE(a.find("%~") != std::string::npos);
    const std::string slashes = escape_name(std::string(200, '/'));
    const auto cut = slashes.find("%~");
    REQUIRE(cut % 3 == 0);
}

TEST_CASE("Different paths have different escaped paths of bounded length") {
    const auto names = random_names(6000);
    std::map<std::string, std::vector<std::string>> path_of;
    std::mt19937 random(7);
    std::uniform_int_distribution<std::size_t> depth(1, 12);
    std::uniform_int_distribution<std::size_t> pick(0, names.size() - 1);
    for (int i = 0; i < 5000; ++i) {
        std::vector<std::string> path;
        for (std::size_t n = depth(random); n > 0; --n) {
            path.push_back(names[pick(random)]);
        }
        const std::string escaped = escape_path(path, ".eml");
        REQUIRE(escaped.size() <= kMaxPath);
        REQUIRE(is_safe_relative(escaped));
        for (std::size_t start = 0; start <= escaped.size();) {
            const auto end = std::min(escaped.find('/', start), escaped.size());
            require_safe(escaped.substr(start, end - start));
            REQUIRE(!escaped.substr(start, end - start).ends_with(".eml"));
            start = end + 1;
        }
        REQUIRE(path_of.emplace(escaped, path).first->second == path);
    }
}

TEST_CASE("A folder can't have the name of a file beside it") {
    const std::vector<std::string> path = {"a", "Old.MBOX", "b"};
    REQUIRE(escape_path(path, ".mbox") == "a/Old%2EMBOX/b");
    REQUIRE(escape_path(path) == "a/Old.MBOX/b");
}

TEST_CASE("Only paths below their folder are safe") {
    REQUIRE(is_safe_relative("a/b.eml"));
    for (const char* path : {"", "/a", "a/", "a//b", "../a", "a/../b", "a/.."}) {
        INFO(path);
        REQUIRE_FALSE(is_safe_relative(path));
    }
}
