#include <catch2/catch.hpp>

#include "profile/fixture.hpp"

namespace {

namespace profile = openarchiver::profile;
using Catch::Matchers::Contains;

struct Wrong {
    const char* name;
    std::string text;
    const char* pointer;
    const char* message;
    const char* suggestion;
};

std::string archive(std::string_view more) {
    return R"({"version":1,"archive":{"storage":{"backend":"filesystem","config":{"root":"a"}})" +
           std::string(more) + "}}";
}

std::string root(std::string_view more) {
    return R"({"version":1,"archive":{"storage":{"backend":"filesystem","config":{"root":"a"}}},)" +
           std::string(more) + "}";
}

constexpr const char* kIds = R"("tenant_id":"6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f",
                                "client_id":"c0ffee00-1111-4222-8333-444455556666")";

std::string source(std::string_view members) {
    return root(R"("sources":[{"id":"a","provider":"microsoft365",)" + std::string(members) + "}]");
}

std::string config(std::string_view members) {
    return source(R"("config":{)" + std::string(kIds) + "," + std::string(members) + "}");
}

/// A configuration that is right but for these members.
std::string besides(std::string_view members) {
    return config(R"("client_secret":{"env":"S"},)" + std::string(members));
}

std::string all_texts(const profile::ProfileResult& result) {
    std::string all;
    for (const profile::Problem& problem : result.problems) {
        all += to_text(problem) + '\n';
    }
    return all;
}

