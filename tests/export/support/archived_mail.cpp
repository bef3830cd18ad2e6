#include "support/archived_mail.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <random>
#include <stdexcept>

#include "archive/digest.hpp"

namespace program_test {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr time_t kFirstReceived = 1772359200;  // 2026-03-01T10:00:00Z

std::string message(int number, const std::string& body) {
    return "Message-ID: <" + std::to_string(number) +
           "@example.org>\r\nFrom: Bob <bob@example.org>\r\nSubject: number " +
           std::to_string(number) +
           "\r\nDate: Sun, 1 Mar 2026 10:" + (number % 60 < 10 ? "0" : "") +
           std::to_string(number % 60) + ":00 +0000\r\n\r\n" + body;
}

std::string noise(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    std::string text(size, '\0');
    for (char& c : text) {
        c = static_cast<char>(random());
    }
    return text;
}

struct Database {
    explicit Database(const fs::path& file) {
        if (sqlite3_open(file.c_str(), &handle) != SQLITE_OK) {
            throw std::runtime_error("can't open " + file.string());
        }
    }

    ~Database() { sqlite3_close(handle); }

    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    sqlite3* handle = nullptr;
};

}  // namespace

ArchivedMail::ArchivedMail(int messages) : profile_(folder() / "profile.json") {
    json::object profile;
    profile["version"] = 1;
    profile["archive"] = {
        {"storage", {{"backend", "filesystem"}, {"config", {{"root", "./archive"}}}}},
        {"catalog", {{"path", "./catalog"}}}};
    json::object source;
    source["id"] = "files";
    source["name"] = "Mail files";
    source["provider"] = "mailfiles";
    source["config"] = {{"paths", json::array{"./mail"}}, {"account", kAccount}};
    profile["sources"] = json::array{source};
    write_file(profile_, json::serialize(profile));

    for (int i = 0; i < messages; ++i) {
        const std::string folder = i % 3 == 0   ? "Inbox"
                                   : i % 3 == 1 ? "Projects/Alpha"
                                                : "50% & more";
        put_message(folder + "/" + std::to_string(i) + ".eml",
                    message(i, "Hello " + noise(static_cast<std::size_t>(i % 7) * 100, 1)));
    }
    sync();
    put_message("Inbox/from.eml", message(1000, "From here\r\n>From there\r\nFrom the end"));
    put_message("Inbox/large.eml", message(1001, noise(3U << 20, 2)));
    put_message("Projects/no-header.eml", std::string("just text \0 and NUL\n", 20));
    put_message("Projects/same.eml", message(1, "Hello " + noise(100, 1)));
    sync();
    // Another version of one item, and an item that leaves.
    put_message("Inbox/0.eml", message(0, "Hello again, this is longer than it was before"));
    fs::remove(folder() / "mail/Inbox/3.eml");
    put_message("Projects/Alpha/last.eml", message(1002, "the last one"));
    sync();
}

void ArchivedMail::put_message(const std::string& path, const std::string& text) {
    // Moved into place whole and with its time: a service may be reading meanwhile.
    const fs::path file = folder() / "mail" / path;
    const fs::path delivery = folder() / "delivery.eml";
    write_file(delivery, text);
    // The time that the provider gives as received: a minute later for every message.
    const timespec time{.tv_sec = kFirstReceived + 60 * static_cast<time_t>(versions_),
                        .tv_nsec = 0};
    const timespec times[2] = {time, time};
    ::utimensat(AT_FDCWD, delivery.c_str(), times, 0);
    fs::create_directories(file.parent_path());
    fs::rename(delivery, file);
    contents_[sha256_hex(text)] = text;
    ++versions_;
}

Ended ArchivedMail::run(const std::vector<std::string>& arguments) const {
    return program_test::run(profile_, arguments);
}

json::value ArchivedMail::document(const std::vector<std::string>& arguments, int exit_code) const {
    std::vector<std::string> all = {"--json"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    const auto ended = run(all);
    INFO(ended.out);
    INFO(ended.err);
    REQUIRE(ended.exit_code == exit_code);
    return json::parse(ended.out);
}

void ArchivedMail::sync() const {
    const auto ended = run({"sync"});
    INFO(ended.out);
    INFO(ended.err);
    REQUIRE(ended.exit_code == 0);
}

std::map<std::string, fs::path> ArchivedMail::objects(std::string_view prefix) const {
    std::map<std::string, fs::path> objects;
    for (const auto& entry : fs::recursive_directory_iterator(folder() / "archive")) {
        const std::string path = entry.path().generic_string();
        const auto at = path.find("/" + std::string(prefix));
        if (entry.is_regular_file() && at != std::string::npos) {
            objects[path.substr(path.rfind("/" + std::string(prefix)) + 1)] = entry.path();
        }
    }
    return objects;
}

std::string sha256_hex(std::string_view text) {
    return openarchiver::archive::to_hex(openarchiver::archive::sha256(text));
}

void flip_bit(const fs::path& file, std::uint64_t offset) {
    std::string text = read_file(file);
    text.at(static_cast<std::size_t>(offset)) ^= 0x10;
    fs::permissions(file, fs::perms::owner_write, fs::perm_options::add);
    write_file(file, text);
}

void flip_bit(const fs::path& file) {
    flip_bit(file, fs::file_size(file) / 2);
}

void edit_database(const fs::path& file, const std::string& sql) {
    const Database database(file);
    char* message = nullptr;
    if (sqlite3_exec(database.handle, sql.c_str(), nullptr, nullptr, &message) != SQLITE_OK) {
        throw std::runtime_error(message);
    }
}

std::string query_database(const fs::path& file, const std::string& sql) {
    const Database database(file);
    std::string value;
    sqlite3_exec(
        database.handle, sql.c_str(),
        [](void* target, int, char** columns, char**) {
            *static_cast<std::string*>(target) = columns[0] != nullptr ? columns[0] : "";
            return 0;
        },
        &value, nullptr);
    return value;
}

}  // namespace program_test
