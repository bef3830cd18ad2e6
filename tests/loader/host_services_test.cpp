#include "plugin/host_services.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>

#include <catch2/catch.hpp>
#include <sstream>
#include <thread>

#include "loader/support.hpp"

namespace {

namespace fs = std::filesystem;
namespace plugin = openarchiver::plugin;
namespace sdk = openarchiver::sdk;

std::shared_ptr<spdlog::logger> logger_into(std::ostringstream& stream) {
    auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(stream);
    auto logger = std::make_shared<spdlog::logger>("base", std::move(sink));
    logger->set_pattern("%l [%n] %v");
    return logger;
}

}  // namespace

TEST_CASE("A log line has the name, the message and the fields as key=value on one line") {
    std::ostringstream stream;
    const auto base = logger_into(stream);
    plugin::SpdlogLogger logger(base, "contoso");
    logger.log(sdk::LogLevel::warning, "throttled\n{}",
               {{"status", "429"}, {"why", "too \"many\" = requests\r\n"}, {"empty", ""}});
    CHECK(stream.str() ==
          "warning [contoso] throttled {} status=429 "
          "why=\"too \\\"many\\\" = requests  \" empty=\"\"\n");
}

TEST_CASE("A plugin's log follows the level of the program, also when it changes later") {
    std::ostringstream stream;
    const auto base = logger_into(stream);
    plugin::SpdlogLogger logger(base, "contoso");
    logger.log(sdk::LogLevel::debug, "one");
    base->set_level(spdlog::level::debug);
    logger.log(sdk::LogLevel::debug, "two");
    base->set_level(spdlog::level::err);
    logger.log(sdk::LogLevel::warning, "three");
    CHECK(stream.str() == "debug [contoso] two\n");
}

TEST_CASE("A plugin that logs without end is cut down, and what is left out is counted") {
    std::ostringstream stream;
    const auto base = logger_into(stream);
    {
        plugin::SpdlogLogger logger(base, "contoso");
        for (int i = 0; i < 2000; ++i) {
            logger.log(sdk::LogLevel::info, "noise");
        }
    }
    const std::string text = stream.str();
    const auto count = [&](const std::string& words) {
        std::size_t found = 0;
        for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) {
            ++found;
        }
        return found;
    };
    const std::size_t noise = count("noise");
    CHECK(noise >= 500);
    CHECK(noise < 1900);
    CHECK(count("logs too much") == 1);
    CHECK_THAT(text, Catch::EndsWith("] OA-7006 " + std::to_string(2000 - noise) +
                                     " lines of this plugin were left out\n"));
}

TEST_CASE("A log that was cut down goes on once there is room again") {
    using namespace std::chrono_literals;
    plugin::LogAllowance::Time now{};
    plugin::LogAllowance allowance(now);
    for (int i = 0; i < 500; ++i) {
        REQUIRE(allowance.take(now).allowed);
    }
    CHECK(allowance.take(now).first);
    CHECK_FALSE(allowance.take(now).first);
    CHECK_FALSE(allowance.take(now + 9s).allowed);
    const auto again = allowance.take(now + 10s);
    CHECK(again.allowed);
    CHECK(again.left_out == 3);
    CHECK(allowance.left_out() == 0);
    for (int i = 0; i < 49; ++i) {
        CHECK(allowance.take(now + 10s).allowed);
    }
    CHECK_FALSE(allowance.take(now + 10s).allowed);
}

TEST_CASE("A log line of a plugin has an end") {
    std::ostringstream stream;
    plugin::SpdlogLogger logger(logger_into(stream), "contoso");
    logger.log(sdk::LogLevel::info, std::string(100'000, 'x'),
               {{"key", std::string(100'000, 'y')}});
    CHECK(stream.str().size() < 10'000);
    CHECK_THAT(stream.str(), Catch::EndsWith("[the rest was left out]\n"));
}

TEST_CASE("Counters add up over threads, and their number is bounded") {
    plugin::CounterMetrics metrics;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&metrics] {
                for (int n = 0; n < 1000; ++n) {
                    metrics.add("requests", 2);
                }
            });
        }
    }
    CHECK(metrics.snapshot().at("requests") == 8000);

    for (int i = 0; i < 1000; ++i) {
        metrics.add("counter-" + std::to_string(i), 1);
    }
    const auto counters = metrics.snapshot();
    CHECK(counters.size() <= 257);
    CHECK(counters.at("other") == 1000 - 255);
}

TEST_CASE("The services of a source come with a private folder") {
    std::ostringstream stream;
    const TemporaryFolder folder;
    auto opened = plugin::PluginServices::open(
        logger_into(stream), {.owner = "contoso",
                              .secrets = {{"/key", {plugin::SecretReference::Kind::literal, "v"}}},
                              .state_folder = folder.path() / "a" / "contoso",
                              .profile_folder = folder.path()});
    REQUIRE(opened);
    const sdk::HostServices host = (*opened)->host();
    CHECK((fs::status(host.state_folder).permissions() & fs::perms::all) == fs::perms::owner_all);
    CHECK(host.profile_folder == folder.path());
    CHECK(host.secrets.get("/key").value() == "v");
    host.metrics.add("requests", 3);
    CHECK((*opened)->metrics().snapshot().at("requests") == 3);
    host.logger.log(sdk::LogLevel::info, "hello");
    CHECK(stream.str() == "info [contoso] hello\n");
    CHECK(host.clock.now().time_since_epoch().count() > 0);
}

TEST_CASE("A state folder that can't be created is an error that names it") {
    std::ostringstream stream;
    const TemporaryFolder folder;
    const fs::path file = folder.write("file", "in the way");
    const auto opened = plugin::PluginServices::open(
        logger_into(stream),
        {.owner = "contoso", .secrets = {}, .state_folder = file / "state", .profile_folder = {}});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == sdk::Errc::unavailable);
    CHECK(opened.error().message.find((file / "state").string()) != std::string::npos);
}
