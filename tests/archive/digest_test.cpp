#include "archive/digest.hpp"

#include <catch2/catch.hpp>

using namespace openarchiver;

TEST_CASE("SHA-256 agrees with the published test vectors") {
    CHECK(archive::to_hex(archive::sha256("")) ==
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    CHECK(archive::to_hex(archive::sha256("abc")) ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    archive::Sha256 pieces;
    pieces.update(std::as_bytes(std::span("a", 1)));
    pieces.update({});
    pieces.update(std::as_bytes(std::span("bc", 2)));
    CHECK(pieces.finish() == archive::sha256("abc"));
}

TEST_CASE("A digest is read back from its lower-case hexadecimal only") {
    const archive::Digest digest = archive::sha256("abc");
    const std::string hex = archive::to_hex(digest);
    REQUIRE(archive::digest_from_hex(hex));
    CHECK(*archive::digest_from_hex(hex) == digest);
    std::string upper = hex;
    upper[0] = 'B';
    CHECK_FALSE(archive::digest_from_hex(upper));
    CHECK_FALSE(archive::digest_from_hex(hex.substr(2)));
    CHECK_FALSE(archive::digest_from_hex(""));
}
