#include "plugin/plugin_host.hpp"

#include <catch2/catch.hpp>

#include "loader/support.hpp"
#include "plugin/digest.hpp"

namespace {

namespace fs = std::filesystem;
namespace plugin = openarchiver::plugin;
namespace sdk = openarchiver::sdk;
using Catch::Matchers::Contains;
using plugin::Refusal;

fs::path library(const std::string& name) {
    return fs::canonical(fs::path(LOADER_TEST_LIBRARIES) / (name + ".so"));
}

fs::path copy_of(const std::string& name, const fs::path& target) {
    fs::copy_file(library(name), target);
    return target;
}

/// As stamps name it, so many after the engine's own.
std::string epoch(int after) {
    return "epoch " + std::to_string(static_cast<int>(sdk::kAbiEpoch) + after);
}

struct Expected {
    const char* library;
    Refusal code;
    std::vector<std::string> parts;
};

}  // namespace

TEST_CASE("A library is refused with a reason for each way in which it can be wrong") {
    const auto row = GENERATE(values<Expected>({
        {"no_stamp", Refusal::no_stamp, {"no symbol openarchiver_abi_stamp", epoch(0)}},
        {"wrong_magic", Refusal::wrong_stamp, {"magic number", "rebuild the plugin"}},
        {"wrong_size", Refusal::wrong_stamp, {"has 40 bytes, the engine's has 168", "rebuild"}},
        {"wrong_pointers",
         Refusal::other_pointer_size,
         {"pointers of another size", "32 bit", "64 bit", "rebuild"}},
        {"other_epoch",
         Refusal::other_epoch,
         {"another epoch", "(plugin: " + epoch(1) + ",", "; engine: " + epoch(0) + ",",
          "rebuild the plugin with SDK", "or install an engine"}},
        {"earlier_epoch",
         Refusal::other_epoch,
         {"(plugin: " + epoch(-1) + ",", "; engine: " + epoch(0) + ",",
          "or get a newer version of the plugin"}},
        {"other_fingerprint",
         Refusal::other_fingerprint,
         {"another standard library", "libc++,debug,strange", "libstdc++,cxx11", "rebuild"}},
        {"unended_fingerprint", Refusal::other_fingerprint, {"????????", "libstdc++,cxx11"}},
        {"no_factory", Refusal::no_factory, {"no symbol openarchiver_create_plugin"}},
        {"null_factory", Refusal::factory_failed, {"returned no plugin", "author"}},
        {"throwing_factory", Refusal::factory_failed, {"threw", "no licence found", "author"}},
        {"throwing_factory_number", Refusal::factory_failed, {"exception of unknown type"}},
        {"throwing_info", Refusal::plugin_failed, {"info", "who am I"}},
        {"throwing_schema", Refusal::plugin_failed, {"config_schema", "no schema today"}},
        {"bad_id", Refusal::invalid_info, {"a-z, 0-9 and -", "correct PluginInfo::id"}},
        {"neither_kind", Refusal::wrong_kind, {"neither provider and storage backend"}},
        {"both_kinds", Refusal::wrong_kind, {"both provider and storage backend"}},
        {"unresolved",
         Refusal::not_a_library,
         {"openarchiver_test_function_of_no_library", "libraries it needs are installed"}},
    }));
    CAPTURE(row.library);
    RecordingLogger logger;
    plugin::PluginHost host(logger);
    const sdk::Status status = host.load(library(row.library));

    REQUIRE_FALSE(status);
    CHECK(status.error().code == sdk::Errc::invalid_config);
    REQUIRE(host.refused().size() == 1);
    const plugin::RefusedPlugin& refused = host.refused().front();
    CHECK(plugin::to_string(refused.code) == plugin::to_string(row.code));
    CHECK(refused.file == library(row.library));
    CHECK_THAT(refused.reason, Contains(library(row.library).string()));
    for (const std::string& part : row.parts) {
        CHECK_THAT(refused.reason, Contains(part));
    }
    CHECK(status.error().message == refused.reason);
    CHECK(host.loaded().empty());
    CHECK(logger.has(refused.reason));
    CHECK(logger.has(plugin::to_string(row.code)));
}

