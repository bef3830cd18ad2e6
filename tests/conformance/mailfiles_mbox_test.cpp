#include <algorithm>
#include <filesystem>
#include <openarchiver/testkit/byte_streams.hpp>
#include <openarchiver/testkit/catch2.hpp>

#include "mail_folders.hpp"
#include "mailfiles_support.hpp"

using namespace openarchiver;
using namespace openarchiver::tests;
namespace fs = std::filesystem;
using testkit::Effect;

namespace {

constexpr const char* kFrom = "From ada@example.org Fri Jul  8 12:08:34 2011\n";

std::string mail(const std::string& name, const std::string& body = "text\n") {
    return "Subject: " + name + "\nMessage-ID: <" + name + "@example.org>\n\n" + body;
}

std::string entry(const std::string& message) {
    return kFrom + message + "\n";
}

struct Mbox : Mail {
    explicit Mbox(const std::string& dialect = "auto") {
        config = R"({"paths": ["mail"], "settle_seconds": 0, "mbox_dialect": ")" + dialect + "\"}";
    }

    void write(const std::string& bytes, const std::string& name = "inbox.mbox") const {
        write_file(folder / name, bytes);
    }

    /// The contents of the messages of inbox.mbox, in its order.
    std::vector<std::string> contents() {
        const auto session = open();
        REQUIRE(session);
        std::vector<std::string> result;
        for (const std::string& id : items_of(**session, "mail", "mail/inbox.mbox")) {
            result.push_back(read_item(**session, "mail", id));
        }
        return result;
    }

    struct Listed {
        std::vector<sdk::Item> items;
        std::map<std::string, std::string> failed;
    };

    Listed listed() {
        const auto session = open();
        REQUIRE(session);
        Items sink;
        list_into(sink, **session, "mail", "mail/inbox.mbox");
        return {sink.items, sink.failed};
    }
};

using Contents = std::vector<std::string>;

}  // namespace

TEST_CASE("The mailfiles provider keeps the contract on mbox files", "[conformance][mailfiles]") {
    Mbox source;
    std::string inbox;
    for (int i = 0; i < 30; ++i) {
        inbox += entry(mail("inbox-" + std::to_string(i)));
    }
    source.write(inbox);
    source.write(entry(mail("sent-1")) + entry(mail("sent-2")), "Sent");
    const auto write = [&source](const std::string& bytes, const std::string& name) {
        return [&source, bytes, name] { source.write(bytes, name); };
    };
    const std::string first = entry(mail("inbox-0"));
    const std::string read = kFrom + ("Status: RO\n" + mail("inbox-0")) + "\n";
    testkit::check_conformance(testkit::provider_checks(source.fixture({
        {.name = "a message is appended",
         .effect = Effect::item_added,
         .apply = write(inbox + entry(mail("new")), "inbox.mbox")},
        {.name = "the same message is appended once more",
         .effect = Effect::item_added,
         .apply = write(inbox + first, "inbox.mbox")},
        {.name = "a message is taken out",
         .effect = Effect::item_removed,
         .apply = write(inbox.substr(first.size()), "inbox.mbox")},
        {.name = "a message is marked as read",
         .effect = Effect::nothing,
         .apply = write(read + inbox.substr(first.size()), "inbox.mbox")},
        {.name = "a message goes to another mbox",
         .effect = Effect::item_moved,
         .apply =
             [&source, inbox, first] {
                 source.write(inbox.substr(first.size()));
                 source.write(entry(mail("sent-1")) + entry(mail("sent-2")) + first, "Sent");
             }},
        {.name = "a copy of a message goes to another mbox",
         .effect = Effect::item_placed,
         .apply = write(entry(mail("sent-1")) + entry(mail("sent-2")) + first, "Sent")},
        {.name = "a mailbox of another folder is added",
         .effect = Effect::item_added,
         .apply = write(entry(mail("more")), "2024/more.mbox")},
    })));
}

