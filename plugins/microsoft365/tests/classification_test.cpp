#include <catch2/catch.hpp>

#include "auth/entra_errors.hpp"
#include "auth/token_documents.hpp"
#include "graph/graph_failure.hpp"
#include "mail/account_rules.hpp"
#include "mail/content_tag.hpp"

namespace openarchiver::microsoft365 {
namespace {

using sdk::Errc;

std::string envelope(const std::string& code, const std::string& message = "") {
    return R"({"error":{"code":")" + code + R"(","message":")" + message + R"("}})";
}

struct Case {
    int status;
    std::string body;
    Subject subject;
    Errc expected;
    bool transient;
};

TEST_CASE("every answer of Graph means what it should", "[unit]") {
    const std::vector<Case> cases = {
        {404, envelope("ErrorItemNotFound"), Subject::item, Errc::not_found, false},
        {404, envelope("erroritemnotfound"), Subject::folder, Errc::not_found, false},
        {404, envelope("ErrorSyncFolderNotFound"), Subject::folder, Errc::not_found, false},
        {404, "", Subject::item, Errc::unavailable, true},
        {404, "<html>not here</html>", Subject::folder, Errc::unavailable, true},
        {404, envelope("MailboxNotEnabledForRESTAPI"), Subject::folder, Errc::unavailable, false},
        {404, envelope("Request_ResourceNotFound"), Subject::item, Errc::unavailable, false},
        {400, envelope("ErrorInvalidIdMalformed"), Subject::item, Errc::internal, false},
        {405, envelope("ErrorInvalidRequest"), Subject::item, Errc::unsupported, false},
        {500, envelope("ErrorMimeContentConversionFailed"), Subject::item, Errc::corrupt, false},
        {500, envelope("ErrorCorruptData"), Subject::item, Errc::corrupt, false},
        {500, envelope("ErrorInvalidRecipients"), Subject::item, Errc::corrupt, false},
        {500, envelope("ErrorInternalServerError"), Subject::item, Errc::unavailable, true},
        {500, envelope("UnknownError"), Subject::folder, Errc::unavailable, true},
        {502, "<html>Bad gateway</html>", Subject::folder, Errc::unavailable, true},
        {503, "", Subject::mailbox, Errc::unavailable, true},
        {503, envelope("MailboxInfoStale"), Subject::mailbox, Errc::unavailable, true},
        {504, envelope("UnknownError"), Subject::item, Errc::unavailable, true},
        {507, envelope("ErrorQuotaExceeded"), Subject::folder, Errc::resource_exhausted, false},
        {403, envelope("ErrorQuotaExceeded"), Subject::folder, Errc::resource_exhausted, false},
        {429, "", Subject::item, Errc::rate_limited, true},
        {429, envelope("ApplicationThrottled"), Subject::folder, Errc::rate_limited, true},
        {509, "", Subject::folder, Errc::rate_limited, true},
        {401, envelope("InvalidAuthenticationToken"), Subject::folder, Errc::unauthenticated,
         false},
        {403, envelope("Authorization_RequestDenied"), Subject::directory, Errc::permission_denied,
         false},
        {403, envelope("ErrorAccessDenied"), Subject::item, Errc::permission_denied, false},
        {423, envelope("resourceLocked"), Subject::directory, Errc::permission_denied, false},
        {302, "", Subject::folder, Errc::unavailable, false},
    };
    for (const Case& one : cases) {
        INFO(one.status << " " << one.body);
        const GraphFailure answer = parse_graph_failure(one.status, one.body, "request-1");
        const sdk::Error error = to_error(answer, one.subject, "testing");
        CHECK(error.code == one.expected);
        CHECK(is_transient(answer) == one.transient);
        CHECK(error.request_id == "request-1");
        CHECK_FALSE(error.service_code.empty());
    }
}

TEST_CASE("codes are found in inner errors, in any case, and the words are not repeated",
          "[unit]") {
    const GraphFailure answer = parse_graph_failure(
        400,
        R"({"error":{"code":"UnknownError","message":"The user 'eve@contoso.example' is odd",)"
        R"("innererror":{"code":"x","innerError":{"code":"syncstatenotfound","request-id":"r7"}}}})",
        "");
    CHECK(answer.has_code("SyncStateNotFound"));
    CHECK(answer.request_id == "r7");
    CHECK(is_expired_token(answer, TokenOrigin::this_walk));
    const sdk::Error error = to_error(answer, Subject::folder, "testing");
    CHECK(error.message.find("eve@") == std::string::npos);
}

TEST_CASE("an expired change token is told from other failures", "[unit]") {
    const auto expired = [](int status, const std::string& body, TokenOrigin origin) {
        return is_expired_token(parse_graph_failure(status, body, ""), origin);
    };
    CHECK(expired(410, "", TokenOrigin::this_walk));
    CHECK(expired(410, envelope("SyncStateNotFound"), TokenOrigin::stored));
    CHECK(expired(404, envelope("syncStateInvalid"), TokenOrigin::stored));
    CHECK(expired(400, envelope("resyncRequired"), TokenOrigin::this_walk));
    CHECK(expired(400, envelope("BadRequest"), TokenOrigin::stored));
    CHECK_FALSE(expired(400, envelope("BadRequest"), TokenOrigin::this_walk));
    CHECK_FALSE(expired(404, envelope("ErrorItemNotFound"), TokenOrigin::stored));
    CHECK_FALSE(expired(503, "", TokenOrigin::stored));
}

TEST_CASE("what an error says about the mailbox itself is recognised", "[unit]") {
    const auto verdict = [](int status, const std::string& code, const std::string& text = "") {
        return mailbox_verdict(parse_graph_failure(status, envelope(code, text), ""));
    };
    CHECK(verdict(404, "MailboxNotEnabledForRESTAPI") == MailboxVerdict::without_mailbox);
    CHECK(verdict(400, "MailboxNotSupportedForRESTAPI") == MailboxVerdict::without_mailbox);
    CHECK(verdict(404, "ErrorInvalidUser") == MailboxVerdict::without_mailbox);
    CHECK(verdict(404, "ResourceNotFound") == MailboxVerdict::without_mailbox);
    CHECK(verdict(401, "AuthenticationError") == MailboxVerdict::without_mailbox);
    CHECK(verdict(404, "Request_ResourceNotFound") == MailboxVerdict::user_gone);
    CHECK(verdict(403, "ErrorAccessDenied",
                  "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly "
                  "AccessPolicy settings.") == MailboxVerdict::closed_by_policy);
    CHECK(verdict(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.") ==
          MailboxVerdict::denied);
    CHECK(verdict(404, "ErrorItemNotFound") == MailboxVerdict::nothing);
    CHECK(verdict(503, "MailboxInfoStale") == MailboxVerdict::nothing);
}

TEST_CASE("refusals of the token endpoint tell what to do", "[unit]") {
    const auto error = [](int status, const std::string& oauth, int code) {
        return to_error(parse_entra_failure(
            status, R"({"error":")" + oauth + R"(","error_description":"AADSTS)" +
                        std::to_string(code) + R"(: Something. Trace ID: t","error_codes":[)" +
                        std::to_string(code) + R"(],"trace_id":"trace-1"})"));
    };
    const sdk::Error wrong = error(401, "invalid_client", 7000215);
    CHECK(wrong.code == Errc::unauthenticated);
    CHECK(wrong.service_code == "AADSTS7000215");
    CHECK(wrong.request_id == "trace-1");
    CHECK_THAT(wrong.message, Catch::Contains("not its Secret ID"));
    CHECK_THAT(error(400, "unauthorized_client", 700016).message,
               Catch::Contains("Application (Client) ID"));
    CHECK_THAT(error(400, "invalid_tenant", 90002).message, Catch::Contains("cloud"));
    CHECK(error(400, "invalid_request", 90033).code == Errc::unavailable);
    CHECK(error(503, "temporarily_unavailable", 0).code == Errc::unavailable);
    CHECK(error(429, "", 90055).code == Errc::rate_limited);
    const sdk::Error unknown = error(400, "invalid_request", 123456);
    CHECK(unknown.code == Errc::unauthenticated);
    CHECK(unknown.service_code == "AADSTS123456");
    CHECK_THAT(unknown.message, !Catch::Contains("Trace ID"));
    CHECK(to_error(parse_entra_failure(502, "<html>")).code == Errc::unavailable);
    CHECK(to_error(parse_entra_failure(403, "<html>")).code == Errc::unavailable);
}

TEST_CASE("every code that an administrator may meet has a remedy", "[unit]") {
    const std::vector<int> codes = {
        7000215, 7000222, 7000216, 7000218, 700016, 7000112, 70001,  90002, 900023,
        90038,   900382,  900432,  9001023, 50059,  50128,   90019,  50194, 70011,
        700022,  1002012, 500011,  650057,  50001,  700027,  700024, 50027, 50013,
        50012,   900384,  700211,  700212,  700213, 7002131, 700025, 53003, 530032,
        530035,  50105,   501051,  65001,   90094,  650056,  50034,  50196};
    for (const int code : codes) {
        const std::string name = "AADSTS" + std::to_string(code);
        INFO(name);
        EntraFailure refusal;
        refusal.status = 400;
        refusal.error = "invalid_request";
        refusal.codes = {code};
        refusal.description = name + ": What the service says";
        refusal.presented = "the thing presented";
        const sdk::Error error = to_error(refusal);
        CHECK(error.code == Errc::unauthenticated);
        CHECK(error.service_code == name);
        CHECK_FALSE(remedy_of(name).empty());
        CHECK(error.message.ends_with(remedy_of(name)));
        // What was presented is shown where it has to be compared with the registration.
        const bool compared =
            code == 700027 || (code >= 700211 && code <= 700213) || code == 7002131;
        if (compared) {
            CHECK_THAT(error.message, Catch::Contains("the thing presented") &&
                                          Catch::Contains("What the service says"));
        }
    }
    for (const int code : {90055, 90006, 90033, 90090, 50033, 90024, 90012}) {
        EntraFailure refusal;
        refusal.status = 400;
        refusal.codes = {code};
        CHECK(to_error(refusal).code == Errc::unavailable);
    }
    CHECK(remedy_of("AADSTS1").empty());
    CHECK(remedy_of("Other").empty());
}

TEST_CASE("the permissions in a token are read without trusting it", "[unit]") {
    // {"roles":["Mail.Read","User.Read.All"],"ver":"1.0"}
    const auto claims = parse_token_claims(
        "h.eyJyb2xlcyI6WyJNYWlsLlJlYWQiLCJVc2VyLlJlYWQuQWxsIl0sInZlciI6IjEuMCJ9.s");
    REQUIRE(claims);
    CHECK(claims->reads_mail());
    CHECK(claims->lists_users());
    const auto none = parse_token_claims("h.eyJ2ZXIiOiIxLjAifQ.s");
    REQUIRE(none);
    CHECK_FALSE(none->reads_mail());
    CHECK_FALSE(parse_token_claims("opaque"));
    CHECK_FALSE(parse_token_claims("a.!!.c"));
    CHECK_FALSE(parse_token_claims("a.bm90IGpzb24.c"));
}

TEST_CASE("moves and flags leave a message's tag alone, sending a draft does not", "[unit]") {
    MessageEntry message;
    message.id = "m";
    message.internet_message_id = "<a@x>";
    message.draft = false;
    message.etag = "W/\"1\"";
    const std::string tag = content_tag(message);
    CHECK(tag.size() == 16);
    message.etag = "W/\"2\"";
    CHECK(content_tag(message) == tag);
    message.internet_message_id = "<b@x>";
    CHECK(content_tag(message) != tag);

    message.draft = true;
    const std::string draft = content_tag(message);
    CHECK(draft.size() == 16);
    message.etag = "W/\"3\"";
    const std::string saved_again = content_tag(message);
    CHECK(saved_again != draft);
    message.draft = false;
    CHECK(content_tag(message) != saved_again);
}

TEST_CASE("a partial message has no tag", "[unit]") {
    MessageEntry message;
    message.id = "m";
    CHECK(content_tag(message).empty());
    message.draft = false;
    CHECK(content_tag(message).empty());
    message.internet_message_id = "<a@x>";
    message.draft.reset();
    CHECK(content_tag(message).empty());
    message.draft = true;
    CHECK(content_tag(message).empty());
}

TEST_CASE("users are sorted into those with mail to archive and those without", "[unit]") {
    const auto page = parse_users(R"({"value":[
      {"id":"1","userPrincipalName":"anna@c.example","mail":"anna@c.example","displayName":"Anna",
       "userType":"Member","proxyAddresses":["SMTP:anna@c.example","smtp:ak@c.example","SIP:x@y"]},
      {"id":"2","userPrincipalName":"bo_f#EXT#@c.example","mail":"bo@f.example","userType":"guest"},
      {"id":"3","userPrincipalName":"svc@c.example","mail":null},
      {"id":"4","userPrincipalName":"new@c.example",
       "assignedPlans":[{"service":"exchange","capabilityStatus":"Enabled"}]},
      {"id":"5","userPrincipalName":"old@c.example",
       "assignedPlans":[{"service":"exchange","capabilityStatus":"Deleted"}]},
      {"id":"6","userPrincipalName":"shared@c.example","mail":"shared@c.example",
       "accountEnabled":false,"assignedPlans":[],"userType":null},
      {"displayName":"without an id"}]})");
    REQUIRE(page);
    CHECK(page->unusable == 1);
    REQUIRE(page->entries.size() == 6);
    const auto state = [&page](std::size_t index, const AccountSelection& selection) {
        return account_of(page->entries[index], selection, {}).state;
    };
    using sdk::AccountState;
    const AccountSelection all;
    CHECK(state(0, all) == AccountState::available);
    CHECK(state(1, all) == AccountState::without_mailbox);
    CHECK(state(2, all) == AccountState::without_mailbox);
    CHECK(state(3, all) == AccountState::available);
    CHECK(state(4, all) == AccountState::without_mailbox);
    CHECK(state(5, all) == AccountState::available);
    CHECK(account_of(page->entries[3], all, {}).address == "new@c.example");
    CHECK(account_of(page->entries[0], all, {}).display_name == "Anna");