TEST_CASE("A file that is no library is refused with the system's own reason") {
    const TemporaryFolder folder;
    RecordingLogger logger;
    plugin::PluginHost host(logger);

    SECTION("text") {
        CHECK_FALSE(host.load(folder.write("text.so", "not a library at all")));
        CHECK(host.refused().at(0).code == Refusal::not_a_library);
        CHECK_THAT(host.refused().at(0).reason,
                   Contains("text.so: file too short") || Contains("text.so: invalid ELF header"));
    }
    SECTION("a library that was cut short") {
        const fs::path file = copy_of("good", folder.path() / "short.so");
        fs::resize_file(file, 3000);
        CHECK_FALSE(host.load(file));
        CHECK(host.refused().at(0).code == Refusal::not_a_library);
    }
    SECTION("a folder") {
        fs::create_directory(folder.path() / "folder.so");
        CHECK_FALSE(host.load(folder.path() / "folder.so"));
        CHECK(host.refused().at(0).code == Refusal::unreadable);
    }
    SECTION("nothing") {
        CHECK_FALSE(host.load(folder.path() / "absent.so"));
        CHECK(host.refused().at(0).code == Refusal::unreadable);
        CHECK_THAT(host.refused().at(0).reason, Contains("absent.so"));
    }
}

TEST_CASE("A library that anybody may write, or whose folder anybody may write, is refused") {
    const TemporaryFolder folder;
    RecordingLogger logger;
    plugin::PluginHost host(logger);
    const fs::path file = copy_of("good", folder.path() / "good.so");

    SECTION("the file") {
        fs::permissions(file, fs::perms::others_write, fs::perm_options::add);
        CHECK_FALSE(host.load(file));
        CHECK_THAT(host.refused().at(0).reason, Contains("may write the file"));
        CHECK_THAT(host.refused().at(0).reason, Contains("chmod o-w " + file.string()));
    }
    SECTION("its folder") {
        fs::permissions(folder.path(), fs::perms::others_write, fs::perm_options::add);
        CHECK_FALSE(host.load(file));
        CHECK_THAT(host.refused().at(0).reason, Contains("may write its folder"));
    }
    SECTION("the file behind a symbolic link") {
        const TemporaryFolder links;
        fs::permissions(file, fs::perms::others_write, fs::perm_options::add);
        fs::create_symlink(file, links.path() / "link.so");
        host.load_all({links.path()});
        REQUIRE(host.refused().size() == 1);
        CHECK(host.refused().at(0).file == file);
    }
    REQUIRE(host.refused().size() == 1);
    CHECK(host.refused().at(0).code == Refusal::unsafe_permissions);
    CHECK(host.loaded().empty());
}

TEST_CASE("A good library is loaded with its info, its stamp and its checksum") {
    RecordingLogger logger;
    plugin::PluginHost host(logger);
    REQUIRE(host.load(library("good")));

    REQUIRE(host.loaded().size() == 1);
    const plugin::LoadedPlugin& loaded = host.loaded().front();
    CHECK(loaded.info.id == "sample");
    CHECK(loaded.info.version == "1.2.3");
    CHECK(loaded.kind == plugin::PluginKind::provider);
    CHECK(loaded.file == library("good"));
    CHECK(loaded.stamp.abi_epoch == sdk::kAbiEpoch);

    const auto provider = host.provider("sample");
    REQUIRE(provider);
    CHECK((*provider)->config_schema() == R"({"type":"object"})");
    CHECK_FALSE(host.storage_backend("sample"));

    SECTION("and loading it again changes nothing") {
        CHECK(host.load(library("good")));
        CHECK(host.loaded().size() == 1);
        CHECK(host.refused().empty());
    }
    SECTION("and another host has a plugin object of its own") {
        plugin::PluginHost other(logger);
        CHECK(other.load(library("good")));
        CHECK(other.provider("sample"));
    }
}

TEST_CASE("The checksum of a file is its SHA-256") {
    const TemporaryFolder folder;
    const fs::path file = library("good");
    const fs::path list =
        folder.write("sums", plugin::sha256_of_file(file).value() + "  " + file.string() + "\n");
    CHECK(std::system(("sha256sum --check --status " + list.string()).c_str()) == 0);
}