std::vector<Wrong> wrong_profiles() {
    return {
        // JSON
        {"empty file", "", "", "line 1, column 1", "ends too early"},
        {"cut short", "{\n  \"version\": 1", "", "not valid JSON", "ends too early"},
        {"trailing comma", "{\n  \"version\": 1,\n}", "", "line 3, column 1",
         "remove the comma before the closing brace"},
        {"comment", "{\n  // mine\n}", "", "line 2, column 3", "JSON has no comments"},
        {"missing comma", "{\"a\": 1 \"b\": 2}", "", "line 1, column 9", "comma missing"},
        {"single quotes", "{'a': 1}", "", "line 1, column 2", "double quotes"},
        {"byte order mark", "\xEF\xBB\xBF{}", "", "line 1, column 1", "byte order mark"},
        {"two documents", "{} {}", "", "line 1, column 4", ""},
        {"too deep", std::string(40, '[') + std::string(40, ']'), "", "deep", "32 levels"},
        {"bad UTF-8", "{\"a\": \"\xff\"}", "", "line 1", ""},
        {"key twice", archive(R"(,"catalog":{"path":"a"},"catalog":{"path":"b"})"),
         "/archive/catalog", "occurs twice", "remove one"},
        {"key twice in a list", root(R"("sources":[1,{"id":"a","id":"b"}])"), "/sources/1/id",
         "occurs twice", "remove one"},
        // structure
        {"not an object", "[]", "", "must be an object, not a list", ""},
        {"no version", R"({"archive":{"storage":{"backend":"filesystem","config":{"root":"a"}}}})",
         "", "\"version\" is missing", "add \"version\""},
        {"later version", R"({"version":2,"anything":"else"})", "/version",
         "reads profiles of version 1, not 2", "written for"},
        {"version as text", R"({"version":"1","archive":{"storage":{"backend":"filesystem",
          "config":{"root":"a"}}}})",
         "/version", "must be a whole number, not a string", "without quotes"},
        {"no archive", R"({"version":1})", "", "\"archive\" (Archive) is missing", "add"},
        {"no storage", R"({"version":1,"archive":{}})", "/archive", "\"storage\" (Storage)",
         "\"backend\": \"filesystem\""},
        {"unknown key", root(R"("surces":[])"), "/surces", "unknown key \"surces\"",
         "did you mean \"sources\"?"},
        {"unknown key in another case", root(R"("Sources":[])"), "/Sources", "unknown key",
         "did you mean \"sources\"?"},
        {"unlike any key", root(R"("zebra":1)"), "/zebra", "unknown key \"zebra\"",
         "known keys: $schema, version, archive, sources, plugins, notifications, service"},
        {"key with a slash", root(R"("a/b~c":1)"), "/a~1b~0c", "unknown key", ""},
        {"sources as an object", root(R"("sources":{})"), "/sources",
         "must be a list, not an object", "brackets"},
        {"source as text", root(R"("sources":["a"])"), "/sources/0", "must be an object", ""},
        {"null", archive(R"(,"catalog":null)"), "/archive/catalog", "must be an object, not null",
         ""},
        // archive
        {"unknown backend",
         R"({"version":1,"archive":{"storage":{"backend":"filesytem","config":{}}}})",
         "/archive/storage/backend", "no storage backend \"filesytem\" is loaded",
         "did you mean \"filesystem\"?"},
        {"no config", R"({"version":1,"archive":{"storage":{"backend":"filesystem"}}})",
         "/archive/storage", "\"config\" is missing", ""},
        {"config incomplete",
         R"({"version":1,"archive":{"storage":{"backend":"filesystem","config":{}}}})",
         "/archive/storage/config", "\"root\" (Folder) is missing", "the folder of the archive"},
        {"empty root",
         R"({"version":1,"archive":{"storage":{"backend":"filesystem","config":{"root":""}}}})",
         "/archive/storage/config/root", "must not be empty", "the folder of the archive"},
        {"unknown key of a backend that does not say so",
         R"({"version":1,"archive":{"storage":{"backend":"filesystem",
           "config":{"root":"a","rot":"b"}}}})",
         "/archive/storage/config/rot", "unknown key", "did you mean \"root\"?"},
        {"catalog without path", archive(R"(,"catalog":{})"), "/archive/catalog",
         "\"path\" is missing", "a folder on a local disk"},
        {"encryption without key", archive(R"(,"encryption":{})"), "/archive/encryption",
         "\"key\" is missing", ""},
        {"unknown mode", archive(R"(,"encryption":{"mode":"non","key":{"env":"K"}})"),
         "/archive/encryption/mode", R"(one of "aes-256-gcm", "none")", "did you mean \"none\"?"},
        {"no encryption, with a key", archive(R"(,"encryption":{"mode":"none","key":{"env":"K"}})"),
         "/archive/encryption/key", "must not be given here", "remove it"},
        {"two keys", archive(R"(,"encryption":{"key":{"env":"K","file":"f"}})"),
         "/archive/encryption/key", "file, env, passphrase exclude each other", "keep one"},
        {"key without place", archive(R"(,"encryption":{"key":{}})"), "/archive/encryption/key",
         "one of file, env, passphrase is missing", "add one"},
        {"key as text", archive(R"(,"encryption":{"key":"f"})"), "/archive/encryption/key",
         "must be an object, not a string", ""},
        {"size without unit", archive(R"(,"free_space_floor":"12")"), "/archive/free_space_floor",
         "expected form", "\"1GiB\""},
        {"negative size", archive(R"(,"free_space_floor":-1)"), "/archive/free_space_floor",
         "must be at least 0", ""},
        {"size as a list", archive(R"(,"free_space_floor":[])"), "/archive/free_space_floor",
         "must be a whole number or a string, not a list", ""},
        // sources
        {"id with blanks", root(R"("sources":[{"id":"A b","provider":"microsoft365"}])"),
         "/sources/0/id", "expected form", "1 to 64 of the characters"},
        {"id missing", root(R"("sources":[{"provider":"microsoft365"}])"), "/sources/0",
         "\"id\" is missing", "add \"id\": a short name"},
        {"ids equal",
         root(R"("sources":[
           {"id":"a","provider":"microsoft365","config":{)" +
              std::string(kIds) +
              R"(,"client_secret":{"env":"S"}}},
           {"id":"a","provider":"microsoft365","config":{)" +
              std::string(kIds) + R"(,"client_secret":{"env":"S"}}}])"),
         "/sources/1/id", "\"a\" is used already at /sources/0", "an id of its own"},
        {"unknown provider", root(R"("sources":[{"id":"a","provider":"microsft365"}])"),
         "/sources/0/provider", "no provider \"microsft365\" is loaded; loaded: microsoft365",
         "did you mean \"microsoft365\"?"},
        {"provider unlike any", root(R"("sources":[{"id":"a","provider":"imap"}])"),
         "/sources/0/provider", "no provider \"imap\" is loaded", "install the plugin"},
        {"duration without unit", besides(R"("x":0}, "schedule":{"every":"5")"),
         "/sources/0/schedule/every", "expected form", "\"30s\", \"5m\""},
        {"no duration at all", besides(R"("x":0}, "schedule":{"every":"0s")"),
         "/sources/0/schedule/every", "expected form", "at least one second"},
        {"duration as a number", besides(R"("x":0}, "schedule":{"every":5)"),
         "/sources/0/schedule/every", "must be a string, not a whole number", "double quotes"},
        // a plugin's configuration
        {"required missing",
         source(R"("config":{"client_secret":{"env":"S"},)"
                R"("client_id":"c0ffee00-1111-4222-8333-444455556666"})"),
         "/sources/0/config", "\"tenant_id\" (Tenant ID) is missing",
         "add \"tenant_id\": Directory (tenant) ID of the app registration"},
        {"mistyped required", config(R"("client_secrt":{"env":"S"})"),
         "/sources/0/config/client_secrt", "unknown key", "did you mean \"client_secret\"?"},
        {"none of the alternatives", config(R"("cloud":"global")"), "/sources/0/config",
         "one of client_secret, certificate is missing", "add one"},
        {"two alternatives", besides(R"("certificate":{"file":"x"})"), "/sources/0/config",
         "client_secret, certificate exclude each other", "keep one"},
        {"pattern", source(R"("config":{"tenant_id":"6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f",
            "client_id":"my app","client_secret":{"env":"S"}})"),
         "/sources/0/config/client_id", "expected form", "Application (client) ID"},
        {"uuid", source(R"("config":{"tenant_id":"contoso",
            "client_id":"c0ffee00-1111-4222-8333-444455556666","client_secret":{"env":"S"}})"),
         "/sources/0/config/tenant_id", "must be a GUID", "Directory (tenant) ID"},
        {"enum", besides(R"("cloud":"globl")"), "/sources/0/config/cloud",
         R"(must be one of "global", "usgov", "dod", "china")", "did you mean \"global\"?"},
        {"maximum", besides(R"("requests_per_account":5)"),
         "/sources/0/config/requests_per_account", "must be at most 4", ""},
        {"far above the maximum", besides(R"("requests_per_account":18446744073709551615)"),
         "/sources/0/config/requests_per_account", "must be at most 4", ""},
        {"minimum", besides(R"("requests_per_account":0)"),
         "/sources/0/config/requests_per_account", "must be at least 1", ""},
        {"fraction", besides(R"("requests_per_account":1.5)"),
         "/sources/0/config/requests_per_account", "must be a whole number, not a number", ""},
        {"element of a list", besides(R"("accounts":{"include":["a",7]})"),
         "/sources/0/config/accounts/include/1", "must be a string", "double quotes"},
        {"nested unknown key", besides(R"("accounts":{"includes":[]})"),
         "/sources/0/config/accounts/includes", "unknown key", "did you mean \"include\"?"},
        {"date", besides(R"("client_secret_expires":"31.12.2027")"),
         "/sources/0/config/client_secret_expires", "a date such as 2027-03-31", ""},
        {"uri", besides(R"("graph_url":"graph.example")"), "/sources/0/config/graph_url",
         "a URL such as https://example.org", ""},
        {"reference for what is no secret", besides(R"("graph_url":{"env":"URL"})"),
         "/sources/0/config/graph_url", "must be a string, not an object",
         "only secrets may be references"},
        {"very long text",
         besides(R"("cloud":"global","graph_url":"http://)" + std::string(200000, 'a') + "\""),
         "/sources/0/config/graph_url", "is longer than 4096 bytes", ""},
        // secrets
        {"secret as a number", config(R"("client_secret":12)"), "/sources/0/config/client_secret",
         "a secret must be a reference, not a whole number", R"({"env": NAME})"},
        {"empty secret", config(R"("client_secret":"")"), "/sources/0/config/client_secret",
         "the secret is empty", R"({"file": PATH})"},
        {"empty reference", config(R"("client_secret":{})"), "/sources/0/config/client_secret",
         "reference is empty", R"({"env": NAME})"},
        {"two places", config(R"("client_secret":{"env":"A","file":"b"})"),
         "/sources/0/config/client_secret", "exclude each other", ""},
        {"mistyped reference", config(R"("client_secret":{"envv":"A"})"),
         "/sources/0/config/client_secret/envv", "unknown key", "did you mean \"env\"?"},
        {"empty name", config(R"("client_secret":{"env":""})"),
         "/sources/0/config/client_secret/env", "not empty", ""},
        // service
        {"port missing", root(R"("service":{"listen":"localhost"})"), "/service/listen",
         "expected form", "127.0.0.1:8420"},
        {"port too large", root(R"("service":{"listen":"127.0.0.1:70000"})"), "/service/listen",
         "at most 65535", "127.0.0.1:8420"},
    };
}

}  // namespace

