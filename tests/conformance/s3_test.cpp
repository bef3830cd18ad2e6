// The s3 backend with a real store. What that one does not do to it: storage-backends/s3/tests.
#include <signal.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <openarchiver/testkit/byte_streams.hpp>
#include <openarchiver/testkit/catch2.hpp>
#include <openarchiver/testkit/storage_checks.hpp>
#include <thread>

#include "conformance/schema_checks.hpp"
#include "plugin_library.hpp"
#include "rgw.hpp"

using namespace openarchiver;
using namespace std::chrono_literals;
using tests::Bucket;
using tests::Rgw;
using tests::RgwUser;

namespace {

sdk::Status put(sdk::ObjectStore& store, const std::string& key, testkit::Bytes bytes,
                sdk::PutMode mode = sdk::PutMode::if_absent) {
    testkit::MemorySource source(std::move(bytes));
    return store.put(key, source, mode, {});
}

sdk::Result<testkit::Bytes> get(sdk::ObjectStore& store, const std::string& key) {
    testkit::CollectingSink sink;
    OPENARCHIVER_CHECK(store.get(key, {}, sink, {}));
    return sink.bytes();
}

struct Keys final : sdk::ObjectListSink {
    bool object(const sdk::ObjectInfo& info) override {
        keys.push_back(info.key);
        return true;
    }

    std::vector<std::string> keys;
};

/// What a program says.
std::string output_of(const std::string& command) {
    FILE* const pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    std::string output;
    std::array<char, 4096> buffer{};
    std::size_t count = 0;
    while ((count = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0) {
        output.append(buffer.data(), count);
    }
    INFO(command);
    REQUIRE(::pclose(pipe) == 0);
    return output;
}

/// boto3 on the bucket: another client than this project's.
std::string second_client(const Bucket& bucket, const Rgw& rgw, const std::string& verb) {
    return output_of("/usr/bin/python3 " OPENARCHIVER_SECOND_CLIENT " " + bucket.endpoint + " " +
                     rgw.access_key_id + " " + rgw.secret_access_key + " " + bucket.name + " " +
                     verb);
}

void check_error(const sdk::Error& error, sdk::Errc code, const std::string& words) {
    CAPTURE(error.message);
    CHECK(error.code == code);
    CHECK(error.message.find(words) != std::string::npos);
}

}  // namespace

TEST_CASE("The s3 backend keeps the storage contract", "[conformance][s3]") {
    Bucket bucket(Rgw::running());
    SECTION("in a bucket of its own") {
        testkit::check_conformance(
            testkit::storage_checks({.open = [&] { return bucket.open(); }}));
    }
    SECTION("below a prefix, over TLS") {
        const Rgw rgw = Rgw::running();
        bucket.endpoint = rgw.tls_endpoint;
        testkit::check_conformance(testkit::storage_checks({.open = [&] {
            return bucket.open(R"("prefix": "mail/archive", "ca_file": ")" + rgw.ca_file + "\"");
        }}));
    }
}

TEST_CASE("The s3 backend's schema is sound", "[conformance]") {
    testkit::check_conformance(
        conformance::schema_checks(tests::built_plugin("s3").storage_backend()->config_schema(),
                                   {"access_key_id", "secret_access_key", "session_token"}));
}

TEST_CASE("The store keeps to If-None-Match, and no key of the probe is seen",
          "[conformance][s3]") {
    Bucket bucket(Rgw::running());
    for (int times = 0; times < 2; ++times) {
        const auto store = bucket.open();
        REQUIRE(store);
        CHECK((*store)->capabilities().put_if_absent);
        Keys keys;
        REQUIRE((*store)->list("", "", keys, {}));
        CHECK(keys.keys.empty());
    }
}

namespace {

/// In place of the bucket, one that boto3 makes: "create-lockable", "create-locked" or
/// "create-versions".
void remake(Bucket& bucket, const Rgw& rgw, const std::string& verb) {
    bucket.name += "-" + verb;
    second_client(bucket, rgw, verb);
}

const std::string kGovernance = R"("object_lock": "governance", "single_writer": true)";

std::int64_t in_seconds(sdk::Timestamp time) {
    return std::chrono::ceil<std::chrono::seconds>(time).time_since_epoch().count();
}

sdk::Timestamp from_now(std::chrono::seconds time) {
    return std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now()) + time;
}

}  // namespace