TEST_CASE("An mbox is known by its name or its first line", "[conformance][mailfiles]") {
    Mbox source;
    source.write("", "empty.mbox");
    source.write(entry(mail("a")), "Inbox");
    source.write(entry(mail("b")), "old/2011.03");
    source.write("From here on\n\nno mail\n", "notes.txt");
    source.write(entry(mail("c")), ".hidden");
    const auto session = source.open();
    REQUIRE(session);
    const auto folders = folders_of(**session, "mail");
    Contents ids;
    for (const auto& [id, folder] : folders) {
        ids.push_back(id);
    }
    CHECK(ids == Contents{"mail", "mail/Inbox", "mail/empty.mbox", "mail/old", "mail/old/2011.03"});
    CHECK(folders.at("mail/old/2011.03").parent_id == "mail/old");
    CHECK(folders.at("mail/Inbox").display_name == "Inbox");
    CHECK(items_of(**session, "mail", "mail/empty.mbox").empty());
}

TEST_CASE("Messages of an mbox come as they are between its From lines",
          "[conformance][mailfiles]") {
    Mbox source;
    SECTION("with LF") {
        source.write(entry(mail("a")) + entry(mail("b")));
        CHECK(source.contents() == Contents{mail("a"), mail("b")});
    }
    SECTION("with CRLF") {
        const std::string message = "Subject: a\r\n\r\ntext\r\n";
        source.write("From a@example.org Fri Jul  8 12:08:34 2011\r\n" + message + "\r\n" +
                     "From b@example.org Fri Jul  8 12:08:34 2011\r\n" + message + "x\r\n\r\n");
        CHECK(source.contents() == Contents{message, message + "x\r\n"});
    }
    SECTION("without an end of the last line, or an empty line behind it") {
        source.write(entry(mail("a")) + kFrom + mail("b", "no end"));
        CHECK(source.contents() == Contents{mail("a"), mail("b", "no end")});
        source.write(kFrom + mail("b", "end\n"));
        CHECK(source.contents() == Contents{mail("b", "end\n")});
    }
    SECTION("with empty lines at their ends") {
        source.write(entry(mail("a", "text\n\n\n")) + entry(mail("b", "")) + entry(mail("c")));
        CHECK(source.contents() == Contents{mail("a", "text\n\n\n"), mail("b", ""), mail("c")});
    }
    SECTION("without an empty line between them") {
        source.write(kFrom + mail("a") + entry(mail("b")));
        CHECK(source.contents() == Contents{mail("a"), mail("b")});
    }
    SECTION("with bytes of all kinds") {
        std::string odd;
        for (int i = 0; i < 256; ++i) {
            odd += static_cast<char>(i);
        }
        source.write(entry(mail("a", odd + "\n")) + entry(odd.substr(1) + "\n\nb\n"));
        CHECK(source.contents() == Contents{mail("a", odd + "\n"), odd.substr(1) + "\n\nb\n"});
    }
    SECTION("with lines longer than any buffer") {
        const std::string line(3'000'000, 'x');
        const std::string quoted = mail("b", ">" + std::string(600'000, '>') + "From " + line);
        source.write(entry("Subject: " + line + "\n\n" + line + "\n") + entry(quoted + "\n"));
        CHECK(source.contents() ==
              Contents{"Subject: " + line + "\n\n" + line + "\n", quoted + "\n"});
    }
    SECTION("whatever the date of their From line looks like") {
        std::string bytes;
        Contents expected;
        for (const char* from :
             {"From MAILER-DAEMON Fri Jul  8 12:08:34 2011", "From - Tue Jan 2 10:00:00 2024",
              "From 1234567@xxx Sat Sep 10 18:02:16 +0000 2011",
              "From ???@??? Mon Mar  4 9:05 1996", "From a b@c Sat, 3 Feb 1996 01:05:34 +0100"}) {
            expected.push_back(mail(std::to_string(expected.size())));
            bytes += from + ("\n" + expected.back()) + "\n";
        }
        source.write(bytes);
        CHECK(source.contents() == expected);
        const auto listed = source.listed();
        const auto time = [&](std::size_t i) {
            return listed.items.at(i).received_at->time_since_epoch().count();
        };
        CHECK(time(0) == 1310126914000);
        CHECK(time(3) == 825930300000);
        CHECK(time(4) == 823305934000);
        CHECK(std::get<std::string>(listed.items.at(1).properties.at(0).value) ==
              "- Tue Jan 2 10:00:00 2024");
    }
}

TEST_CASE("The dialect of an mbox decides about its From lines", "[conformance][mailfiles]") {
    const std::string original =
        mail("a", "text\n\nFrom here on\n>From there\n>>From afar\n\nend\n");
    const std::string mboxo = mail("a", "text\n\n>From here on\n>From there\n>>From afar\n\nend\n");
    const std::string mboxrd =
        mail("a", "text\n\n>From here on\n>>From there\n>>>From afar\n\nend\n");
    const auto with_length = [](const std::string& message) {
        const std::size_t body = message.size() - message.find("\n\n") - 2;
        return "Content-Length: " + std::to_string(body) + "\n" + message;
    };
    const std::string separator = "text\n\nFrom eve@example.org Sat Jul  9 12:08:34 2011\nhello\n";
    SECTION("mboxrd: quoting is undone") {
        Mbox source("mboxrd");
        source.write(entry(mboxrd) + entry(mail("b")));
        CHECK(source.contents() == Contents{original, mail("b")});
    }
    SECTION("mboxo: nobody knows which > was there before, so all stay") {
        Mbox source("mboxo");
        source.write(entry(mboxo) + entry(mail("b")));
        CHECK(source.contents() == Contents{mboxo, mail("b")});
    }
    SECTION("mboxo and mboxrd: every From line separates, with or without a date") {
        for (const char* dialect : {"mboxo", "mboxrd"}) {
            Mbox source(dialect);
            source.write("From ada\n" + mail("a") + "\nFrom bob\n" + mail("b") + "\n");
            CHECK(source.contents() == Contents{mail("a"), mail("b")});
        }
    }
    SECTION("mboxcl and mboxcl2: the length counts, nothing is undone") {
        for (const char* dialect : {"mboxcl", "mboxcl2"}) {
            Mbox source(dialect);
            const std::string first = with_length(mail("a", separator));
            source.write(entry(first) + entry(with_length(mboxo)) + entry(with_length(original)));
            CHECK(source.contents() == Contents{first, with_length(mboxo), with_length(original)});
        }
    }
    SECTION("mboxcl and mboxcl2: a length that does not fit does not count") {
        for (const char* dialect : {"mboxcl", "mboxcl2"}) {
            Mbox source(dialect);
            for (const char* length :
                 {"3", "900", "999999999999", "-1", "x", "18446744073709551615"}) {
                const std::string first =
                    "Content-Length: " + std::string(length) + "\n" + mail("a");
                source.write(entry(first) + entry(mail("b")));
                CHECK(source.contents() == Contents{first, mail("b")});
            }
        }
    }
    SECTION("auto: lengths that fit, and From lines with a date") {
        Mbox source;
        const std::string first = with_length(mail("a", separator));
        source.write(entry(first) + entry(original) + entry(mail("b")));
        CHECK(source.contents() == Contents{first, original, mail("b")});
    }
    SECTION("auto: quoting is undone where quoting again would give the same bytes") {
        Mbox source;
        source.write(entry(mboxrd) + entry(mail("b", "From me\n>From you\n")) + entry(mail("c")));
        CHECK(source.contents() ==
              Contents{original, mail("b", "From me\n>From you\n"), mail("c")});
        const auto listed = source.listed();
        CHECK(listed.items.at(0).properties.at(1).name == "mbox_quoting");
        CHECK(listed.items.at(1).properties.size() == 1);
    }
    SECTION("auto: not in messages whose length is given") {
        Mbox source;
        source.write(entry(with_length(mboxo)));
        CHECK(source.contents() == Contents{with_length(mboxo)});
    }
    SECTION("another dialect is another content of the same item") {
        Mbox before("mboxo");
        before.write(entry(mboxrd) + entry(mail("b")));
        Mbox after("mboxrd");
        after.write(entry(mboxrd) + entry(mail("b")));
        const auto old_items = before.listed().items;
        const auto new_items = after.listed().items;
        CHECK(old_items[0].id == new_items[0].id);
        CHECK(old_items[0].content_tag != new_items[0].content_tag);
        CHECK(old_items[1].content_tag == new_items[1].content_tag);
    }
}

TEST_CASE("What is no message in an mbox is told by its position", "[conformance][mailfiles]") {
    Mbox source;
    const std::string rubbish = "%PDF-1.4 not mail\n\n";
    const std::string good = entry(mail("a"));
    source.write(rubbish + good + kFrom + "\n" + kFrom + std::string(5'000, '\0') + "\n\n" +
                 entry(mail("b")));
    const auto listed = source.listed();
    CHECK(listed.items.size() == 2);
    const std::string empty = "mail/inbox.mbox@" + std::to_string(rubbish.size() + good.size());
    const std::string zero = "mail/inbox.mbox@" + std::to_string(rubbish.size() + good.size() +
                                                                 std::string(kFrom).size() + 1);
    REQUIRE(listed.failed.size() == 3);
    CHECK(listed.failed.contains("mail/inbox.mbox@0"));
    CHECK(listed.failed.at(empty).starts_with("inbox.mbox@" +
                                              std::to_string(rubbish.size() + good.size()) +
                                              ": a \"From \" line without a message"));
    CHECK(listed.failed.at(zero).find("zero bytes") != std::string::npos);
    const auto session = source.open();
    for (const auto& [id, message] : listed.failed) {
        const auto opened = (*session)->open_content("mail", id, {});
        REQUIRE_FALSE(opened);
        CHECK(opened.error().code == sdk::Errc::corrupt);
        CHECK(opened.error().message == message);
    }
    CHECK(testkit::failed_with((*session)->open_content("mail", "mail/inbox.mbox@77", {}),
                               sdk::Errc::not_found));
    source.write(good);
    CHECK(testkit::failed_with((*session)->open_content("mail", empty, {}), sdk::Errc::not_found));
}

TEST_CASE("A message of an mbox is found after the mbox was rewritten",
          "[conformance][mailfiles]") {
    Mbox source;
    source.write(entry(mail("a")) + entry(mail("b")) + entry(mail("c")));
    source.write(entry(mail("d")), "other.mbox");
    const auto session = source.open();
    REQUIRE(session);
    const auto ids = items_of(**session, "mail", "mail/inbox.mbox");
    REQUIRE(ids.size() == 3);
    SECTION("others were taken out") {
        source.write(entry(mail("c")) + entry(mail("b")));
        CHECK(read_item(**session, "mail", ids[1]) == mail("b"));
        CHECK(read_item(**session, "mail", ids[2]) == mail("c"));
        CHECK(testkit::failed_with((*session)->open_content("mail", ids[0], {}),
                                   sdk::Errc::not_found));
    }
    SECTION("it went to another mbox") {
        source.write(entry(mail("a")));
        source.write(entry(mail("d")) + entry(mail("b")), "other.mbox");
        CHECK(read_item(**session, "mail", ids[1]) == mail("b"));
    }
    SECTION("another session knows nothing of it") {
        const auto fresh = source.open();
        CHECK(read_item(**fresh, "mail", ids[2]) == mail("c"));
    }
    SECTION("it is rewritten while it is read") {
        const auto reader = (*session)->open_content("mail", ids[1], {});
        REQUIRE(reader);
        source.write(entry(mail("x")) + entry(mail("y")) + entry(mail("z")));
        const auto rest = testkit::read_all(**reader);
        REQUIRE_FALSE(rest);
        CHECK(rest.error().code == sdk::Errc::unavailable);
    }
    SECTION("it is gone") {
        fs::remove(source.folder / "inbox.mbox");
        CHECK(testkit::failed_with((*session)->open_content("mail", ids[1], {}),
                                   sdk::Errc::not_found));
        Items sink;
        CHECK(testkit::failed_with(
            (*session)->sync_folder("mail", "mail/inbox.mbox", std::nullopt, sink, {}),
            sdk::Errc::not_found));
    }
}

TEST_CASE("Single files of every kind can be named", "[conformance][mailfiles]") {
    Mbox source;
    source.write(entry(mail("a")));
    source.write(entry(mail("b")), "other.mbox");
    source.write("", "spool");
    source.config = R"({"paths": ["mail/inbox.mbox", "mail/spool"], "settle_seconds": 0})";
    const auto session = source.open();
    REQUIRE(session);
    const auto folders = folders_of(**session, "mail");
    CHECK(folders.size() == 3);
    CHECK(folders.contains("mail/inbox.mbox"));
    CHECK(folders.contains("mail/spool"));
    CHECK(items_of(**session, "mail", "mail/inbox.mbox").size() == 1);
    source.write(entry(mail("c")), "spool");
    CHECK(items_of(**session, "mail", "mail/spool").size() == 1);
    fs::create_symlink("inbox.mbox", source.folder / "link.mbox");
    source.config = R"({"paths": ["mail/link.mbox"]})";
    Accounts accounts;
    const auto linked = source.open();
    REQUIRE(linked);
    CHECK(testkit::failed_with((*linked)->discover(std::nullopt, accounts, {}),
                               sdk::Errc::invalid_config));
}
