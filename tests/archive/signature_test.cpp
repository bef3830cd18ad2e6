#include "archive/signature.hpp"

#include <catch2/catch.hpp>

#include "archive/digest.hpp"
#include "archive/passphrase.hpp"
#include "support.hpp"

using namespace openarchiver;

TEST_CASE("Ed25519 is that of RFC 8032") {
    // Section 7.1, test 2.
    const auto key = *archive::digest_from_hex(
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
    const auto public_key = archive::public_key_of(key);
    CHECK(archive::to_hex(public_key) ==
          "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    const auto signature = archive::sign(key, "\x72");
    CHECK(archive::to_hex(signature) ==
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
          "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
    CHECK(archive::is_signed_by(public_key, "\x72", signature));
    CHECK_FALSE(archive::is_signed_by(public_key, "\x73", signature));
    CHECK(*archive::public_key_from_pem(archive::to_pem(public_key)) == public_key);
    CHECK_FALSE(archive::public_key_from_pem(archive::to_pem(public_key).substr(0, 60)));
}

TEST_CASE("A passphrase makes one key with the same parameters, and parameters are bounded") {
    archive::Scrypt scrypt = archive::Scrypt::fresh();
    scrypt.log_n = 10;
    const auto key = archive::derive_master_key("correct horse battery staple", scrypt);
    REQUIRE(key);
    CHECK(*archive::derive_master_key("correct horse battery staple", scrypt) == *key);
    CHECK(*archive::derive_master_key("correct horse battery stable", scrypt) != *key);
    archive::Scrypt other = scrypt;
    other.salt = archive::Scrypt::fresh().salt;
    CHECK(*archive::derive_master_key("correct horse battery staple", other) != *key);
    CHECK_FALSE(archive::derive_master_key("", scrypt));
    for (const auto& [log_n, r, p] :
         {std::tuple(0, 8, 1), std::tuple(24, 8, 1), std::tuple(255, 8, 1), std::tuple(17, 255, 1),
          std::tuple(10, 8, 255), std::tuple(10, 0, 1)}) {
        other.log_n = static_cast<std::uint8_t>(log_n);
        other.r = static_cast<std::uint8_t>(r);
        other.p = static_cast<std::uint8_t>(p);
        CHECK(archive::derive_master_key("x", other).error().code == sdk::Errc::unsupported);
    }
    CHECK_FALSE(archive::check_new_passphrase("elevenchars"));
    CHECK(archive::check_new_passphrase("twelve chars"));
}
