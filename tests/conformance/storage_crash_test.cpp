#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <openarchiver/testkit/byte_streams.hpp>
#include <openarchiver/testkit/catch2.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <random>
#include <set>

#include "plugin_library.hpp"
#include "rgw.hpp"

using namespace openarchiver;

namespace {

/// Starts a writer, kills it `delay` milliseconds after its first object, and returns the keys that
/// it had acknowledged.
std::vector<std::string> write_and_kill(const std::string& backend, const std::string& config,
                                        int seed, int delay) {
    std::array<int, 2> pipe{};
    REQUIRE(::pipe2(pipe.data(), O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, pipe[1], STDOUT_FILENO);
    std::string program = OPENARCHIVER_OBJECT_WRITER;
    std::string name_argument = backend;
    std::string config_argument = config;
    std::string seed_argument = std::to_string(seed);
    std::array<char*, 5> arguments = {program.data(), name_argument.data(), config_argument.data(),
                                      seed_argument.data(), nullptr};
    pid_t child = 0;
    REQUIRE(::posix_spawn(&child, program.c_str(), &actions, nullptr, arguments.data(), environ) ==
            0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(pipe[1]);

    std::string output;
    std::array<char, 4096> buffer{};
    // The first line tells that the writer is at work; then it goes on for the given time.
    ssize_t count = ::read(pipe[0], buffer.data(), buffer.size());
    REQUIRE(count > 0);
    output.append(buffer.data(), static_cast<std::size_t>(count));
    ::poll(nullptr, 0, delay);
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    while ((count = ::read(pipe[0], buffer.data(), buffer.size())) > 0) {
        output.append(buffer.data(), static_cast<std::size_t>(count));
    }
    ::close(pipe[0]);

    std::vector<std::string> keys;
    for (std::size_t start = 0, end = 0; (end = output.find('\n', start)) != std::string::npos;
         start = end + 1) {
        keys.push_back(output.substr(start, end - start));
    }
    return keys;
}

class InfoSink final : public sdk::ObjectListSink {
public:
    bool object(const sdk::ObjectInfo& info) override {
        objects.push_back(info);
        return true;
    }

    std::vector<sdk::ObjectInfo> objects;
};

bool is_whole(const std::string& key, const testkit::Bytes& bytes) {
    const auto value = static_cast<std::byte>(bytes.size() % 251);
    const bool same = std::ranges::all_of(bytes, [&](std::byte b) { return b == value; });
    const std::size_t dash = key.rfind('-');
    return same &&
           (dash == std::string::npos || key.substr(dash + 1) == std::to_string(bytes.size()));
}

/// `config` is for the writer and for the host that looks afterwards.
void kill_and_look(const std::string& backend, const std::string& config,
                   testkit::HostFixture& host) {
    CAPTURE(backend);
    std::minstd_rand random(7);
    std::set<std::string> acknowledged;
    for (int round = 0; round < 12; ++round) {
        const auto keys =
            write_and_kill(backend, config, round + 1, static_cast<int>(random() % 120));
        acknowledged.insert(keys.begin(), keys.end());

        const auto store =
            tests::built_plugin(backend).storage_backend()->open(config, host.services(), {});
        REQUIRE(store);
        InfoSink listed;
        REQUIRE((*store)->list("", "", listed, {}));
        std::set<std::string> visible;
        for (const sdk::ObjectInfo& info : listed.objects) {
            testkit::CollectingSink sink;
            REQUIRE((*store)->get(info.key, {}, sink, {}));
            INFO(info.key);
            CHECK(sink.bytes().size() == info.size);
            CHECK(is_whole(info.key, sink.bytes()));
            visible.insert(info.key);
        }
        CHECK(std::ranges::includes(visible, acknowledged));
    }
}

}  // namespace

TEST_CASE("After a writer is killed, only whole objects are visible, and all it acknowledged",
          "[conformance][crash]") {
    struct Backend {
        std::string name;
        /// The member of its configuration that says where the archive is.
        std::string place;
    };

    const auto backend = GENERATE(values<Backend>({{"filesystem", "root"}, {"sqlite", "file"}}));
    testkit::HostFixture host;
    kill_and_look(
        backend.name,
        "{\"" + backend.place + "\": \"" + (host.profile_folder() / "archive").string() + "\"}",
        host);
}

TEST_CASE("After a writer to S3 is killed, whole objects are visible, and all it acknowledged",
          "[conformance][crash][s3]") {
    const tests::Rgw rgw = tests::Rgw::running();
    tests::Bucket bucket(rgw);
    // The writer's host has no secrets.
    const auto credentials = bucket.host.profile_folder() / "credentials";
    std::ofstream(credentials) << "[default]\naws_access_key_id = " << rgw.access_key_id
                               << "\naws_secret_access_key = " << rgw.secret_access_key << "\n";
    kill_and_look("s3", bucket.config(R"("credentials_file": ")" + credentials.string() + "\""),
                  bucket.host);
}
