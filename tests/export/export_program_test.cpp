#include <signal.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "support/archived_mail.hpp"

using namespace program_test;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

std::vector<json::object> manifest_of(const fs::path& folder) {
    std::vector<json::object> lines;
    std::istringstream text(read_file(folder / "manifest.jsonl"));
    for (std::string line; std::getline(text, line);) {
        lines.push_back(json::parse(line).as_object());
    }
    return lines;
}

std::string text_of(const json::object& line, const char* name) {
    return std::string(line.at(name).as_string());
}

/// The messages of an mboxrd file, read by its rules alone.
std::vector<std::string> messages_of(const fs::path& mbox) {
    std::vector<std::string> messages;
    std::string text = read_file(mbox);
    std::optional<std::string> message;
    const auto finish = [&] {
        if (message) {
            REQUIRE(message->ends_with("\n"));
            message->pop_back();  // the blank line between messages
            messages.push_back(*message);
        }
    };
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size() - 1) + 1;
        std::string line = text.substr(at, end - at);
        at = end;
        if (line.starts_with("From ")) {
            finish();
            message = "";
            continue;
        }
        const auto quotes = line.find_first_not_of('>');
        if (quotes != std::string::npos && quotes > 0 && line.compare(quotes, 5, "From ") == 0) {
            line.erase(0, 1);
        }
        REQUIRE(message);
        *message += line;
    }
    finish();
    return messages;
}

/// Every file below a folder with its bytes; the time of the export aside.
std::map<std::string, std::string> tree_of(const fs::path& folder) {
    std::map<std::string, std::string> tree;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const std::string name = entry.path().lexically_relative(folder).generic_string();
        std::string bytes = entry.is_regular_file() ? read_file(entry.path()) : "folder";
        if (name == "export.json") {
            json::object document = json::parse(bytes).as_object();
            REQUIRE(document.at("exported_at").is_string());
            document["exported_at"] = "";
            bytes = json::serialize(document);
        }
        tree[name] = std::move(bytes);
    }
    return tree;
}

std::vector<std::string> export_to(const fs::path& output, const std::string& format,
                                   const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {"export", "--format", format, "--output",
                                          output.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
}

void require_same(const std::map<std::string, std::string>& a,
                  const std::map<std::string, std::string>& b) {
    for (const auto& [name, bytes] : a) {
        INFO(name);
        REQUIRE(b.contains(name));
        REQUIRE((b.at(name) == bytes));
    }
    REQUIRE(a.size() == b.size());
}

}  // namespace

TEST_CASE("export as eml writes every version exactly, with a manifest") {
    const ArchivedMail mail;
    const fs::path out = mail.folder() / "out";
    const auto document = mail.document(export_to(out, "eml"), 0);
    REQUIRE(document.at("versions").to_number<std::size_t>() == mail.versions());
    const auto lines = manifest_of(out);
    REQUIRE(lines.size() == mail.versions());
    const std::vector<std::string> kMembers = {
        "ref",        "version",     "source",      "account",
        "address",    "folders",     "item",        "internet_message_id",
        "subject",    "received_at", "archived_at", "left_at",
        "media_type", "properties",  "size",        "sha256",
        "in_mailbox", "fidelity",    "path"};
    std::size_t with_left = 0;
    std::map<std::string, int> paths;
    for (const auto& line : lines) {
        std::vector<std::string> members;
        for (const auto& member : line) {
            members.emplace_back(member.key());
        }
        REQUIRE(members == kMembers);
        const std::string path = text_of(line, "path");
        INFO(path);
        ++paths[path];
        const std::string bytes = read_file(out / path);
        REQUIRE(sha256_hex(bytes) == text_of(line, "sha256"));
        REQUIRE(bytes.size() == line.at("size").to_number<std::size_t>());
        REQUIRE(mail.contents().contains(text_of(line, "sha256")));
        REQUIRE(path.starts_with("files/alice@example.org/"));
        REQUIRE(path.ends_with(".eml"));
        REQUIRE(text_of(line, "fidelity") == "exact");
        REQUIRE(text_of(line, "source") == "files");
        REQUIRE(text_of(line, "address") == ArchivedMail::kAccount);
        REQUIRE(line.at("in_mailbox").as_bool() == line.at("left_at").is_null());
        with_left += line.at("left_at").is_null() ? 0 : 1;
        REQUIRE(!line.at("folders").as_array().empty());
    }
    REQUIRE(paths.size() == lines.size());
    REQUIRE(with_left == 1);
    // A folder name with '%' is escaped in the path and plain in the manifest.
    bool percent_seen = false;
    for (const auto& line : lines) {
        const auto& folder = line.at("folders").at(0).as_array();
        if (folder.back().as_string() == "50% & more") {
            percent_seen = true;
            REQUIRE(text_of(line, "path").find("/50%25 & more/") != std::string::npos);
        }
    }
    REQUIRE(percent_seen);

    const auto about = json::parse(read_file(out / "export.json"));
    REQUIRE(about.at("counts").at("versions").to_number<std::size_t>() == mail.versions());
    REQUIRE(about.at("counts").at("items").to_number<std::size_t>() == mail.versions() - 1);
    REQUIRE(about.at("exceptions").as_array().empty());
    REQUIRE(about.at("format").as_string() == "eml");
    REQUIRE(about.at("archive").at("head").at(0).at("sequence").to_number<std::size_t>() ==
            mail.objects("log/").size());
    REQUIRE(about.at("engine_version").is_string());
    REQUIRE_FALSE(fs::exists(out / ".export-in-progress"));
}

