#include "documents.hpp"

#include <catch2/catch.hpp>

#include "credentials.hpp"
#include "settings.hpp"

namespace openarchiver::s3 {
namespace {

using sdk::Errc;

constexpr std::string_view kPage =
    R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name>
<Prefix>a%2F</Prefix><IsTruncated>true</IsTruncated>
<Contents><Key>a%2Fb%20c+d%26</Key><LastModified>2009-10-12T17:50:30.250Z</LastModified>
<ETag>&quot;x&quot;</ETag><Size>434234</Size><Owner><ID>1</ID></Owner></Contents>
<CommonPrefixes><Prefix>z/</Prefix></CommonPrefixes>
<NextContinuationToken>1ueG/+=</NextContinuationToken></ListBucketResult>)";

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
    std::string result(text);
    result.replace(result.find(from), from.size(), to);
    return result;
}

TEST_CASE("A page of a listing is read", "[unit]") {
    const auto page = parse_listing(kPage);
    REQUIRE(page);
    REQUIRE(page->objects.size() == 1);
    CHECK(page->objects[0].key == "a/b c d&");
    CHECK(page->objects[0].size == 434234);
    CHECK(page->objects[0].modified_at.time_since_epoch().count() == 1255369830250);
    CHECK(page->continuation == "1ueG/+=");
    CHECK(parse_listing(replaced(kPage, ">true<", ">false<"))->continuation.empty());
}

TEST_CASE("A listing that lacks something is refused", "[unit]") {
    const auto refused = [](std::string_view page) {
        const auto listing = parse_listing(page);
        return !listing && listing.error().code == Errc::unavailable;
    };
    CHECK(refused(""));
    CHECK(refused("<html></html>"));
    CHECK(refused(kPage.substr(0, kPage.size() - 5)));
    CHECK(refused(replaced(kPage, "<Size>434234</Size>", "")));
    CHECK(refused(replaced(kPage, "434234", "-1")));
    CHECK(refused(replaced(kPage, "2009-10", "2009-13")));
    CHECK(refused(replaced(kPage, "<NextContinuationToken>1ueG/+=</NextContinuationToken>", "")));
    // No file of this machine is read for anybody.
    const std::string doctype =
        replaced(kPage, "<ListBucketResult",
                 "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]><ListBucketResult");
    CHECK_FALSE(refused(doctype));
    CHECK(refused(replaced(doctype, "a%2Fb%20", "a&e;")));
}

TEST_CASE("An error is read, and what is none gives none", "[unit]") {
    const ErrorDocument error = parse_error(
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>m &amp; n</Message>"
        "<Region>eu-central-1</Region><RequestId>r</RequestId></Error>");
    CHECK(error.code == "AuthorizationHeaderMalformed");
    CHECK(error.message == "m & n");
    CHECK(error.region == "eu-central-1");
    CHECK(error.request_id == "r");
    CHECK(parse_error("<html><body>no</body></html>").code.empty());
    CHECK(parse_error("<Error><Code>Cut").code.empty());
}

TEST_CASE("Credentials are found in AWS's file", "[unit]") {
    constexpr std::string_view kFile =
        "# comment\r\n[default]\r\naws_access_key_id=A\r\naws_secret_access_key = s=e/+c\r\n\r\n"
        "[ other ]\naws_access_key_id = B\naws_secret_access_key = t\n; x\n"
        "aws_session_token = tok==\nregion = eu\n[half]\naws_access_key_id = C\n"
        "[bad]\naws_access_key_id = D E\naws_secret_access_key = t";
    const auto first = parse_credentials(kFile, "default");
    REQUIRE(first);
    CHECK(first->access_key_id == "A");
    CHECK(first->secret_access_key == "s=e/+c");
    CHECK(first->session_token.empty());
    const auto other = parse_credentials(kFile, "other");
    REQUIRE(other);
    CHECK(other->access_key_id == "B");
    CHECK(other->session_token == "tok==");
    for (const char* const missing : {"half", "bad", "none", ""}) {
        CHECK_FALSE(parse_credentials(kFile, missing));
    }
}

TEST_CASE("The configuration decides where requests go", "[unit]") {
    const auto settings = [](std::string_view config) {
        return parse_settings(config, "/profile");
    };
    CHECK(settings(R"({"bucket": "b1"})")->origin.url() == "https://b1.s3.us-east-1.amazonaws.com");
    CHECK(settings(R"({"bucket": "b1", "region": "cn-north-1"})")->origin.url() ==
          "https://b1.s3.cn-north-1.amazonaws.com.cn");
    const auto dotted = settings(R"({"bucket": "b.1", "region": "eu-central-1"})");
    CHECK(dotted->origin.url() == "https://s3.eu-central-1.amazonaws.com");
    CHECK(dotted->path_style);
    const auto own = settings(R"({"bucket": "b1", "endpoint": "https://s3.example.org:9000/",
                                  "prefix": "a/b/", "ca_file": "ca.pem"})");
    CHECK(own->origin.url() == "https://s3.example.org:9000");
    CHECK(own->path_style);
    CHECK(own->prefix == "a/b/");
    CHECK(own->ca_file == "/profile/ca.pem");
    CHECK(settings(R"({"bucket": "b1", "endpoint": "https://s3.example.org", "path_style": false})")
              ->origin.url() == "https://b1.s3.example.org");
    for (const char* const bad :
         {R"([])", R"({})", R"({"bucket": "a/b"})", R"({"bucket": ".."})", R"({"bucket": 5})",
          R"({"bucket": "b1", "prefix": "/a"})", R"({"bucket": "b1", "prefix": "a//b"})",
          R"({"bucket": "b1", "endpoint": "http://s3.example.org"})",
          R"({"bucket": "b1", "endpoint": "https://s3.example.org/path"})",
          R"({"bucket": "b1", "endpoint": "s3.example.org"})",
          R"({"bucket": "b1", "region": "EU"})", R"({"bucket": "b1", "path_style": 1})",
          R"({"bucket": "b1", "timeout_seconds": 0})"}) {
        INFO(bad);
        const auto refused = settings(bad);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::invalid_config);
    }
}

}  // namespace
}  // namespace openarchiver::s3
