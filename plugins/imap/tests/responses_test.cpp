#include "responses.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <random>

#include "response_reader.hpp"

using namespace openarchiver;
using namespace openarchiver::imap;

namespace {

/// A server that said all of this, handed over in pieces of `piece` bytes.
ResponseReader::Source saying(std::string text, std::size_t piece) {
    auto at = std::make_shared<std::size_t>(0);
    return [text = std::move(text), piece,
            at](std::span<std::byte> buffer) -> sdk::Result<std::size_t> {
        const std::size_t count = std::min({piece, buffer.size(), text.size() - *at});
        std::memcpy(buffer.data(), text.data() + *at, count);
        *at += count;
        return count;
    };
}

std::vector<std::string> responses_of(const std::string& text, std::size_t piece) {
    ResponseReader reader;
    const auto source = saying(text, piece);
    std::vector<std::string> responses;
    for (auto response = reader.next(source); response; response = reader.next(source)) {
        responses.push_back(response->text);
    }
    return responses;
}

FetchedMessage fetched(std::string_view rest) {
    const auto message = parse_fetch(rest);
    REQUIRE(message);
    return *message;
}

}  // namespace

TEST_CASE("Responses are taken apart wherever they are cut") {
    const std::string text =
        "* OK [ALERT] words that end like a literal {5}\r\n"
        "* LIST () \"/\" {7}\r\na\r\nb {9\r\n"
        "+ go on {3}\r\n"
        "A1 NO {8}\r\n";
    for (const std::size_t piece : {1U, 2U, 3U, 7U, 1000U}) {
        CHECK(responses_of(text, piece) ==
              std::vector<std::string>{"* OK [ALERT] words that end like a literal {5}",
                                       "* LIST () \"/\" {7}\r\na\r\nb {9", "+ go on {3}",
                                       "A1 NO {8}"});
    }
}

TEST_CASE("The content of a message is handed over as it comes") {
    const std::string content = "A: b\r\n\r\nA1 OK no end\r\n* 1 EXPUNGE\r\n)";
    const std::string text = "* 3 FETCH (FLAGS (\\Seen) BODY[] {" + std::to_string(content.size()) +
                             "}\r\n" + content + " UID 7)\r\nA1 OK done\r\n";
    for (const std::size_t piece : {1U, 5U, 1000U}) {
        ResponseReader reader;
        const auto source = saying(text, piece);
        const auto head = reader.next(source, true);
        REQUIRE(head);
        REQUIRE(head->content_size == content.size());
        std::string read;
        std::array<std::byte, 4> buffer{};
        for (;;) {
            const auto count = reader.read_literal(source, buffer);
            REQUIRE(count);
            if (*count == 0) {
                break;
            }
            read.append(reinterpret_cast<const char*>(buffer.data()), *count);
        }
        CHECK(read == content);
        const auto rest = reader.rest(source);
        REQUIRE(rest);
        CHECK(rest->text == " UID 7)");
        CHECK(reader.next(source)->text == "A1 OK done");
    }
}

TEST_CASE("A server that ends within a response, or never ends one, is an error") {
    ResponseReader reader;
    CHECK(reader.next(saying("* 1 FETCH (UID", 3)).error().code == sdk::Errc::unavailable);
    ResponseReader endless;
    const ResponseReader::Source noise =
        [](std::span<std::byte> buffer) -> sdk::Result<std::size_t> {
        std::memset(buffer.data(), 'x', buffer.size());
        return buffer.size();
    };
    CHECK(endless.next(noise).error().code == sdk::Errc::unavailable);
    ResponseReader huge;
    CHECK_FALSE(huge.next(saying("* LIST () \"/\" {4000000000}\r\n", 100)));
}