TEST_CASE("Each mistake in a profile is reported at its place with what to do") {
    const ProfileFolder folder;
    for (const Wrong& wrong : wrong_profiles()) {
        CAPTURE(wrong.name);
        const profile::ProfileResult result = folder.load(wrong.text);
        CAPTURE(all_texts(result));
        CHECK_FALSE(result.profile);
        bool found = false;
        for (const profile::Problem& problem : result.problems) {
            found = found || (problem.severity == profile::Severity::error &&
                              problem.pointer == wrong.pointer &&
                              problem.message.find(wrong.message) != std::string::npos &&
                              problem.suggestion.find(wrong.suggestion) != std::string::npos);
        }
        CHECK(found);
    }
}

TEST_CASE("One mistake is one problem") {
    const ProfileFolder folder;
    const char* mistyped = R"("client_secrt":{"env":"S"})";
    // The key itself; that one of the alternatives is missing follows from it.
    CHECK(folder.load(config(mistyped)).problems.size() <= 2);
    CHECK(folder.load(R"({"version":1,"archve":{}})").problems.size() == 1);
    CHECK(folder.load(root(R"("sources":[{"id":"a","provider":"imap"}])")).problems.size() == 1);
    CHECK(folder.load(archive(R"(,"encryption":{"mode":"none","key":{"env":"K"}})"))
              .problems.size() == 1);
}