TEST_CASE("Ceph ignores If-None-Match where it keeps versions, and is found out",
          "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    remake(bucket, rgw, "create-versions");
    const auto store = bucket.open();
    REQUIRE(store);
    CHECK_FALSE((*store)->capabilities().put_if_absent);
    const auto refused = put(**store, "a", testkit::bytes_of("a"));
    REQUIRE_FALSE(refused);
    check_error(refused.error(), sdk::Errc::unsupported, "single_writer");
}

TEST_CASE(
    "Where versions are kept, a single writer keeps the storage contract and leaves none behind",
    "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    remake(bucket, rgw, "create-versions");
    testkit::check_conformance(
        testkit::storage_checks({.open = [&] { return bucket.open(R"("single_writer": true)"); }}));
    const auto store = bucket.open(R"("single_writer": true, "prefix": "one")");
    REQUIRE(store);
    REQUIRE(put(**store, "a", testkit::bytes_of("a")));
    REQUIRE(put(**store, "a.b", testkit::bytes_of("bb")));
    for (int i = 0; i < 3; ++i) {
        REQUIRE(put(**store, "a", testkit::bytes_of("new"), sdk::PutMode::replace));
    }
    REQUIRE((*store)->remove("a.b", {}));
    const std::string versions = second_client(bucket, rgw, "versions");
    CAPTURE(versions);
    CHECK(versions.find("one/a 3\n") != std::string::npos);
    CHECK(versions.find("one/a 1\n") == std::string::npos);
    CHECK(versions.find("one/a.b") == std::string::npos);
    CHECK(versions.find("marker") == std::string::npos);
}

TEST_CASE("Under Object Lock the storage contract is kept", "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    remake(bucket, rgw, "create-lockable");
    testkit::check_conformance(
        testkit::storage_checks({.open = [&] { return bucket.open(kGovernance); }}));
}

TEST_CASE("Another client sees the lock and can't delete what is locked", "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    remake(bucket, rgw, "create-lockable");
    const auto store = bucket.open(kGovernance);
    REQUIRE(store);
    REQUIRE((*store)->capabilities().lock);
    REQUIRE(put(**store, "packs/a", testkit::bytes_of("a")));
    REQUIRE(put(**store, "free", testkit::bytes_of("b")));
    const sdk::Timestamp until = from_now(5s);
    REQUIRE((*store)->lock("packs/a", until, {}));
    CHECK(second_client(bucket, rgw, "protection packs/a free") ==
          "packs/a GOVERNANCE " + std::to_string(in_seconds(until)) +
              " None\nfree None None None\n");
    CHECK(second_client(bucket, rgw, "delete packs/a free") ==
          "packs/a AccessDenied\nfree deleted\n");
    const auto refused = (*store)->remove("packs/a", {});
    REQUIRE_FALSE(refused);
    check_error(refused.error(), sdk::Errc::permission_denied, "is locked until ");

    REQUIRE((*store)->hold("packs/a", true, {}));
    CHECK(second_client(bucket, rgw, "protection packs/a").ends_with(" ON\n"));
    std::this_thread::sleep_until(until + 1s);
    CHECK(second_client(bucket, rgw, "delete packs/a") == "packs/a AccessDenied\n");
    const auto held = (*store)->remove("packs/a", {});
    REQUIRE_FALSE(held);
    check_error(held.error(), sdk::Errc::permission_denied, "under a legal hold");
    REQUIRE((*store)->hold("packs/a", false, {}));
    REQUIRE((*store)->remove("packs/a", {}));
    CHECK(second_client(bucket, rgw, "versions") == "OpenArchiver-if-none-match 0\n");
}