TEST_CASE("Status responses are read with their codes") {
    const auto plain = parse_status_response("A1 OK done");
    REQUIRE(plain);
    CHECK(plain->tag == "A1");
    CHECK(plain->words == "done");
    const auto coded = parse_status_response("* no [throttled] wait");
    REQUIRE(coded);
    CHECK(coded->condition == "NO");
    CHECK(coded->code == "THROTTLED");
    CHECK(coded->words == "wait");
    const auto argument = parse_status_response("* OK [UIDVALIDITY 3857529045] UIDs valid");
    REQUIRE(argument);
    CHECK(argument->argument == "3857529045");
    CHECK(parse_status_response("A1 BAD [unfinished"));
    CHECK(parse_status_response("+ ")->condition == "+");
    CHECK_FALSE(parse_status_response("* 5 EXISTS"));
    CHECK_FALSE(parse_status_response(""));
}

TEST_CASE("Fetched messages are read in any order and with what nobody asked for") {
    const FetchedMessage message = fetched(
        "(FLAGS (\\Seen $Forwarded) INTERNALDATE \" 1-Feb-2024 23:59:59 +0130\" MODSEQ (65402) "
        "BODYSTRUCTURE ((\"text\" \"plain\" NIL NIL NIL \"7bit\" 5 1)(\"a\" {3}\r\n\"() NIL)) "
        "X-GM-LABELS (\"\\\\Important\" {4}\r\na) b) RFC822.SIZE 1234 UID 42 EMAILID "
        "(M6d99ac3275bb4e))");
    CHECK(message.uid == 42);
    CHECK(message.size == 1234);
    CHECK(message.stable_id == "M6d99ac3275bb4e");
    REQUIRE(message.received_at);
    CHECK(message.received_at->time_since_epoch() == std::chrono::seconds(1706826599));
    CHECK(fetched("(X-GM-MSGID 1278455344230334865 UID 1)").stable_id == "1278455344230334865");
    CHECK(fetched(R"((X-GM-LABELS (\Inbox \Sent Important "Muy \"Importante\"" Caf&AOk-) UID 1))")
              .labels == std::vector<std::string>{"\\Inbox", "\\Sent", "Important",
                                                  "Muy \"Importante\"", "Caf&AOk-"});
    CHECK(fetched("(X-GM-LABELS () UID 1)").labels.empty());
    CHECK(fetched("(UID 1 BODY[HEADER.FIELDS (DATE \"X Y\")]<0> \"a\")").uid == 1);
    const FetchedMessage quoted = fetched("(UID 5 BODY[] \"a \\\"b\\\\\")");
    REQUIRE(quoted.content);
    CHECK(*quoted.content == "a \"b\\");
    REQUIRE(fetched("(UID 5 BODY[] NIL)").content);
    CHECK_FALSE(fetched("(UID 5 BODY[] NIL)").content->has_value());
}

TEST_CASE("What is no grammar of IMAP gives nothing") {
    for (const char* text :
         {"", "(", "(UID", "(UID x)", "(UID 1", "UID 1)", "(UID 1 BODY[] {99}\r\na)",
          "(UID 1 FLAGS (((((", "(UID 1 X \"", "(UID 99999999999999999999)"}) {
        INFO(text);
        CHECK_FALSE(parse_fetch(text));
    }
    CHECK_FALSE(parse_fetch("(X " + std::string(1000, '(') + ")"));
    CHECK_FALSE(parse_list("(\\Sent \"/\" INBOX"));
    CHECK_FALSE(parse_esearch("(TAG \"A1\") UID ALL 1:*"));
    CHECK_FALSE(parse_date_time("31-Feb-2024 00:00:00 +0000"));
    CHECK_FALSE(parse_date_time("01-Xxx-2024 00:00:00 +0000"));
}