TEST_CASE("All mistakes are reported at once") {
    const ProfileFolder folder;
    const auto result = folder.load(
        root(R"("sources":[{"id":"A","provider":"imap","schedule":{"every":"x"}}],"zebra":1)"));
    CHECK(result.problems.size() == 4);
}

TEST_CASE("A file that is missing, no file or too large is said to be so") {
    const ProfileFolder folder;
    const auto problem_of = [](const std::filesystem::path& file) {
        const profile::ProfileResult result = profile::load_profile(file, nullptr);
        REQUIRE(result.problems.size() == 1);
        CHECK_FALSE(result.profile);
        return to_text(result.problems[0]);
    };
    CHECK_THAT(problem_of(folder.path() / "absent.json"),
               Contains("no profile") && Contains("absent.json") && Contains("--profile FILE"));
    CHECK_THAT(problem_of(folder.path()), Contains("is not a file"));
    CHECK_THAT(problem_of(folder.folder().write("big.json", std::string(4194305, ' '))),
               Contains("larger than 4 MiB"));
}

TEST_CASE("A literal secret draws a warning, and one that looks like a Secret ID another") {
    const ProfileFolder folder;
    const auto result =
        folder.load(config(R"("client_secret":"0b5c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f")"));
    CAPTURE(all_texts(result));
    CHECK(result.profile);
    REQUIRE(result.problems.size() == 2);
    CHECK(result.problems[0].severity == profile::Severity::warning);
    CHECK(result.problems[0].pointer == "/sources/0/config/client_secret");
    CHECK_THAT(result.problems[0].suggestion, Contains(R"({"env": NAME} or {"file": PATH})"));
    CHECK_THAT(result.problems[1].message, Contains("looks like a Secret ID"));
    CHECK_THAT(result.problems[1].suggestion, Contains("Value"));
    CHECK_THAT(all_texts(result), !Contains("0b5c2d34"));
}

TEST_CASE("No problem quotes a secret, wherever it was put by mistake") {
    const ProfileFolder folder;
    const std::string secret = "s3cret~Value";
    for (const char* members :
         {R"("client_secret":{"env":"s3cret~Value"})", R"("client_secrets":"s3cret~Value")",
          R"("client_secret":{"value":"s3cret~Value"})", R"("client_secret":["s3cret~Value"])",
          R"("cloud":"s3cret~Value")", R"("graph_url":"s3cret~Value")",
          R"("certificate":"s3cret~Value")"}) {
        const auto result = folder.load(config(members));
        CHECK_FALSE(result.profile);
        CHECK_THAT(all_texts(result), !Contains(secret));
    }
}

TEST_CASE("A plugin whose library was refused is named with the reason") {
    ProfileFolder folder;
    const auto copy = folder.path() / "imap.so";
    std::filesystem::copy_file(std::filesystem::path(PROFILE_TEST_LIBRARIES) / "microsoft365.so",
                               copy);
    std::filesystem::permissions(copy, std::filesystem::perms::others_write,
                                 std::filesystem::perm_options::add);
    CHECK_FALSE(folder.plugins().load(copy));
    const auto result = folder.load(root(R"("sources":[{"id":"a","provider":"imap"}])"));
    REQUIRE(result.problems.size() == 1);
    CHECK_THAT(result.problems[0].message,
               Contains(copy.string() + " refused: anybody may write the file"));
}

TEST_CASE("A plugin with a schema that can't be used matters only to a profile that names it") {
    ProfileFolder folder;
    const std::filesystem::path libraries(PROFILE_TEST_LIBRARIES);
    REQUIRE(folder.plugins().load(libraries / "brokenschema.so"));
    REQUIRE(folder.plugins().load(libraries / "wrongschema.so"));
    CHECK(folder.load(besides(R"("cloud":"global")")).problems.empty());

    const auto broken = folder.load(root(R"("sources":[{"id":"a","provider":"broken"}])"));
    CHECK_FALSE(broken.profile);
    REQUIRE(broken.problems.size() == 1);
    CHECK(broken.problems[0].pointer == "/sources/0");
    CHECK_THAT(all_texts(broken),
               Contains("\"broken\"") && Contains("brokenschema.so") && Contains("not valid JSON"));

    const auto wrong = folder.load(root(R"("sources":[{"id":"a","provider":"wrong"}])"));
    CHECK_FALSE(wrong.profile);
    CHECK_THAT(all_texts(wrong), Contains("\"wrong\"") && Contains("can't be used"));
}