TEST_CASE("A second export into the same folder rewrites nothing, and takes in what is new") {
    ArchivedMail mail(12);
    for (const char* format : {"eml", "mbox", "maildir"}) {
        const fs::path out = mail.folder() / format;
        mail.document(export_to(out, format), 0);
        std::map<std::string, fs::file_time_type> times;
        for (const auto& line : manifest_of(out)) {
            times[text_of(line, "path")] = fs::last_write_time(out / text_of(line, "path"));
        }
        const auto before = tree_of(out);
        const auto again = mail.document(export_to(out, format), 0);
        REQUIRE(again.at("kept").to_number<std::size_t>() == mail.versions());
        require_same(before, tree_of(out));
        for (const auto& [path, time] : times) {
            INFO(path);
            REQUIRE((fs::last_write_time(out / path) == time || std::string(format) == "mbox"));
        }
    }
    // Renamed on disk, the item is another one: the old one left, the new one comes.
    fs::rename(mail.folder() / "mail/Inbox/0.eml", mail.folder() / "mail/Projects/moved.eml");
    mail.put_message("Inbox/new.eml", "Subject: new\n\nnew\n");
    mail.sync();
    for (const char* format : {"eml", "mbox", "maildir"}) {
        const fs::path out = mail.folder() / format;
        const fs::path fresh = mail.folder() / (std::string("fresh-") + format);
        mail.document(export_to(out, format), 0);
        mail.document(export_to(fresh, format), 0);
        require_same(tree_of(fresh), tree_of(out));
    }
}

TEST_CASE("export repairs a file that was changed, and removes nothing of others") {
    const ArchivedMail mail(6);
    const fs::path out = mail.folder() / "out";
    mail.document(export_to(out, "eml"), 0);
    const auto before = tree_of(out);
    const std::string path = text_of(manifest_of(out).front(), "path");
    flip_bit(out / path);
    mail.document(export_to(out, "eml"), 0);
    require_same(before, tree_of(out));
    write_file(out / "notes.txt", "mine");
    mail.document(export_to(out, "eml"), 0);
    REQUIRE(read_file(out / "notes.txt") == "mine");
}

TEST_CASE("export as mbox gives every message back after removing one quote") {
    const ArchivedMail mail;
    const fs::path out = mail.folder() / "out";
    mail.document(export_to(out, "mbox"), 0);
    std::map<std::string, std::multimap<std::string, bool>> wanted;
    for (const auto& line : manifest_of(out)) {
        std::string text = mail.contents().at(text_of(line, "sha256"));
        if (!text.ends_with("\n")) {
            text += "\n";
        }
        wanted[text_of(line, "path")].emplace(sha256_hex(text), true);
    }
    REQUIRE(wanted.size() >= 4);
    for (const auto& [path, hashes] : wanted) {
        INFO(path);
        REQUIRE(path.ends_with(".mbox"));
        std::multimap<std::string, bool> found;
        for (const auto& message : messages_of(out / path)) {
            found.emplace(sha256_hex(message), true);
        }
        REQUIRE(found == hashes);
    }
}