TEST_CASE("A plugin whose file is replaced has another identity") {
    const TemporaryFolder folder;
    const fs::path file = folder.path() / "plugin.so";
    copy_of("good", file);
    RecordingLogger logger;
    plugin::PluginHost host(logger);
    REQUIRE(host.load(file));
    CHECK(plugin::identity_of(file) == host.loaded().front().identity);
    copy_of("good", folder.path() / "next.so");
    fs::rename(folder.path() / "next.so", file);
    CHECK(plugin::identity_of(file) != host.loaded().front().identity);
    fs::remove(file);
    CHECK_FALSE(plugin::identity_of(file));
}

TEST_CASE("Of two plugins with one id the first stays and the second is refused") {
    const TemporaryFolder folder;
    copy_of("good", folder.path() / "a.so");
    copy_of("good", folder.path() / "b.so");
    RecordingLogger logger;
    plugin::PluginHost host(logger);
    host.load_all({folder.path()});

    REQUIRE(host.loaded().size() == 1);
    CHECK(host.loaded().front().file == folder.path() / "a.so");
    REQUIRE(host.refused().size() == 1);
    CHECK(host.refused().front().code == Refusal::duplicate_id);
    CHECK(host.refused().front().file == folder.path() / "b.so");
    CHECK_THAT(host.refused().front().reason,
               Contains("\"sample\" is loaded from " + (folder.path() / "a.so").string()) &&
                   Contains("remove one of the two"));
}

TEST_CASE("A provider and a storage backend may have the same id") {
    RecordingLogger logger;
    plugin::PluginHost host(logger);
    CHECK(host.load(library("misbehaving")));
    CHECK(host.load(library("misbehaving_storage")));
    CHECK(host.loaded().size() == 2);
}

TEST_CASE("A folder of plugins is loaded by name, and a refused one never stops the others") {
    const TemporaryFolder folder;
    copy_of("misbehaving", folder.path() / "z.so");
    copy_of("good", folder.path() / "b.so");
    copy_of("throwing_info", folder.path() / "a.so");
    static_cast<void>(folder.write("notes.txt", "not looked at"));
    RecordingLogger logger;
    plugin::PluginHost host(logger);
    host.load_all({folder.path() / "missing", folder.path(), folder.path() / "."});

    REQUIRE(host.loaded().size() == 2);
    CHECK(host.loaded()[0].info.id == "sample");
    CHECK(host.loaded()[1].info.id == "misbehaving");
    CHECK(host.refused().size() == 1);
    CHECK(host.searched().size() == 2);
}

TEST_CASE("An unknown id is answered with what is loaded, refused and searched") {
    const TemporaryFolder folder;
    copy_of("good", folder.path() / "a.so");
    copy_of("other_epoch", folder.path() / "b.so");
    RecordingLogger logger;
    plugin::PluginHost host(logger);
    host.load_all({folder.path(), folder.path() / "missing"});

    const auto provider = host.provider("simple");
    REQUIRE_FALSE(provider);
    CHECK(provider.error().code == sdk::Errc::invalid_config);
    CHECK_THAT(provider.error().message,
               Contains("no provider \"simple\" is loaded; loaded: sample") &&
                   Contains("b.so refused: it was built for another epoch") &&
                   Contains((folder.path() / "missing").string() + " (missing)"));

    const auto backend = host.storage_backend("sample");
    REQUIRE_FALSE(backend);
    CHECK_THAT(backend.error().message,
               Contains("no storage backend \"sample\" is loaded") && Contains("loaded: none"));
}

TEST_CASE("Plugins are searched in the profile's folders, the environment's and the program's") {
    const ScopedVariable variable("OPENARCHIVER_PLUGIN_PATH", ":/one::/two:");
    const auto folders = plugin::plugin_search_path({"/profile"});
    REQUIRE(folders.size() == 4);
    CHECK(folders[0] == "/profile");
    CHECK(folders[1] == "/one");
    CHECK(folders[2] == "/two");
    const fs::path program = fs::read_symlink("/proc/self/exe");
    CHECK(folders[3] == program.parent_path().parent_path() / "lib/openarchiver/plugins");

    variable.set(nullptr);
    CHECK(plugin::plugin_search_path({}).size() == 1);
}
