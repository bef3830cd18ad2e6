#include "support/simulator.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "failure.hpp"
#include "http/http_client.hpp"

extern char** environ;

namespace openarchiver::microsoft365::test {

namespace {

std::string program() {
    if (const char* path = std::getenv("OPENARCHIVER_GRAPH_SIMULATOR")) {
        return path;
    }
#ifdef OPENARCHIVER_GRAPH_SIMULATOR
    return OPENARCHIVER_GRAPH_SIMULATOR;
#else
    return {};
#endif
}

}  // namespace

std::unique_ptr<Simulator> Simulator::start(const std::vector<std::string>& arguments) {
    const std::string path = program();
    if (path.empty() || !std::filesystem::exists(path)) {
        WARN("skipped: the graph simulator is not there; set OPENARCHIVER_GRAPH_SIMULATOR");
        return nullptr;
    }
    std::vector<std::string> words = {path, "--die-with-parent"};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> argv;
    for (std::string& word : words) {
        argv.push_back(word.data());
    }
    argv.push_back(nullptr);

    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        throw std::runtime_error("no pipe");
    }
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    pid_t process = 0;
    const int failed = posix_spawn(&process, path.c_str(), &actions, nullptr, argv.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    if (failed != 0) {
        close(ends[0]);
        throw std::runtime_error("the simulator can't be started");
    }
    std::unique_ptr<Simulator> simulator(new Simulator(process, ends[0]));
    std::string line;
    char c = 0;
    while (read(ends[0], &c, 1) == 1 && c != '\n') {
        line += c;
    }
    const boost::json::value ready = boost::json::parse(line);
    simulator->http_ = ready.at("http").as_string();
    if (ready.at("https").is_string()) {
        simulator->https_ = ready.at("https").as_string();
    }
    return simulator;
}

Simulator::~Simulator() {
    kill(process_, SIGTERM);
    int status = 0;
    waitpid(process_, &status, 0);
    close(output_);
}

boost::json::value Simulator::call(const std::string& method, const std::string& path,
                                   const std::string& body) const {
    HttpClient client;
    HttpRequest request;
    request.method = method;
    request.target = "/control/" + path;
    request.body = body;
    const auto response = client.send(split_url(http_).value().origin, request, {});
    REQUIRE(response);
    const auto text = (*response)->read_all(256 * 1024 * 1024);
    REQUIRE(text);
    INFO(path << ": " << text->substr(0, 500));
    REQUIRE((*response)->head().status == 200);
    return boost::json::parse(*text);
}

boost::json::value Simulator::get(const std::string& path) const {
    return call("GET", path, {});
}

boost::json::value Simulator::post(const std::string& path, const std::string& body) const {
    return call("POST", path, body);
}

void Simulator::clear_faults() const {
    (void)call("DELETE", "faults", {});
}

}  // namespace openarchiver::microsoft365::test
