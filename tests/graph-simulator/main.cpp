// graph-simulator: a simulated Microsoft 365 tenant on the loopback address.
#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "app.hpp"
#include "certificate.hpp"
#include "json_text.hpp"
#include "options.hpp"
#include "server.hpp"
#include "world.hpp"

namespace {

using namespace graph_simulator;

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        throw std::runtime_error("cannot read " + path);
    return {std::istreambuf_iterator<char>(file), {}};
}

CertificateSet certificates(const Options& options) {
    if (!options.certificate_file.empty()) {
        const std::string certificate = read_file(options.certificate_file);
        return {certificate, certificate, read_file(options.key_file)};
    }
    return make_certificates();
}

void write_authority(const Options& options, const CertificateSet& set) {
    if (options.write_ca.empty())
        return;
    std::ofstream file(options.write_ca, std::ios::binary);
    file << set.authority;
    file.close();
    if (!file)
        throw std::runtime_error("cannot write " + options.write_ca);
}

int run(const Options& options) {
    if (options.die_with_parent) {
        const pid_t parent = getppid();
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (getppid() != parent)
            return 0;  // it died in between
    }
    World world(options);
    Server server;
    App app(world, server);
    const std::uint16_t http = server.listen_http(options.http_port, app);
    json::object ready;
    ready["http"] = "http://127.0.0.1:" + std::to_string(http);
    ready["https"] = nullptr;
    if (options.https_port) {
        const CertificateSet set = certificates(options);
        const std::uint16_t https =
            server.listen_https(*options.https_port, set.certificate, set.key, app);
        write_authority(options, set);
        ready["https"] = "https://127.0.0.1:" + std::to_string(https);
    }
    ready["pid"] = getpid();
    std::printf("%s\n", json::serialize(ready).c_str());
    std::fflush(stdout);
    server.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    try {
        const Options options = parse_options(argc, argv);
        if (options.help) {
            std::fputs(usage().c_str(), stdout);
            return 0;
        }
        return run(options);
    } catch (const std::invalid_argument& problem) {
        std::fprintf(stderr, "%s\n%s", problem.what(), usage().c_str());
        return 2;
    } catch (const std::exception& problem) {
        std::fprintf(stderr, "%s\n", problem.what());
        return 1;
    }
}
