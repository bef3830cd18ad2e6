#include "plugin/secrets.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "loader/support.hpp"

namespace {

namespace fs = std::filesystem;
namespace plugin = openarchiver::plugin;
namespace sdk = openarchiver::sdk;
using Catch::Matchers::Contains;
using Kind = plugin::SecretReference::Kind;

/// Not encryption: enough to see that everything passes through it.
plugin::Sealing reversing() {
    const auto reverse = [](std::string_view bytes) -> sdk::Result<std::string> {
        return std::string(bytes.rbegin(), bytes.rend());
    };
    return {reverse, reverse};
}

std::string contents(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

}  // namespace

TEST_CASE("A secret is read from the environment, from a file or from the profile") {
    const TemporaryFolder folder;
    const ScopedVariable variable("OPENARCHIVER_TEST_SECRET", "from-env");
    CHECK(plugin::resolve({Kind::env, "OPENARCHIVER_TEST_SECRET"}).value() == "from-env");
    CHECK(plugin::resolve({Kind::literal, "literal "}).value() == "literal ");
    for (const char* text : {"from file", "from file\n", "from file\r\n"}) {
        const fs::path file = folder.write("secret", text);
        CHECK(plugin::resolve({Kind::file, file.string()}).value() == "from file");
    }
}

TEST_CASE("A secret that is missing or empty is an error that names its place") {
    const TemporaryFolder folder;
    const ScopedVariable variable("OPENARCHIVER_TEST_SECRET", nullptr);
    const auto error_of = [](Kind kind, const std::string& value) {
        const auto secret = plugin::resolve({kind, value});
        REQUIRE_FALSE(secret);
        CHECK(secret.error().code == sdk::Errc::invalid_config);
        return secret.error().message;
    };
    CHECK_THAT(error_of(Kind::env, "OPENARCHIVER_TEST_SECRET"),
               Contains("OPENARCHIVER_TEST_SECRET is not set"));
    variable.set("");
    CHECK_THAT(error_of(Kind::env, "OPENARCHIVER_TEST_SECRET"), Contains("is empty"));
    const std::string absent = (folder.path() / "absent").string();
    CHECK_THAT(error_of(Kind::file, absent), Contains("no file " + absent));
    CHECK_THAT(error_of(Kind::file, folder.write("empty", "\n").string()), Contains("is empty"));
    CHECK_THAT(error_of(Kind::file, folder.write("huge", std::string(70000, 'x')).string()),
               Contains("larger than 64 KiB"));
}

TEST_CASE("A secret that is renewed in its file counts at once") {
    const TemporaryFolder folder;
    const fs::path file = folder.write("secret", "first\n");
    plugin::ConfiguredSecrets secrets("contoso", {{"/key", {Kind::file, file.string()}}}, nullptr);
    CHECK(secrets.get("/key").value() == "first");
    static_cast<void>(folder.write("secret", "second\n"));
    CHECK(secrets.get("/key").value() == "second");
    CHECK(secrets.get("/other").error().code == sdk::Errc::not_found);
    CHECK(secrets.update("/key", "third").error().code == sdk::Errc::unsupported);
    CHECK(secrets.update("/other", "third").error().code == sdk::Errc::not_found);
}

TEST_CASE("A rotated secret survives a restart, until another one is configured") {
    const TemporaryFolder folder;
    const fs::path kept = folder.path() / "catalog" / "secrets";
    const fs::path file = folder.write("secret", "configured");
    const plugin::SecretReferences references{{"/tokens/0", {Kind::file, file.string()}}};
    {
        plugin::FileSecretVault vault(kept, reversing());
        plugin::ConfiguredSecrets secrets("contoso", references, &vault);
        CHECK(secrets.get("/tokens/0").value() == "configured");
        REQUIRE(secrets.update("/tokens/0", "rotated once"));
        REQUIRE(secrets.update("/tokens/0", "rotated\ntwice\n"));
        CHECK(secrets.get("/tokens/0").value() == "rotated\ntwice\n");
    }
    plugin::FileSecretVault vault(kept, reversing());
    plugin::ConfiguredSecrets secrets("contoso", references, &vault);
    CHECK(secrets.get("/tokens/0").value() == "rotated\ntwice\n");

    plugin::ConfiguredSecrets other("fabrikam", references, &vault);
    CHECK(other.get("/tokens/0").value() == "configured");

    static_cast<void>(folder.write("secret", "configured anew"));
    CHECK(secrets.get("/tokens/0").value() == "configured anew");
    static_cast<void>(folder.write("secret", "configured"));
    CHECK(secrets.get("/tokens/0").value() == "rotated\ntwice\n");
}

TEST_CASE("A rotated secret is kept sealed, in a file that only its owner may read") {
    const TemporaryFolder folder;
    const fs::path kept = folder.path() / "secrets";
    plugin::FileSecretVault vault(kept, reversing());
    plugin::ConfiguredSecrets secrets("contoso", {{"/key", {Kind::literal, "configured"}}}, &vault);
    REQUIRE(secrets.update("/key", "rotated"));

    CHECK((fs::status(kept).permissions() & fs::perms::all) == fs::perms::owner_all);
    const std::vector<fs::path> files(fs::directory_iterator(kept), fs::directory_iterator{});
    REQUIRE(files.size() == 1);
    CHECK((fs::status(files[0]).permissions() & fs::perms::all) ==
          (fs::perms::owner_read | fs::perms::owner_write));
    const std::string sealed = contents(files[0]);
    CHECK_THAT(sealed, !Contains("rotated") && !Contains("configured"));
    CHECK_THAT(reversing().open(sealed).value(), Contains("rotated") && !Contains("configured"));
}

TEST_CASE("A kept secret that is damaged or belongs to another place is not used") {
    const TemporaryFolder folder;
    const fs::path kept = folder.path() / "secrets";
    plugin::FileSecretVault vault(kept, reversing());
    plugin::ConfiguredSecrets secrets(
        "contoso", {{"/a", {Kind::literal, "a"}}, {"/b", {Kind::literal, "a"}}}, &vault);
    REQUIRE(secrets.update("/a", "rotated"));
    const fs::path file = fs::directory_iterator(kept)->path();

    SECTION("damaged") {
        std::ofstream(file, std::ios::trunc) << "damaged";
        CHECK(secrets.get("/a").error().code == sdk::Errc::corrupt);
    }
    SECTION("of another place") {
        REQUIRE(secrets.update("/b", "rotated too"));
        for (const auto& entry : fs::directory_iterator(kept)) {
            if (entry.path() != file) {
                fs::copy_file(file, entry.path(), fs::copy_options::overwrite_existing);
            }
        }
        CHECK(secrets.get("/a").value() == "rotated");
        CHECK(secrets.get("/b").error().code == sdk::Errc::corrupt);
    }
    SECTION("that the seal refuses") {
        plugin::FileSecretVault other(
            kept, {.seal = nullptr, .open = [](std::string_view) -> sdk::Result<std::string> {
                       return sdk::Error{sdk::Errc::corrupt, "the seal is broken"};
                   }});
        plugin::ConfiguredSecrets reader("contoso", {{"/a", {Kind::literal, "a"}}}, &other);
        const auto secret = reader.get("/a");
        REQUIRE_FALSE(secret);
        CHECK_THAT(secret.error().message, Contains("the seal is broken") && Contains("delete"));
    }
}