TEST_CASE("A lock is made in the mode that is asked for, and extended in the one that it has",
          "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    remake(bucket, rgw, "create-lockable");
    const auto governance = bucket.open(kGovernance);
    const auto compliance = bucket.open(R"("object_lock": "compliance", "single_writer": true)");
    REQUIRE(governance);
    REQUIRE(compliance);
    REQUIRE(put(**governance, "a", testkit::bytes_of("a")));
    REQUIRE(put(**governance, "b", testkit::bytes_of("b")));
    REQUIRE((*governance)->lock("a", from_now(3s), {}));
    REQUIRE((*compliance)->lock("b", from_now(3s), {}));
    CHECK(second_client(bucket, rgw, "protection a").starts_with("a GOVERNANCE "));
    CHECK(second_client(bucket, rgw, "protection b").starts_with("b COMPLIANCE "));
    const sdk::Timestamp longer = from_now(6s);
    REQUIRE((*compliance)->lock("a", longer, {}));
    REQUIRE((*governance)->lock("b", longer, {}));
    const std::string until = " " + std::to_string(in_seconds(longer)) + " None\n";
    CHECK(second_client(bucket, rgw, "protection a b") ==
          "a GOVERNANCE" + until + "b COMPLIANCE" + until);
}

TEST_CASE("A bucket that is not made for Object Lock is refused, with what to do",
          "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    SECTION("without Object Lock") {
        Bucket bucket(rgw);
        const auto refused = bucket.open(kGovernance);
        REQUIRE_FALSE(refused);
        check_error(refused.error(), sdk::Errc::invalid_config, "--object-lock-enabled-for-bucket");
    }
    SECTION("with versions alone") {
        Bucket bucket(rgw);
        remake(bucket, rgw, "create-versions");
        const auto refused = bucket.open(kGovernance);
        REQUIRE_FALSE(refused);
        check_error(refused.error(), sdk::Errc::invalid_config, "has no Object Lock");
    }
    SECTION("that locks everything") {
        for (const char* const more : {kGovernance.c_str(), R"("single_writer": true)"}) {
            Bucket bucket(rgw);
            remake(bucket, rgw, "create-locked");
            const auto refused = bucket.open(more);
            REQUIRE_FALSE(refused);
            check_error(refused.error(), sdk::Errc::invalid_config, "default retention");
        }
    }
    SECTION("and nothing is locked unless that is asked for") {
        Bucket bucket(rgw);
        remake(bucket, rgw, "create-lockable");
        const auto store = bucket.open(R"("single_writer": true)");
        REQUIRE(store);
        REQUIRE(put(**store, "a", testkit::bytes_of("a")));
        const auto refused = (*store)->lock("a", from_now(3s), {});
        REQUIRE_FALSE(refused);
        check_error(refused.error(), sdk::Errc::unsupported, "object_lock");
    }
}

TEST_CASE("An object that another program hid is not told as gone for good", "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    remake(bucket, rgw, "create-lockable");
    const auto store = bucket.open(kGovernance);
    REQUIRE(store);
    REQUIRE(put(**store, "a", testkit::bytes_of("a")));
    second_client(bucket, rgw, "hide a");
    const auto hidden = get(**store, "a");
    REQUIRE_FALSE(hidden);
    check_error(hidden.error(), sdk::Errc::not_found, "delete marker");
}

TEST_CASE("A second client finds each object with its bytes, and its own are left alone",
          "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    const auto store = bucket.open(R"("prefix": "mail")");
    REQUIRE(store);
    REQUIRE(put(**store, "packs/0a/small", testkit::bytes_of("small")));
    REQUIRE(put(**store, "empty", {}));
    REQUIRE(put(**store, "packs/large", testkit::Bytes(9'000'000, std::byte{7})));
    CHECK(
        second_client(bucket, rgw, "list") ==
        "mail/OpenArchiver-if-none-match 0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991"
        "b7852b855\n"
        "mail/empty 0 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"
        "mail/packs/0a/small 5 "
        "81db8ebbbbc69c6c6ad4a6aa92b76e0c08af547da236b9e2c9dbe1d8285a8130\n"
        "mail/packs/large 9000000 "
        "e894435e800e122fdcc592abcf025f39ee968f4e809068b951bd4aaba5621f84\n");

    second_client(bucket, rgw,
                  "put 'mail/Foreign KEY&+%41.txt' mail/packs/theirs mailbox elsewhere");
    Keys keys;
    REQUIRE((*store)->list("", "", keys, {}));
    CHECK(keys.keys ==
          std::vector<std::string>{"empty", "packs/0a/small", "packs/large", "packs/theirs"});
    CHECK(get(**store, "packs/theirs").value() == testkit::bytes_of("mail/packs/theirs"));
}

