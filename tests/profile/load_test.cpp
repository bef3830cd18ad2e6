#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <catch2/catch.hpp>

#include "profile/fixture.hpp"

namespace {

namespace json = boost::json;
namespace plugin = openarchiver::plugin;
namespace profile = openarchiver::profile;
using namespace std::chrono_literals;
using Catch::Matchers::Contains;
using Kind = plugin::SecretReference::Kind;

/// The example that the documentation of the profile gives.
constexpr std::string_view kExample = R"json({
  "version": 1,
  "archive": {
    "storage":    { "backend": "filesystem", "config": { "root": "./archive" } },
    "catalog":    { "path": "./catalog" },
    "encryption": { "key": { "file": "./archive.key" } }
  },
  "sources": [
    { "id": "contoso", "name": "Microsoft 365 Archive", "provider": "microsoft365",
      "config": {
        "tenant_id": "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f",
        "client_id": "c0ffee00-1111-4222-8333-444455556666",
        "client_secret": { "env": "M365_CLIENT_SECRET" }
      },
      "schedule": { "every": "5m" } }
  ],
  "plugins": { "path": [] },
  "service": { "listen": "127.0.0.1:8420" }
})json";

std::string with_archive(std::string_view archive) {
    return R"({"version":1,"archive":{"storage":{"backend":"filesystem","config":{"root":"a"}})" +
           std::string(archive) + "}}";
}

std::string with_sources(std::string_view sources) {
    return R"({"version":1,"archive":{"storage":{"backend":"filesystem","config":{"root":"a"}}},)"
           R"("sources":)" +
           std::string(sources) + "}";
}

std::string texts(const std::vector<profile::Problem>& problems) {
    std::string all;
    for (const profile::Problem& problem : problems) {
        all += to_text(problem) + '\n';
    }
    return all;
}

profile::Profile loaded(const ProfileFolder& folder, std::string_view text) {
    profile::ProfileResult result = folder.load(text);
    INFO(texts(result.problems));
    REQUIRE(result.profile);
    return std::move(*result.profile);
}

}  // namespace

TEST_CASE("The documented example loads without a problem") {
    const ProfileFolder folder;
    const profile::ProfileResult result = folder.load(kExample);
    INFO(texts(result.problems));
    CHECK(result.problems.empty());
    REQUIRE(result.profile);
    const profile::Profile& read = *result.profile;

    CHECK(read.version == 1);
    CHECK(read.file == folder.path() / "profile.json");
    CHECK(read.folder == folder.path());
    CHECK(read.archive.storage.backend == "filesystem");
    CHECK(read.archive.storage.config_json == R"({"root":"./archive"})");
    CHECK(read.archive.catalog_path == folder.path() / "catalog");
    CHECK(read.archive.encryption.section_present);
    CHECK(read.archive.encryption.mode == profile::EncryptionMode::aes_256_gcm);
    CHECK(read.archive.encryption.key.kind == profile::KeyReference::Kind::file);
    CHECK(read.archive.encryption.key.value == (folder.path() / "archive.key").string());
    CHECK(read.service.host == "127.0.0.1");
    CHECK(read.service.port == 8420);
    CHECK(read.plugins.path.empty());

    REQUIRE(read.sources.size() == 1);
    const profile::Source& source = read.sources.front();
    CHECK(source.id == "contoso");
    CHECK(source.name == "Microsoft 365 Archive");
    CHECK(source.provider == "microsoft365");
    CHECK(source.every == 5min);
    CHECK(source.reconcile_every == 30 * 24h);
    CHECK(json::parse(source.config_json) ==
          json::value{{"tenant_id", "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f"},
                      {"client_id", "c0ffee00-1111-4222-8333-444455556666"}});
    REQUIRE(source.secrets.size() == 1);
    CHECK(source.secrets.at("/client_secret").kind == Kind::env);
    CHECK(source.secrets.at("/client_secret").value == "M365_CLIENT_SECRET");
}

TEST_CASE("What a profile leaves out has its documented default") {
    const ProfileFolder folder;
    const profile::Profile read = loaded(folder, with_archive(""));
    CHECK(read.archive.catalog_path == folder.path() / "catalog");
    CHECK_FALSE(read.archive.encryption.section_present);
    CHECK(read.archive.encryption.mode == profile::EncryptionMode::aes_256_gcm);
    CHECK(read.archive.encryption.key.value == (folder.path() / "archive.key").string());
    CHECK(read.archive.free_space_floor == 1073741824);
    CHECK(read.service.host == "127.0.0.1");
    CHECK(read.service.port == 8420);
    CHECK(read.sources.empty());
}

