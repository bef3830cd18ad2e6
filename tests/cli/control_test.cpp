#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <memory>
#include <string>
#include <thread>

#include "service/control_client.hpp"
#include "service/control_server.hpp"
#include "service/run_progress.hpp"
#include "service/stop_deadline.hpp"

using namespace openarchiver;
using namespace std::chrono_literals;
using service::Answer;
using service::ControlClient;
using service::ControlRequest;
using service::ControlServer;
using service::ExitCode;

namespace {

class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "control-XXXXXX").string();
        path_ = ::mkdtemp(name.data());
    }

    ~TemporaryFolder() { std::filesystem::remove_all(path_); }

    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;

    [[nodiscard]] const std::filesystem::path& path() const { return path_; }

private:
    std::filesystem::path path_;
};

Answer echo(const ControlRequest& request, const ControlServer::Tell& tell, std::stop_token) {
    tell(R"({"step":1})");
    tell(R"({"step":2})");
    return {.exit_code = ExitCode::with_failures,
            .document = R"({"verb":")" + request.verb + R"(","options":)" + request.options + "}",
            .error = {}};
}

}  // namespace

TEST_CASE("A verb goes to the service with its options and comes back with progress", "[cli]") {
    const TemporaryFolder folder;
    const auto server = ControlServer::open(folder.path(), echo);
    REQUIRE(server);
    const auto client = ControlClient::connect(folder.path());
    REQUIRE(client);
    std::string told;
    const auto answer = client->call("sync", R"({"sources":["a"]})",
                                     [&](std::string_view text) { told += text; }, {});
    REQUIRE(answer);
    CHECK(answer->exit_code == ExitCode::with_failures);
    CHECK(answer->document == R"({"verb":"sync","options":{"sources":["a"]}})");
    CHECK_FALSE(answer->error);
    CHECK(told == R"({"step":1}{"step":2})");
}

TEST_CASE("An error comes back with its code", "[cli]") {
    const TemporaryFolder folder;
    const auto server = ControlServer::open(
        folder.path(), [](const ControlRequest&, const ControlServer::Tell&, std::stop_token) {
            return Answer{.exit_code = ExitCode::usage,
                          .document = {},
                          .error = sdk::Error{.code = sdk::Errc::invalid_argument,
                                              .message = "no source \"x\""}};
        });
    REQUIRE(server);
    const auto answer =
        ControlClient::connect(folder.path())->call("sync", "{}", [](std::string_view) {}, {});
    REQUIRE(answer);
    CHECK(answer->exit_code == ExitCode::usage);
    REQUIRE(answer->error);
    CHECK(answer->error->code == sdk::Errc::invalid_argument);
    CHECK(answer->error->message == "no source \"x\"");
}

TEST_CASE("The control socket works in a folder whose path is longer than an address", "[cli]") {
    const TemporaryFolder folder;
    const auto deep = folder.path() / std::string(120, 'a') / std::string(120, 'b');
    std::filesystem::create_directories(deep);
    const auto server = ControlServer::open(deep, echo);
    REQUIRE(server);
    CHECK(ControlClient::connect(deep));
}

TEST_CASE("The control socket is its owner's alone and goes away with the service", "[cli]") {
    const TemporaryFolder folder;
    const auto socket = folder.path() / service::kControlSocket;
    {
        const auto server = ControlServer::open(folder.path(), echo);
        REQUIRE(server);
        struct stat status{};
        REQUIRE(::stat(socket.c_str(), &status) == 0);
        CHECK(S_ISSOCK(status.st_mode));
        CHECK((status.st_mode & 0777U) == 0600U);
    }
    CHECK_FALSE(std::filesystem::exists(socket));
    CHECK_FALSE(ControlClient::connect(folder.path()));
}

TEST_CASE("A socket that a dead service left is replaced", "[cli]") {
    const TemporaryFolder folder;
    std::ofstream(folder.path() / service::kControlSocket) << "left behind";
    CHECK_FALSE(ControlClient::connect(folder.path()));
    const auto server = ControlServer::open(folder.path(), echo);
    REQUIRE(server);
    CHECK(ControlClient::connect(folder.path()));
}