TEST_CASE("export as maildir writes exact bytes into Maildir++ folders") {
    const ArchivedMail mail;
    const fs::path out = mail.folder() / "out";
    mail.document(export_to(out, "maildir"), 0);
    const auto lines = manifest_of(out);
    REQUIRE(lines.size() == mail.versions());
    for (const auto& line : lines) {
        const fs::path file = out / text_of(line, "path");
        INFO(file);
        REQUIRE(sha256_hex(read_file(file)) == text_of(line, "sha256"));
        REQUIRE(file.filename().string().ends_with(":2,S"));
        const fs::path maildir = file.parent_path().parent_path();
        for (const char* part : {"cur", "new", "tmp"}) {
            REQUIRE(fs::is_directory(maildir / part));
        }
    }
}

TEST_CASE("An export that was killed resumes to what an uninterrupted one gives") {
    const ArchivedMail mail(1500);
    for (const char* format : {"eml", "mbox", "maildir"}) {
        INFO(format);
        const fs::path whole = mail.folder() / (std::string("whole-") + format);
        const fs::path killed = mail.folder() / (std::string("killed-") + format);
        mail.document(export_to(whole, format), 0);
        int interrupted = 0;
        // Killed ever later, from the first moment on.
        for (int wait = 0; wait < 8; ++wait) {
            {
                Running running(mail.profile(), export_to(killed, format));
                const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
                while (!fs::exists(killed / ".export-in-progress") &&
                       std::chrono::steady_clock::now() < deadline) {
                    std::this_thread::yield();
                }
                std::this_thread::sleep_for(std::chrono::milliseconds(wait * 15));
                running.signal(SIGKILL);
                running.wait();
            }
            if (fs::exists(killed / ".export-in-progress")) {
                ++interrupted;
                // The document comes last but for the end of the folder itself.
                REQUIRE(
                    (!fs::exists(killed / "export.json") || fs::exists(killed / "manifest.jsonl")));
            }
        }
        REQUIRE(interrupted > 0);
        const auto document = mail.document(export_to(killed, format), 0);
        REQUIRE(document.at("versions").to_number<std::size_t>() == mail.versions());
        require_same(tree_of(whole), tree_of(killed));
    }
}

TEST_CASE("An export stopped by a signal says that it goes on, and does") {
    const ArchivedMail mail(1500);
    const fs::path out = mail.folder() / "out";
    Running running(mail.profile(), export_to(out, "eml"));
    while (!fs::exists(out / ".export-in-progress/paths")) {
        std::this_thread::yield();
    }
    running.signal(SIGTERM);
    const auto ended = running.wait();
    if (ended.exit_code != 0) {  // it may have been quicker
        REQUIRE(ended.exit_code == 130);
        REQUIRE(ended.err.find("start it again") != std::string::npos);
    }
    mail.document(export_to(out, "eml"), 0);
    REQUIRE(manifest_of(out).size() == mail.versions());
}

TEST_CASE("A damaged content is an exception of the export; all others are exported") {
    const ArchivedMail mail;
    const auto packs = mail.objects("packs/");
    const std::string ref =
        query_database(mail.catalog(), "SELECT ref FROM items WHERE id LIKE '%last.eml'");
    const std::string pack = query_database(
        mail.catalog(),
        "SELECT lower(hex(p.id)) FROM items i JOIN versions v ON v.item=i.item JOIN contents c ON"
        " c.content=v.content JOIN packs p ON p.pack=c.pack WHERE i.id LIKE '%last.eml'");
    const int in_pack = std::stoi(
        query_database(mail.catalog(),
                       "SELECT count(*) FROM packs p JOIN contents c ON c.pack=p.pack JOIN versions"
                       " v ON v.content=c.content WHERE lower(hex(p.id))='" +
                           pack + "'"));
    const fs::path file = packs.at("packs/" + pack.substr(0, 2) + "/" + pack);
    const std::string bytes = read_file(file);
    for (const bool missing : {false, true}) {
        if (missing) {
            fs::remove(file);
        } else {
            flip_bit(file, bytes.size() - 1);
        }
        for (const char* format : {"eml", "mbox", "maildir"}) {
            INFO(format);
            const fs::path out = mail.folder() / (std::string(format) + (missing ? "1" : "0"));
            const auto document = mail.document(export_to(out, format), 5);
            const auto about = json::parse(read_file(out / "export.json"));
            REQUIRE(about.at("exceptions") == document.at("exceptions"));
            const auto& exceptions = about.at("exceptions").as_array();
            REQUIRE(exceptions.size() == static_cast<std::size_t>(in_pack));
            bool named = false;
            for (const auto& exception : exceptions) {
                named = named || exception.at("ref").as_string() == ref;
                REQUIRE(exception.at("code").as_string() == (missing ? "not_found" : "corrupt"));
            }
            REQUIRE(named);
            REQUIRE(manifest_of(out).size() == mail.versions() - static_cast<std::size_t>(in_pack));
            // Once it is whole again, so is the export.
            if (!missing) {
                write_file(file, bytes);
                mail.document(export_to(out, format), 0);
                const fs::path fresh = mail.folder() / (std::string("fresh") + format);
                mail.document(export_to(fresh, format), 0);
                require_same(tree_of(fresh), tree_of(out));
                flip_bit(file, bytes.size() - 1);
            }
        }
        write_file(file, bytes);
    }
}

