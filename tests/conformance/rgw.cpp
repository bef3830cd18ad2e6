#include "rgw.hpp"

#include <unistd.h>

#include <atomic>
#include <boost/json.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <openarchiver/testkit/catch2.hpp>
#include <sstream>

#include "client.hpp"
#include "plugin_library.hpp"

namespace openarchiver::tests {

namespace {

namespace json = boost::json;

std::string text(const json::object& object, std::string_view name) {
    return std::string(object.at(name).as_string());
}

void run(const std::string& command) {
    INFO(command);
    REQUIRE(std::system((command + " >/dev/null 2>&1").c_str()) == 0);
}

/// The gateway keeps its buckets from one run of the tests to the next.
std::string unique_name() {
    static std::atomic<int> number = 0;
    const auto now = std::chrono::system_clock::now().time_since_epoch().count();
    return "bucket-" + std::to_string(::getpid()) + "-" + std::to_string(number++) + "-" +
           std::to_string(now);
}

}  // namespace

Rgw Rgw::running() {
    const char* const named = std::getenv("OPENARCHIVER_RGW");
    const std::string file = named != nullptr ? named : OPENARCHIVER_RGW;
    std::ifstream stream(file);
    INFO("no gateway: " << file
                        << " is missing; run ctest, which starts one, or tests/services/"
                           "ceph-rgw.sh start FOLDER, and set OPENARCHIVER_RGW to FOLDER/rgw.json");
    REQUIRE(stream.is_open());
    std::ostringstream content;
    content << stream.rdbuf();
    const json::value document = json::parse(content.str());
    const json::object& object = document.as_object();
    Rgw rgw;
    rgw.endpoint = text(object, "endpoint");
    rgw.tls_endpoint = text(object, "tls_endpoint");
    rgw.ca_file = text(object, "ca_file");
    rgw.access_key_id = text(object, "access_key_id");
    rgw.secret_access_key = text(object, "secret_access_key");
    rgw.gateway_socket = text(object, "gateway_socket");
    rgw.osd_process = static_cast<int>(object.at("osd_process").as_int64());
    for (const json::value& word : object.at("admin").as_array()) {
        rgw.admin += std::string(word.as_string()) + " ";
    }
    return rgw;
}

void Rgw::administer(const std::string& arguments) const {
    run(admin + arguments);
}

void Rgw::configure(const std::string& name, const std::string& value) const {
    run("ceph --admin-daemon " + gateway_socket + " config set " + name + " " + value);
}

RgwUser RgwUser::create(const Rgw& rgw, const std::string& name) {
    RgwUser user{.access_key_id = "KEYOF" + name, .secret_access_key = "secretOf" + name};
    rgw.administer("user create --uid=" + name + " --display-name=" + name +
                   " --access-key=" + user.access_key_id + " --secret=" + user.secret_access_key);
    return user;
}

Bucket::Bucket(const Rgw& rgw)
    : Bucket(rgw,
             {.access_key_id = rgw.access_key_id, .secret_access_key = rgw.secret_access_key}) {}

Bucket::Bucket(const Rgw& rgw, const RgwUser& user)
    : endpoint(rgw.endpoint),
      name(unique_name()),
      host({{"/access_key_id", user.access_key_id},
            {"/secret_access_key", user.secret_access_key}}) {
    auto settings = s3::parse_settings(config(), host.profile_folder());
    REQUIRE(settings);
    s3::Client client(*settings, host.services());
    const auto made = client.send({.action = "make", .method = "PUT"}, {});
    REQUIRE(made);
    REQUIRE((*made)->head().status == 200);
}

std::string Bucket::config(const std::string& more) const {
    return R"({"bucket": ")" + name + R"(", "endpoint": ")" + endpoint + "\"" +
           (more.empty() ? "" : ", " + more) + "}";
}

sdk::Result<std::unique_ptr<sdk::ObjectStore>> Bucket::open_with(const std::string& config) {
    return built_plugin("s3").storage_backend()->open(config, host.services(), {});
}

}  // namespace openarchiver::tests