TEST_CASE("The bucket may be named in the host", "[conformance][s3]") {
    Bucket bucket(Rgw::running());
    const auto by_path = bucket.open();
    REQUIRE(by_path);
    REQUIRE(put(**by_path, "a", testkit::bytes_of("by path")));
    const std::size_t colon = bucket.endpoint.rfind(':');
    bucket.endpoint = "http://localhost" + bucket.endpoint.substr(colon);
    const auto by_host = bucket.open(R"("path_style": false)");
    REQUIRE(by_host);
    CHECK(get(**by_host, "a").value() == testkit::bytes_of("by path"));
    REQUIRE(put(**by_host, "b", testkit::bytes_of("by host")));
    CHECK(get(**by_path, "b").value() == testkit::bytes_of("by host"));
}

TEST_CASE("TLS trusts the configured authority alone, for the name alone", "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    bucket.endpoint = rgw.tls_endpoint;
    CHECK(bucket.open(R"("ca_file": ")" + rgw.ca_file + "\""));
    const auto untrusted = bucket.open();
    REQUIRE_FALSE(untrusted);
    check_error(untrusted.error(), sdk::Errc::unavailable, "ca_file");
    CHECK(untrusted.error().service_code == "CertificateUntrusted");
    bucket.endpoint = "https://127.0.0.1" + bucket.endpoint.substr(bucket.endpoint.rfind(':'));
    const auto misnamed = bucket.open(R"("ca_file": ")" + rgw.ca_file + "\"");
    REQUIRE_FALSE(misnamed);
    CHECK(misnamed.error().service_code == "CertificateUntrusted");
}

TEST_CASE("What the store refuses names the cause and the remedy", "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    SECTION("a wrong secret") {
        REQUIRE(bucket.host.secrets.update("/secret_access_key", "wrong"));
        const auto refused = bucket.open();
        REQUIRE_FALSE(refused);
        check_error(refused.error(), sdk::Errc::unauthenticated, "SignatureDoesNotMatch");
        check_error(refused.error(), sdk::Errc::unauthenticated, "check access_key_id and");
    }
    SECTION("an unknown key") {
        REQUIRE(bucket.host.secrets.update("/access_key_id", "AKIAUNKNOWN"));
        const auto refused = bucket.open();
        REQUIRE_FALSE(refused);
        check_error(refused.error(), sdk::Errc::unauthenticated, "InvalidAccessKeyId");
    }
    SECTION("a missing bucket") {
        bucket.name += "-not";
        const auto refused = bucket.open();
        REQUIRE_FALSE(refused);
        check_error(refused.error(), sdk::Errc::invalid_config, "make the bucket");
    }
    SECTION("another user's bucket") {
        const RgwUser other = RgwUser::create(rgw, "other" + std::to_string(::getpid()));
        REQUIRE(bucket.host.secrets.update("/access_key_id", other.access_key_id));
        REQUIRE(bucket.host.secrets.update("/secret_access_key", other.secret_access_key));
        const auto refused = bucket.open();
        REQUIRE_FALSE(refused);
        check_error(refused.error(), sdk::Errc::permission_denied, "allow this user");
    }
    SECTION("nobody there") {
        bucket.endpoint = "http://127.0.0.1:1";
        const auto refused = bucket.open();
        REQUIRE_FALSE(refused);
        check_error(refused.error(), sdk::Errc::unavailable, "http://127.0.0.1:1");
    }
}

TEST_CASE("A bucket removed under a running archive is not taken for missing objects",
          "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    const auto store = bucket.open();
    REQUIRE(store);
    rgw.administer("bucket rm --purge-objects --bucket=" + bucket.name);
    const auto read = get(**store, "a");
    REQUIRE_FALSE(read);
    check_error(read.error(), sdk::Errc::invalid_config, "NoSuchBucket");
    const auto info = (*store)->stat("a", {});
    REQUIRE_FALSE(info);
    check_error(info.error(), sdk::Errc::invalid_config, "NoSuchBucket");
}