TEST_CASE("Encryption may be off, or have its key in the environment") {
    const ProfileFolder folder;
    const auto off = loaded(folder, with_archive(R"(,"encryption":{"mode":"none"})"));
    CHECK(off.archive.encryption.mode == profile::EncryptionMode::none);
    CHECK(off.archive.encryption.section_present);
    const auto env = loaded(folder, with_archive(R"(,"encryption":{"key":{"env":"KEY"}})"));
    CHECK(env.archive.encryption.key.kind == profile::KeyReference::Kind::env);
    CHECK(env.archive.encryption.key.value == "KEY");
}

TEST_CASE("Durations, sizes, addresses and paths are read in all their forms") {
    const ProfileFolder folder;
    const auto [text, every] = GENERATE(table<const char*, std::chrono::seconds>(
        {{"1s", 1s}, {"90m", 90min}, {"2h", 2h}, {"1d", 24h}, {"9999999d", 9999999 * 24h}}));
    const auto source =
        loaded(folder, with_sources(R"([{"id":"a","provider":"microsoft365",
        "config":{"tenant_id":"6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f",
                  "client_id":"c0ffee00-1111-4222-8333-444455556666",
                  "certificate":{"file":"x.pem"}},
        "schedule":{"every":")" + std::string(text) +
                                    R"(","reconcile_every":")" + std::string(text) + R"("}}])"))
            .sources.at(0);
    CHECK(source.every == every);
    CHECK(source.reconcile_every == every);
    CHECK(source.name == "a");

    const auto [floor, bytes] =
        GENERATE(table<const char*, std::uint64_t>({{"0", 0},
                                                    {"5000000000", 5000000000},
                                                    {"\"500MiB\"", 524288000},
                                                    {"\"2TiB\"", 2199023255552},
                                                    {"\"7B\"", 7},
                                                    {"\"3KiB\"", 3072}}));
    CHECK(loaded(folder, with_archive(R"(,"free_space_floor":)" + std::string(floor)))
              .archive.free_space_floor == bytes);

    const std::string rest = R"(},"plugins":{"path":["p","/q"]},"service":{"listen":"[::1]:80"})";
    const auto other = loaded(folder, with_archive(rest.substr(0, rest.size() - 1)));
    CHECK(other.service.host == "::1");
    CHECK(other.service.port == 80);
    CHECK(other.plugins.path == std::vector<std::filesystem::path>{folder.path() / "p", "/q"});
}

TEST_CASE("Secrets are taken out of the configuration, wherever the schema marks them") {
    const ProfileFolder folder;
    const profile::ProfileResult result = folder.load(with_sources(
        R"([{"id":"a","provider":"microsoft365","config":{
            "tenant_id":"6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f",
            "client_id":"c0ffee00-1111-4222-8333-444455556666",
            "certificate":{"file":"x.pem","password":{"file":"secrets/../pw"}},
            "tokens":["very-secret-1",{"env":"TOKEN"}]}}])"));
    INFO(texts(result.problems));
    REQUIRE(result.profile);
    const profile::Source& source = result.profile->sources.at(0);
    CHECK(json::parse(source.config_json).at("certificate") == json::value{{"file", "x.pem"}});
    CHECK(json::parse(source.config_json).at("tokens") == json::array{nullptr, nullptr});
    CHECK(source.secrets.at("/certificate/password").value == (folder.path() / "pw").string());
    CHECK(source.secrets.at("/tokens/0").kind == Kind::literal);
    CHECK(source.secrets.at("/tokens/0").value == "very-secret-1");
    CHECK(source.secrets.at("/tokens/1").value == "TOKEN");

    REQUIRE(result.problems.size() == 1);
    CHECK(result.problems[0].severity == profile::Severity::warning);
    CHECK(result.problems[0].pointer == "/sources/0/config/tokens/0");
    CHECK_THAT(texts(result.problems), !Contains("very-secret"));
}

TEST_CASE("A storage backend has secrets as well") {
    const ProfileFolder folder;
    const auto read = loaded(folder, R"({"version":1,"archive":{"storage":{"backend":"filesystem",
        "config":{"root":"a","access_key":{"env":"KEY"}}}}})");
    CHECK(read.archive.storage.config_json == R"({"root":"a"})");
    CHECK(read.archive.storage.secrets.at("/access_key").value == "KEY");
}

