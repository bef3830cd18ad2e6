// AWS's published examples, "Authenticating Requests (Authorization Header)":
// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
#include "signature.hpp"

#include <catch2/catch.hpp>

#include "client.hpp"
#include "digest.hpp"

namespace openarchiver::s3 {
namespace {

using namespace std::chrono;

const Credentials kCredentials{.access_key_id = "AKIAIOSFODNN7EXAMPLE",
                               .secret_access_key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                               .session_token = ""};
constexpr sys_seconds kTime = sys_days(year(2013) / May / 24);

RequestToSign request(std::string method, std::string path) {
    return {
        .method = std::move(method),
        .path = std::move(path),
        .query = {},
        .fields = {{"Host", "examplebucket.s3.amazonaws.com"}, {"x-amz-date", "20130524T000000Z"}},
        .payload_sha256 = std::string(kEmptySha256)};
}

std::string sign(RequestToSign to_sign) {
    to_sign.fields.emplace_back("x-amz-content-sha256", to_sign.payload_sha256);
    return authorization(to_sign, kCredentials, "us-east-1", kTime);
}

std::string expected(const std::string& fields, const std::string& signature) {
    return "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
           "SignedHeaders=" +
           fields + ",Signature=" + signature;
}

TEST_CASE("AWS's example GET Object", "[unit]") {
    RequestToSign get = request("GET", "/test.txt");
    get.fields.emplace_back("Range", "bytes=0-9");
    CHECK(sign(get) ==
          expected("host;range;x-amz-content-sha256;x-amz-date",
                   "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"));
}

TEST_CASE("AWS's example PUT Object", "[unit]") {
    RequestToSign put = request("PUT", "/test$file.text");
    put.fields.emplace_back("Date", "Fri, 24 May 2013 00:00:00 GMT");
    put.fields.emplace_back("x-amz-storage-class", "REDUCED_REDUNDANCY");
    put.payload_sha256 = sha256_hex("Welcome to Amazon S3.");
    CHECK(sign(put) ==
          expected("date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                   "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"));
}

TEST_CASE("AWS's example GET Bucket Lifecycle", "[unit]") {
    RequestToSign get = request("GET", "/");
    get.query = {{"lifecycle", ""}};
    CHECK(sign(get) ==
          expected("host;x-amz-content-sha256;x-amz-date",
                   "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

TEST_CASE("AWS's example List Objects", "[unit]") {
    RequestToSign get = request("GET", "/");
    get.query = {{"prefix", "J"}, {"max-keys", "2"}};
    CHECK(sign(get) ==
          expected("host;x-amz-content-sha256;x-amz-date",
                   "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"));
}

TEST_CASE("A date of the signature", "[unit]") {
    CHECK(amz_date(sys_days(year(2026) / January / 2) + hours(3) + minutes(4) + seconds(5)) ==
          "20260102T030405Z");
}

}  // namespace
}  // namespace openarchiver::s3