TEST_CASE("Whoever waits for a verb notices a stop, and the end of the service", "[cli]") {
    const TemporaryFolder folder;
    std::promise<void> called;
    auto server = ControlServer::open(
        folder.path(),
        [&](const ControlRequest&, const ControlServer::Tell&, std::stop_token stop) {
            called.set_value();
            std::promise<void> stopped;
            const std::stop_callback on_stop(stop, [&] { stopped.set_value(); });
            stopped.get_future().wait();
            return Answer{};
        });
    REQUIRE(server);

    SECTION("a stop of its own") {
        std::stop_source stop;
        std::jthread stopper([&] {
            called.get_future().wait();
            stop.request_stop();
        });
        const auto answer = ControlClient::connect(folder.path())
                                ->call("sync", "{}", [](std::string_view) {}, stop.get_token());
        REQUIRE_FALSE(answer);
        CHECK(answer.error().code == sdk::Errc::cancelled);
    }

    SECTION("the end of the service, which answers all the same") {
        std::jthread stopper([&] {
            called.get_future().wait();
            (*server).reset();
        });
        const auto answer =
            ControlClient::connect(folder.path())->call("sync", "{}", [](std::string_view) {}, {});
        REQUIRE(answer);
        CHECK(answer->exit_code == ExitCode::done);
    }
}

TEST_CASE("A message that is no request is answered with an error", "[cli]") {
    const auto decoded = service::decode_request("nonsense");
    REQUIRE_FALSE(decoded);
    CHECK(decoded.error().code == sdk::Errc::corrupt);
    CHECK_FALSE(service::decode_request(R"({"options":{}})"));
}

TEST_CASE("Progress survives the way over the control socket", "[cli]") {
    service::SourceProgress source;
    source.source = "contoso";
    source.counts.discovered = 12;
    source.counts.new_items = 34;
    source.counts.expected_items = 56;
    source.throttled = 7;
    source.bytes_downloaded = 8;
    source.elapsed = 9ms;
    source.finished = true;
    const auto parsed = service::parse_progress(service::to_json(std::vector{source}));
    REQUIRE(parsed.size() == 1);
    CHECK(parsed[0].source == "contoso");
    CHECK(parsed[0].counts.discovered == 12);
    CHECK(parsed[0].counts.new_items == 34);
    CHECK(parsed[0].counts.expected_items == 56);
    CHECK(parsed[0].throttled == 7);
    CHECK(parsed[0].bytes_downloaded == 8);
    CHECK(parsed[0].elapsed == 9ms);
    CHECK(parsed[0].finished);
    CHECK(service::parse_progress("nonsense").empty());
}

TEST_CASE("A stop that takes too long is given up, one in time is not", "[cli]") {
    std::stop_source stop;
    std::promise<void> given_up;
    auto future = given_up.get_future();
    SECTION("too long") {
        const service::StopDeadline deadline(stop.get_token(), 50ms, [&] { given_up.set_value(); });
        stop.request_stop();
        CHECK(future.wait_for(10s) == std::future_status::ready);
    }
    SECTION("in time") {
        {
            const service::StopDeadline deadline(stop.get_token(), 1h,
                                                 [&] { given_up.set_value(); });
            stop.request_stop();
        }
        CHECK(future.wait_for(0s) == std::future_status::timeout);
    }
    SECTION("no stop at all") {
        {
            const service::StopDeadline deadline(stop.get_token(), 0ms,
                                                 [&] { given_up.set_value(); });
        }
        CHECK(future.wait_for(0s) == std::future_status::timeout);
    }
}

TEST_CASE("What is run at most for a time is told to stop and then left behind", "[cli]") {
    // Shared with the thread that is left behind.
    const auto told = std::make_shared<std::promise<void>>();
    auto future = told->get_future().share();
    service::run_at_most(50ms, [told, future](std::stop_token stop) {
        const std::stop_callback on_stop(stop, [&] { told->set_value(); });
        future.wait();
    });
    CHECK(future.wait_for(10s) == std::future_status::ready);
}
