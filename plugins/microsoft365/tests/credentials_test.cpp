#include "auth/credentials.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <memory>
#include <set>

#include "failure.hpp"
#include "http/base64.hpp"
#include "http/origin.hpp"
#include "support/test_host.hpp"

namespace openarchiver::microsoft365 {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;
using sdk::Errc;
using Kind = CredentialSettings::Kind;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

constexpr char kClient[] = "c0ffee00-1111-4222-8333-444455556666";
constexpr char kAudience[] = "https://login.microsoftonline.us/tenant/oauth2/v2.0/token";

/// Files of a certificate and of a token, in a folder that is removed again.
class Files {
public:
    Files() {
        std::string name = (std::filesystem::temp_directory_path() / "oa-auth-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        folder_ = name;
    }

    Files(const Files&) = delete;
    Files& operator=(const Files&) = delete;

    ~Files() {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }

    /// Key and certificate that are good for an hour; returns the key.
    Key write_certificate() const {
        Key key(EVP_RSA_gen(2048), &EVP_PKEY_free);
        const std::unique_ptr<X509, decltype(&X509_free)> own(X509_new(), &X509_free);
        X509_gmtime_adj(X509_getm_notBefore(own.get()), -3600);
        X509_gmtime_adj(X509_getm_notAfter(own.get()), 3600);
        X509_set_pubkey(own.get(), key.get());
        X509_sign(own.get(), key.get(), EVP_sha256());
        const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(pem().c_str(), "w"), &fclose);
        PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
        PEM_write_X509(file.get(), own.get());
        return key;
    }

    void write_token(const std::string& text) const { std::ofstream(token()) << text; }

    [[nodiscard]] std::filesystem::path pem() const { return folder_ / "client.pem"; }

    [[nodiscard]] std::filesystem::path token() const { return folder_ / "token"; }

private:
    std::filesystem::path folder_;
};

struct Assertion {
    json::object header;
    json::object claims;
    std::string text;
    std::string signature;
};

Assertion assertion_in(const std::string& form) {
    const std::string_view kName = "client_assertion=";
    const std::string jwt = form.substr(form.find(kName) + kName.size());
    const std::size_t first = jwt.find('.');
    const std::size_t second = jwt.find('.', first + 1);
    const auto object = [&](std::size_t from, std::size_t to) {
        return json::parse(decode_base64url(jwt.substr(from, to - from)).value()).as_object();
    };
    return {object(0, first), object(first + 1, second), jwt.substr(0, second),
            decode_base64url(jwt.substr(second + 1)).value()};
}

bool verifies(EVP_PKEY* key, const Assertion& assertion, bool pss) {
    const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                          &EVP_MD_CTX_free);
    EVP_PKEY_CTX* padding = nullptr;
    REQUIRE(EVP_DigestVerifyInit(context.get(), &padding, EVP_sha256(), nullptr, key) == 1);
    if (pss) {
        EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING);
        EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, 32);
    }
    return EVP_DigestVerify(context.get(),
                            reinterpret_cast<const unsigned char*>(assertion.signature.data()),
                            assertion.signature.size(),
                            reinterpret_cast<const unsigned char*>(assertion.text.data()),
                            assertion.text.size()) == 1;
}

TEST_CASE("an assertion says what Entra asks for, anew each time", "[unit]") {
    const Files files;
    const Key key = files.write_certificate();
    test::TestHost host;
    const bool rs256 = GENERATE(false, true);
    const Credentials credentials(
        {.kind = Kind::certificate,
         .file = files.pem(),
         .algorithm = rs256 ? SigningAlgorithm::rs256 : SigningAlgorithm::ps256},
        host.services());
    const auto now = std::chrono::floor<std::chrono::seconds>(host.clock.now()).time_since_epoch();
    std::set<std::string> ids;
    for (int i = 0; i < 3; ++i) {
        const auto proof = credentials.prove(kClient, kAudience);
        REQUIRE(proof);
        CHECK(
            proof->form.starts_with("&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-"
                                    "assertion-type%3Ajwt-bearer&client_assertion="));
        const Assertion assertion = assertion_in(proof->form);
        CHECK(assertion.header.at("alg") == (rs256 ? "RS256" : "PS256"));
        CHECK(assertion.header.at("typ") == "JWT");
        CHECK(assertion.header.at("x5t#S256").as_string().size() == 43);
        CHECK(assertion.header.contains("x5t") == rs256);
        CHECK(assertion.claims.at("aud") == kAudience);
        CHECK(assertion.claims.at("iss") == kClient);
        CHECK(assertion.claims.at("sub") == kClient);
        const auto from = assertion.claims.at("nbf").as_int64();
        CHECK(from <= now.count() - 50);
        CHECK(assertion.claims.at("exp").as_int64() == from + 600);
        CHECK(verifies(key.get(), assertion, !rs256));
        CHECK_FALSE(verifies(key.get(), assertion, rs256));
        ids.emplace(assertion.claims.at("jti").as_string());
    }
    CHECK(ids.size() == 3);
}

TEST_CASE("a certificate outside its validity is not even presented", "[unit]") {
    const Files files;
    (void)files.write_certificate();
    test::TestHost host;
    const Credentials credentials({.kind = Kind::certificate, .file = files.pem()},
                                  host.services());
    REQUIRE(credentials.prove(kClient, kAudience));
    host.clock.advance(2h);
    const auto expired = credentials.prove(kClient, kAudience);
    REQUIRE_FALSE(expired);
    CHECK(expired.error().code == Errc::unauthenticated);
    CHECK_THAT(expired.error().message, Catch::Contains("has expired"));
    // What it is can still be told, and so can when it ended.
    REQUIRE(credentials.inspect());
    CHECK(credentials.inspect()->expires.value() < host.clock.now());
    host.clock.advance(-4h);
    CHECK_THAT(credentials.prove(kClient, kAudience).error().message,
               Catch::Contains("not valid yet"));
}

TEST_CASE("a federated token is passed through unchanged and read anew", "[unit]") {
    const Files files;
    test::TestHost host;
    const auto token = [](std::string_view claims) {
        return encode_base64url(R"({"alg":"RS256"})") + "." + encode_base64url(claims) + ".c2ln";
    };
    const Credentials credentials({.kind = Kind::federated_token, .file = files.token()},
                                  host.services());
    const std::string first = token(R"({"iss":"https://i","sub":"s1","aud":["a","b"]})");
    files.write_token("\n " + first + "\r\n");
    const auto proof = credentials.prove(kClient, kAudience);
    REQUIRE(proof);
    CHECK(proof->form.ends_with("client_assertion=" + first));
    CHECK_THAT(proof->presented, Catch::Contains("'https://i'") && Catch::Contains("'s1'") &&
                                     Catch::Contains("'a, b'"));
    const std::string second = token(R"({"iss":"https://i","sub":"s2","aud":"a"})");
    files.write_token(second);
    CHECK(credentials.prove(kClient, kAudience)->form.ends_with(second));
    CHECK_FALSE(credentials.inspect()->expires);

    files.write_token(token(R"({"exp":1})"));
    CHECK(credentials.prove(kClient, kAudience).error().code == Errc::unauthenticated);
    for (const std::string& wrong : {std::string("no token"), std::string("a.b.c"),
                                     first + "\r\nX: y", std::string(100'000, 'a')}) {
        files.write_token(wrong);
        CHECK(credentials.prove(kClient, kAudience).error().code == Errc::invalid_config);
    }
}

}  // namespace
}  // namespace openarchiver::microsoft365