TEST_CASE("export refuses folders with something else, and another selection") {
    const ArchivedMail mail(6);
    const fs::path mine = mail.folder() / "mine";
    write_file(mine / "diary.txt", "dear diary");
    const auto refused = mail.run(export_to(mine, "eml"));
    REQUIRE(refused.exit_code == 2);
    REQUIRE(refused.err.find("not empty") != std::string::npos);
    REQUIRE(tree_of(mine).size() == 1);

    const fs::path out = mail.folder() / "out";
    mail.document(export_to(out, "eml"), 0);
    const auto before = tree_of(out);
    REQUIRE(mail.run(export_to(out, "mbox")).exit_code == 2);
    REQUIRE(mail.run(export_to(out, "eml", {"--folder", "Inbox"})).exit_code == 2);
    require_same(before, tree_of(out));
}

TEST_CASE("export takes what the filters let through") {
    const ArchivedMail mail(12);
    int number = 0;
    const auto exported = [&](const std::vector<std::string>& filters) {
        const fs::path out = mail.folder() / ("out" + std::to_string(number++));
        mail.document(export_to(out, "eml", filters), 0);
        return manifest_of(out);
    };
    const auto top = [](const json::object& line) {
        return std::string(line.at("folders").at(0).as_array().back().as_string());
    };
    const std::string root = [&] {
        const auto lines = exported({});
        for (const auto& line : lines) {
            if (top(line) == "Inbox") {
                return std::string(line.at("folders").at(0).as_array().front().as_string());
            }
        }
        return std::string();
    }();
    const std::string prefix = root == "Inbox" ? "" : root + "/";
    for (const auto& line : exported({"--folder", prefix + "Inbox"})) {
        REQUIRE(top(line) == "Inbox");
    }
    REQUIRE(exported({"--folder", prefix + "Projects"}).size() == 7);
    REQUIRE(exported({"--account", ArchivedMail::kAccount}).size() == mail.versions());
    REQUIRE(exported({"--account", "nobody@example.org"}).empty());
    REQUIRE(exported({"--sender", "BOB@"}).size() == mail.versions() - 1);
    // A limit is one of items, and one of them has two versions.
    const auto items = [&](const std::vector<std::string>& filters) {
        std::set<std::string> refs;
        for (const auto& line : exported(filters)) {
            refs.insert(std::string(line.at("ref").as_string()));
        }
        return refs;
    };
    const auto first = items({"--source", "files", "--limit", "5"});
    REQUIRE(first.size() == 5);
    const auto next = items({"--limit", "5", "--offset", "5"});
    REQUIRE(next.size() == 5);
    for (const auto& ref : next) {
        REQUIRE_FALSE(first.contains(ref));
    }
    REQUIRE(exported({"--offset", "1000"}).empty());
    const auto late =
        exported({"--since", "2026-03-01T10:05:00Z", "--until", "2026-03-01T10:08:00Z"});
    REQUIRE(late.size() == 3);
    for (const auto& line : late) {
        REQUIRE(text_of(line, "received_at") >= "2026-03-01T10:05:00Z");
        REQUIRE(text_of(line, "received_at") < "2026-03-01T10:08:00Z");
    }
    REQUIRE(mail.run(export_to(mail.folder() / "x", "eml", {"--since", "soon"})).exit_code == 2);
    REQUIRE(mail.run(export_to(mail.folder() / "x", "eml", {"--source", "fliles"})).exit_code == 2);
    REQUIRE(mail.run({"export", "--format", "pst", "--output", "x"}).exit_code == 2);
    REQUIRE(mail.run({"export", "--format", "eml"}).exit_code == 2);
}