TEST_CASE("Secrets that can't be used are found with their places") {
    const ProfileFolder folder;
    const ScopedVariable unset("OPENARCHIVER_TEST_UNSET", nullptr);
    const ScopedVariable guid("OPENARCHIVER_TEST_GUID", "6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f");
    std::filesystem::permissions(folder.folder().write("open", "shared-secret"),
                                 std::filesystem::perms::others_read,
                                 std::filesystem::perm_options::add);
    std::filesystem::permissions(folder.folder().write("empty", "\n"),
                                 std::filesystem::perms::owner_all);
    const profile::Profile read =
        loaded(folder, with_sources(
                           R"([{"id":"a","provider":"microsoft365","config":{
            "tenant_id":"6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f",
            "client_id":"c0ffee00-1111-4222-8333-444455556666",
            "client_secret":{"env":"OPENARCHIVER_TEST_UNSET"},
            "tokens":[{"env":"OPENARCHIVER_TEST_GUID"},{"file":"open"},{"file":"empty"},
                      {"file":"absent"}]}}])"));
    const std::vector<profile::Problem> problems = check_secrets(read);
    REQUIRE(problems.size() == 5);
    const auto check = [&](std::size_t i, const char* pointer, profile::Severity severity,
                           const char* part) {
        CHECK(problems[i].pointer == pointer);
        CHECK(problems[i].severity == severity);
        CHECK_THAT(problems[i].message, Contains(part));
    };
    using profile::Severity;
    check(0, "/sources/0/config/client_secret", Severity::error, "OPENARCHIVER_TEST_UNSET is not");
    check(1, "/sources/0/config/tokens/0", Severity::warning, "looks like a Secret ID");
    check(2, "/sources/0/config/tokens/1", Severity::warning, "every user of this machine");
    check(3, "/sources/0/config/tokens/2", Severity::error, "is empty");
    check(4, "/sources/0/config/tokens/3", Severity::error, "no file");
    CHECK_THAT(texts(problems), !Contains("shared-secret") && !Contains("6f1c2d34"));
}

TEST_CASE("The folders of plugins can be read before the profile can be validated") {
    const TemporaryFolder folder;
    using Paths = std::vector<std::filesystem::path>;
    const auto file = folder.write("p.json", R"({"plugins":{"path":["more",7,"/abs"]},"x":1})");
    CHECK(profile::read_plugin_settings(file).path == Paths{folder.path() / "more", "/abs"});
    CHECK(profile::read_plugin_settings(folder.write("p.json", "{")).path.empty());
    CHECK(profile::read_plugin_settings(folder.write("p.json", R"({"plugins":[1]})")).path.empty());
    CHECK(profile::read_plugin_settings(folder.path() / "absent.json").path.empty());
}

TEST_CASE("Without plugins the rest of a profile is read, and their configurations are not") {
    const TemporaryFolder folder;
    const auto result = profile::load_profile(folder.write("p.json", kExample), nullptr);
    REQUIRE(result.profile);
    CHECK(result.profile->sources.at(0).id == "contoso");
    CHECK(result.profile->sources.at(0).config_json == "{}");
    CHECK(result.profile->sources.at(0).secrets.empty());
}

TEST_CASE("The schema has the plugins' schemas merged in, secrets as references") {
    ProfileFolder folder;
    const json::value schema = json::parse(profile::profile_schema(&folder.plugins()));
    const json::value& item = schema.at("properties").at("sources").at("items");
    CHECK(item.at("properties").at("provider").at("enum") == json::array{"microsoft365"});
    const json::value& branch = item.at("allOf").at(0);
    CHECK(branch.at("if").at("properties").at("provider").at("const") == "microsoft365");
    const json::value& config = branch.at("then").at("properties").at("config");
    CHECK(config.at("properties").at("client_secret").at("writeOnly") == true);
    CHECK(config.at("properties").at("client_secret").at("title") == "Client secret");
    CHECK(config.at("properties").at("client_secret").at("oneOf").as_array().size() == 3);
    CHECK(config.at("properties").at("accounts").at("additionalProperties") == false);

    CHECK(json::parse(profile::profile_schema(nullptr)).at("title") == "OpenArchiver profile");
}