TEST_CASE("Whatever a server sends, reading it ends") {
    const std::string seeds[] = {
        "* 1 FETCH (FLAGS (\\Seen) UID 42 BODY[] \"a\" X (a (b {3}\r\n\"() NIL)) INTERNALDATE "
        "\"01-Feb-2024 "
        "23:59:59 +0130\")\r\n",
        "* LIST (\\Sent) \"/\" {7}\r\na\r\nb {9\r\n* STATUS a (MESSAGES 5 MAILBOXID (F2))\r\n",
        "* ESEARCH (TAG \"A1\") UID COUNT 4 ALL 2,10:12\r\n* VANISHED (EARLIER) 41,43:116\r\n",
        "* NAMESPACE ((\"\" \"/\")) ((\"~\" \"/\" \"X\" (\"a\"))) NIL\r\n* ID (\"name\" \"x\")\r\n",
        "A1 OK [CAPABILITY IMAP4rev1 ID] done\r\n+ go {3}\r\n"};
    constexpr std::string_view kBytes = "(){}\"\\[] *+~\r\n09aA\xff";
    std::mt19937 random(1);  // NOLINT: the same each time
    for (int round = 0; round < 20'000; ++round) {
        std::string text = seeds[random() % std::size(seeds)];
        for (std::size_t changes = 1 + random() % 4; changes > 0; --changes) {
            const std::size_t at = random() % text.size();
            const char byte = kBytes[random() % kBytes.size()];
            switch (random() % 3) {
                case 0:
                    text[at] = byte;
                    break;
                case 1:
                    text.insert(at, 1, byte);
                    break;
                default:
                    text.erase(at, 1 + random() % 5);
                    text += '.';
            }
        }
        for (const std::string& response : responses_of(text, 1 + random() % 50)) {
            (void)parse_status_response(response);
            const auto untagged = parse_untagged(response);
            const std::string_view rest = untagged ? untagged->rest : std::string_view(response);
            (void)parse_capabilities(rest);
            (void)parse_list(rest);
            (void)parse_mailbox_status(rest);
            (void)parse_fetch(rest);
            (void)parse_search(rest);
            (void)parse_esearch(rest);
            (void)parse_vanished(rest);
            (void)parse_foreign_namespaces(rest);
            (void)parse_server_name(rest);
        }
    }
}

TEST_CASE("Mailboxes and their state are read") {
    const auto mailbox = parse_list("(\\HasNoChildren \\Sent) \".\" \"Sent \\\"Items\\\"\"");
    REQUIRE(mailbox);
    CHECK(mailbox->attributes == std::set<std::string>{"\\HASNOCHILDREN", "\\SENT"});
    CHECK(mailbox->separator == ".");
    CHECK(mailbox->name == "Sent \"Items\"");
    CHECK(parse_list("() NIL INBOX")->separator.empty());
    CHECK(parse_list("() \"/\" NIL")->name == "NIL");
    CHECK(parse_list("() \"/\" {4}\r\na\"b\\")->name == "a\"b\\");
    CHECK(parse_list("() \"/\" [Gmail]/Wszystkie")->name == "[Gmail]/Wszystkie");
    const auto status =
        parse_mailbox_status("{3}\r\na b (MESSAGES 5 MAILBOXID (F2212ea87) UIDNEXT 6)");
    REQUIRE(status);
    CHECK(status->name == "a b");
    CHECK(status->items.at("MAILBOXID") == "F2212ea87");
    CHECK(status->items.at("UIDNEXT") == "6");
    const auto foreign = parse_foreign_namespaces(
        "((\"\" \"/\")) ((\"~\" \"/\" \"X-PARAM\" (\"a\" \"b\"))) ((\"#shared/\" "
        "\"/\")(\"#public/\" \"/\"))");
    REQUIRE(foreign);
    CHECK(*foreign == std::vector<std::string>{"~", "#shared/", "#public/"});
    CHECK(parse_foreign_namespaces("((\"\" \"/\")) NIL NIL")->empty());
    CHECK(parse_server_name("(\"version\" NIL \"name\" \"Dovecot\")") == "Dovecot");
    CHECK(parse_server_name("NIL").empty());
}

TEST_CASE("Searches are read in both forms") {
    CHECK(parse_search("5 2 3 (MODSEQ 9)")->uids.text() == "2:3,5");
    CHECK(parse_search("")->uids.empty());
    const auto result = parse_esearch("(TAG \"A1\") UID MIN 2 COUNT 4 ALL 2,10:12");
    REQUIRE(result);
    CHECK(result->count == 4U);
    CHECK(result->uids.text() == "2,10:12");
    CHECK(parse_esearch("(TAG \"A1\") UID")->uids.empty());
    CHECK(parse_vanished("(EARLIER) 41,43:116")->text() == "41,43:116");
    CHECK(parse_vanished("405")->text() == "405");
}