    CHECK(state(0, {{{"AK@c.example"}, {}}, {}, {}}) == AccountState::available);
    CHECK(state(0, {{{"6"}, {}}, {}, {}}) == AccountState::excluded);
    CHECK(state(5, {{{"6"}, {}}, {}, {}}) == AccountState::available);
    CHECK(state(0, {{{"*@C.example"}, {"anna@*"}}, {}, {}}) == AccountState::excluded);
    CHECK(state(1, {{{}, {"*"}}, {}, {}}) == AccountState::without_mailbox);
}

TEST_CASE("groups bring users in and leave them out; what can't be read decides nothing",
          "[unit]") {
    using sdk::AccountState;
    UserEntry anna;
    anna.id = "1";
    anna.mail = "anna@c.example";
    const GroupMembers groups{.by_group = {{"in", {"1"}}, {"other", {"2"}}}, .problems = {}};
    const auto judge = [&](const AccountSelection& selection) {
        const sdk::Account account = account_of(anna, selection, groups);
        return std::pair(account.state, account.undecided);
    };
    const std::pair archived(AccountState::available, false);
    const std::pair left_out(AccountState::excluded, false);
    CHECK(judge({{}, {"in"}, {}}) == archived);
    CHECK(judge({{}, {"other"}, {}}) == left_out);
    CHECK(judge({{{"anna@*"}, {}}, {"other"}, {}}) == archived);
    CHECK(judge({{}, {}, {"in"}}) == left_out);
    CHECK(judge({{}, {}, {"other"}}) == archived);
    CHECK(judge({{{"anna@*"}, {}}, {"in"}, {"in"}}) == left_out);
    // Of groups that could not be read.
    CHECK(judge({{}, {"lost"}, {}}) == std::pair(AccountState::excluded, true));
    CHECK(judge({{}, {}, {"lost"}}) == std::pair(AccountState::available, true));
    CHECK(judge({{}, {"lost", "in"}, {}}) == archived);
    CHECK(judge({{}, {}, {"lost", "in"}}) == left_out);
    CHECK(judge({{}, {"other"}, {"lost"}}) == left_out);
    CHECK(judge({{{"anna@*"}, {}}, {"lost"}, {}}) == archived);
    CHECK(judge({{{}, {"anna@*"}}, {"lost"}, {"lost"}}) == left_out);
}

}  // namespace
}  // namespace openarchiver::microsoft365