TEST_CASE("A suspended user is refused, and goes on once let in again", "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    const std::string name = "suspended" + std::to_string(::getpid());
    Bucket bucket(rgw, RgwUser::create(rgw, name));
    const auto store = bucket.open();
    REQUIRE(store);
    rgw.administer("user suspend --uid=" + name);
    const auto refused = put(**store, "a", testkit::bytes_of("a"));
    REQUIRE_FALSE(refused);
    check_error(refused.error(), sdk::Errc::permission_denied, "can't store the object a in");
    rgw.administer("user enable --uid=" + name);
    CHECK(put(**store, "a", testkit::bytes_of("a")));
}

TEST_CASE("A full quota is no space, and reading goes on", "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    const std::string name = "quota" + std::to_string(::getpid());
    Bucket bucket(rgw, RgwUser::create(rgw, name));
    {
        const auto store = bucket.open();
        REQUIRE(store);
        REQUIRE(put(**store, "a", testkit::bytes_of("a")));
    }
    rgw.administer("quota set --quota-scope=user --uid=" + name + " --max-size=1M");
    rgw.administer("quota enable --quota-scope=user --uid=" + name);
    const auto store = bucket.open();
    REQUIRE(store);
    const auto refused = put(**store, "b", testkit::Bytes(5'000'000, std::byte{1}));
    REQUIRE_FALSE(refused);
    check_error(refused.error(), sdk::Errc::resource_exhausted, "QuotaExceeded");
    CHECK(get(**store, "a").value() == testkit::bytes_of("a"));
    CHECK(testkit::failed_with((*store)->stat("b", {}), sdk::Errc::not_found));
}

TEST_CASE("A store that has too much to do is asked again later", "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    const auto store = bucket.open();
    REQUIRE(store);
    rgw.configure("rgw_max_concurrent_requests", "1");
    std::atomic<int> slowed = 0;
    std::atomic<int> others = 0;
    {
        std::vector<std::jthread> threads;
        for (int thread = 0; thread < 8; ++thread) {
            threads.emplace_back([&, thread] {
                for (int i = 0; i < 10; ++i) {
                    const auto stored =
                        put(**store, std::to_string(thread) + "/" + std::to_string(i),
                            testkit::Bytes(200'000, std::byte{1}));
                    slowed += testkit::failed_with(stored, sdk::Errc::rate_limited) ? 1 : 0;
                    others += !stored && stored.error().code != sdk::Errc::rate_limited ? 1 : 0;
                }
            });
        }
    }
    rgw.configure("rgw_max_concurrent_requests", "1024");
    CHECK(slowed > 0);
    CHECK(others == 0);
    CHECK(put(**store, "afterwards", testkit::bytes_of("a")));
}

TEST_CASE("A put that timed out may land later, and is not made twice", "[conformance][s3]") {
    const Rgw rgw = Rgw::running();
    Bucket bucket(rgw);
    const auto store = bucket.open(R"("timeout_seconds": 2)");
    REQUIRE(store);
    REQUIRE(put(**store, "before", testkit::bytes_of("before")));
    const testkit::Bytes bytes = testkit::random_bytes(300'000, 1);
    REQUIRE(::kill(rgw.osd_process, SIGSTOP) == 0);
    const auto timed_out = put(**store, "late", bytes);
    testkit::MemorySource source(bytes);
    std::stop_source stop;
    std::jthread stopper([&] {
        std::this_thread::sleep_for(300ms);
        stop.request_stop();
    });
    const auto begin = std::chrono::steady_clock::now();
    const auto stopped =
        (*store)->put("stopped", source, sdk::PutMode::if_absent, stop.get_token());
    const auto took = std::chrono::steady_clock::now() - begin;
    REQUIRE(::kill(rgw.osd_process, SIGCONT) == 0);
    CHECK(testkit::failed_with(timed_out, sdk::Errc::timed_out));
    CHECK(testkit::failed_with(stopped, sdk::Errc::cancelled));
    CHECK(took < 1800ms);  // well before the timeout
    // The gateway goes on with what it has received: the object lands, whole.
    sdk::Result<testkit::Bytes> landed = sdk::Error{};
    for (int tries = 0; tries < 300 && !landed; ++tries) {
        std::this_thread::sleep_for(100ms);
        landed = get(**store, "late");
    }
    REQUIRE(landed);
    CHECK(*landed == bytes);
    CHECK(testkit::failed_with(put(**store, "late", bytes), sdk::Errc::already_exists));
}
