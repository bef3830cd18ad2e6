#include <catch2/catch.hpp>

#include "failure.hpp"

using namespace openarchiver;
using namespace openarchiver::imap;

TEST_CASE("Response codes decide what a refusal means") {
    struct Case {
        const char* code;
        Purpose purpose;
        sdk::Errc expected;
    };

    using enum sdk::Errc;
    for (const Case& one : std::initializer_list<Case>{
             {"AUTHENTICATIONFAILED", Purpose::signing_in, unauthenticated},
             {"EXPIRED", Purpose::signing_in, unauthenticated},
             {"AUTHORIZATIONFAILED", Purpose::signing_in, permission_denied},
             {"UNAVAILABLE", Purpose::signing_in, unavailable},
             {"THROTTLED", Purpose::signing_in, rate_limited},
             {"LIMIT", Purpose::message, rate_limited},
             {"OVERQUOTA", Purpose::message, rate_limited},
             {"", Purpose::signing_in, unauthenticated},
             {"NOPERM", Purpose::mailbox, permission_denied},
             {"NONEXISTENT", Purpose::mailbox, not_found},
             {"", Purpose::mailbox, not_found},
             {"EXPUNGEISSUED", Purpose::message, not_found},
             {"UNKNOWN-CTE", Purpose::message, unsupported},
             {"NOPERM", Purpose::message, unsupported},
             {"", Purpose::message, corrupt},
             {"", Purpose::other, unavailable},
             {"SOMETHING-NEW", Purpose::other, unavailable}}) {
        INFO(one.code);
        CHECK(refusal("NO", one.code, "words", "it", one.purpose).code == one.expected);
    }
    CHECK(refusal("BAD", "", "", "it", Purpose::message).code == internal);
    CHECK(refusal("BYE", "", "", "it", Purpose::other).code == unavailable);
    CHECK(refusal("NO", "THROTTLED", "", "it", Purpose::other).retry_after.has_value());
}

TEST_CASE("What a server says of a message is not repeated") {
    const auto error =
        refusal("NO", "", "can't convert \"Secret plan\"", "a message", Purpose::message);
    CHECK(error.message.find("Secret") == std::string::npos);
    const auto other = refusal("NO", "", "try at noon", "the sign-in", Purpose::signing_in);
    CHECK(other.message == "the server refused the sign-in (NO try at noon)");
}
