#include "evidence/text.hpp"

#include <catch2/catch.hpp>

#include "evidence/head.hpp"
#include "evidence/statement.hpp"

using namespace openarchiver;

namespace {

sdk::Timestamp at(std::int64_t ms) {
    return sdk::Timestamp(std::chrono::milliseconds(ms));
}

archive::SecretKey key_of(int value) {
    archive::SecretKey key{};
    key.fill(static_cast<std::byte>(value));
    return key;
}

evidence::Head a_head() {
    return {.archive_id = "0123456789abcdef0123456789abcdef",
            .size = 7,
            .root = archive::sha256("root"),
            .number = 3,
            .time = at(1790668800123),
            .previous = archive::sha256("before"),
            .keyring_generation = 2,
            .positions = {{"aaaaaaaaaaaaaaaa", {.sequence = 4, .digest = archive::sha256("a")}},
                          {"bbbbbbbbbbbbbbbb", {.sequence = 1, .digest = archive::sha256("b")}}}};
}

}  // namespace

TEST_CASE("Values have one form, and whatever else is there is refused") {
    for (const std::string text : {"", "f", "fo", "foo", "foob", "fooba", "foobar"}) {
        const auto bytes = std::as_bytes(std::span(text));
        const auto back = evidence::from_base64(evidence::to_base64(bytes));
        REQUIRE(back);
        CHECK(std::ranges::equal(*back, bytes));
    }
    CHECK(evidence::to_base64(std::as_bytes(std::span("foobar", 6))) == "Zm9vYmFy");
    CHECK_FALSE(evidence::from_base64("Zm9"));
    CHECK_FALSE(evidence::from_base64("Zm9*"));
    CHECK(evidence::time_text(at(0)) == "1970-01-01T00:00:00.000Z");
    CHECK(evidence::time_from(evidence::time_text(at(1790668800123))) == at(1790668800123));
    CHECK_FALSE(evidence::time_from("2026-02-30T00:00:00.000Z"));
    CHECK_FALSE(evidence::time_from("2026-02-20T00:61:00.000Z"));
    CHECK_FALSE(evidence::time_from("2026-02-20 00:00:00.000Z"));
    CHECK_FALSE(evidence::number_from("01"));
    CHECK_FALSE(evidence::number_from("-1"));
    CHECK_FALSE(evidence::number_from("18446744073709551616"));
    std::string every;
    for (int byte = 0; byte < 256; ++byte) {
        every.push_back(static_cast<char>(byte));
    }
    CHECK(evidence::percent_decoded(evidence::percent_encoded(every)) == every);
    for (const char* const text : {"%", "%4", "%zz", "%41", "%0a", "a b"}) {
        CHECK_FALSE(evidence::percent_decoded(text));
    }
}

TEST_CASE("A statement survives, and a changed one is not taken for it") {
    const evidence::Statement statement{.archive_id = "0123",
                                        .source = "contoso",
                                        .account = "ada lovelace",
                                        .item = std::string("\xFF\n%", 3),
                                        .media_type = "message/rfc822",
                                        .content = archive::sha256("content"),
                                        .size = 7,
                                        .received_at = {},
                                        .archived_at = at(5),
                                        .exact = false};
    const std::string text = evidence::to_text(statement);
    const auto read = evidence::parse_statement(text);
    REQUIRE(read);
    CHECK(read->item == statement.item);
    CHECK(read->account == statement.account);
    CHECK_FALSE(read->received_at);
    CHECK_FALSE(read->exact);
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string changed = text;
        changed[i] = static_cast<char>(changed[i] ^ 1);
        CHECK(evidence::commitment({}, changed) != evidence::commitment({}, text));
        REQUIRE_FALSE(evidence::parse_statement(text.substr(0, i)));
    }
    CHECK(evidence::commitment({std::byte{1}}, text) != evidence::commitment({}, text));
}

TEST_CASE("A head is what its key signed, to the last bit") {
    const std::string note = evidence::sign_head(a_head(), key_of(1));
    const auto key = archive::public_key_of(key_of(1));
    const auto opened = evidence::open_head(note, key);
    REQUIRE(opened);
    CHECK(opened->positions == a_head().positions);
    CHECK(opened->time == a_head().time);
    for (std::size_t bit = 0; bit < note.size() * 8; ++bit) {
        std::string changed = note;
        changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
        INFO("bit " << bit);
        REQUIRE_FALSE(evidence::open_head(changed, key));
    }
    for (std::size_t size = 0; size < note.size(); ++size) {
        REQUIRE_FALSE(evidence::open_head(note.substr(0, size), key));
    }
    CHECK_FALSE(evidence::open_head(note + note, key));
    CHECK(evidence::open_head(note, archive::public_key_of(key_of(2))).error().code ==
          sdk::Errc::unauthenticated);
}
