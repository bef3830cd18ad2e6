#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <openarchiver/testkit/byte_streams.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <thread>

#include "session.hpp"
#include "settings.hpp"

namespace openarchiver::subprocess {

namespace {

namespace fs = std::filesystem;
using sdk::Errc;
using namespace std::chrono_literals;

/// What every program begins with: the handshake, then the next request is `r`.
constexpr const char* kPrelude = R"py(
import json, os, sys, time
out = sys.stdout.buffer
def read():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)
def raw(data):
    out.write(data)
    out.flush()
def say(value):
    raw(json.dumps(value).encode() + b"\n")
hello = read()
say({"id": hello["id"], "result": {"protocol": 1, "name": "test"}})
r = read()
)py";

/// A session whose program is a Python script.
class Subject {
public:
    explicit Subject(const std::string& script, const std::string& settings = "",
                     const std::string& prelude = kPrelude)
        : host_(
              std::map<std::string, std::string, std::less<>>{{"/secrets/0/value", "the-secret"}}) {
        std::ofstream(file("program.py")) << prelude << script;
        auto parsed = parse_settings(
            R"({"command": ["/usr/bin/python3", "program.py"], "secrets": [{"name": "token"}])" +
            settings + "}");
        REQUIRE(parsed);
        session_ = std::make_unique<Session>(std::move(*parsed), host_.services());
    }

    Session& session() { return *session_; }

    sdk::Status probe(std::stop_token stop = {}) { return session_->probe("a", std::move(stop)); }

    sdk::Error refused() {
        const auto status = probe();
        REQUIRE_FALSE(status);
        return status.error();
    }

    sdk::Result<testkit::Bytes> content() {
        OPENARCHIVER_TRY(const auto reader, session_->open_content("a", "i", {}));
        return testkit::read_all(*reader);
    }

    [[nodiscard]] fs::path file(const char* name) const { return host_.profile_folder() / name; }

    [[nodiscard]] std::string log() const {
        std::string text;
        for (const auto& line : host_.logger.lines()) {
            text += line.message + "\n";
        }
        return text;
    }

    testkit::HostFixture& host() { return host_; }

private:
    testkit::HostFixture host_;
    std::unique_ptr<Session> session_;
};

class NoItems final : public sdk::ItemSink {
public:
    sdk::Flow item(const sdk::Item&) override { return sdk::Flow::proceed; }

    sdk::Flow item_left(std::string_view) override { return sdk::Flow::proceed; }

    sdk::Flow item_failed(std::string_view, const sdk::Error&) override {
        return sdk::Flow::proceed;
    }

    sdk::Flow checkpoint(const sdk::Cursor&) override { return sdk::Flow::proceed; }
};

void expect(const sdk::Error& error, Errc code, const std::string& words) {
    CHECK(sdk::to_string(error.code) == sdk::to_string(code));
    CHECK_THAT(error.message, Catch::Contains(words));
}

}  // namespace

TEST_CASE("A program that does not keep to the protocol is told of, and ended") {
    const auto [script, words] = GENERATE(table<std::string, std::string>({
        {R"(print("starting up", flush=True))", "no JSON object"},
        {R"(raw(b'{"id":%d,"result":{"x":"\xff\xfe"}}\n' % r["id"]))", "no JSON object"},
        {R"(raw(b'[1]\n'))", "no JSON object"},
        {R"(raw(b'[' * 100000 + b'\n'))", "no JSON object"},
        {R"(say({"id": r["id"] + 1, "result": {}}))", "answered the request 3, and 2"},
        {R"(say({"result": {}}))", "without an id"},
        {R"(say({"id": r["id"]}))", "neither a result nor an error"},
        {R"(say({"id": r["id"], "bytes": 5}); raw(b"hello"))", "content that nobody had asked for"},
        {R"(say({"id": r["id"], "bytes": 2 << 20}))", "from 1 to 1048576"},
        {R"(say({"id": r["id"], "error": {"code": "strange", "message": "m"}}))", "error.code"},
        {R"(say({"secret": {"name": "other", "value": "v"}}))", "does not have"},
        {R"(raw(b"x" * (5 << 20)))", "longer than 4 MiB"},
    }));
    INFO(script);
    Subject subject(script + "\ntime.sleep(60)\n");
    const auto started = std::chrono::steady_clock::now();
    expect(subject.refused(), Errc::internal, words);
    CHECK(std::chrono::steady_clock::now() - started < 20s);
}

TEST_CASE("A program that floods is stopped at the bounds") {
    Subject output("while True: raw(b'x' * 65536)\n");
    expect(output.refused(), Errc::internal, "longer than 4 MiB");
    Subject answers("while True: say({'log': {'level': 'info', 'message': 'x'}})\n",
                    R"(, "answer_seconds": 1)");
    expect(answers.refused(), Errc::timed_out, "within 1 s");
    Subject errors("while True: os.write(2, b'noise ' * 10000)\n", R"(, "answer_seconds": 1)");
    expect(errors.refused(), Errc::timed_out, "within 1 s");
}

TEST_CASE("A program that says nothing is ended after its time") {
    Subject subject("time.sleep(600)\n", R"(, "answer_seconds": 1)");
    expect(subject.refused(), Errc::timed_out, "within 1 s");
}

TEST_CASE("A program that does not read is ended after its time") {
    std::string prelude = kPrelude;
    prelude.resize(prelude.find("r = read()"));
    Subject subject("time.sleep(600)\n", R"(, "answer_seconds": 1)", prelude);
    NoItems sink;
    const auto status = subject.session().sync_folder("a", std::string(4 << 20, 'f'), {}, sink, {});
    REQUIRE_FALSE(status);
    expect(status.error(), Errc::timed_out, "within 1 s");
}

TEST_CASE("A program that uses too much processor time is ended") {
    Subject subject("while True: pass\n", R"(, "answer_seconds": 60, "cpu_seconds": 1)");
    expect(subject.refused(), Errc::timed_out, "processor time");
}

TEST_CASE("A program that wants too much memory does not get it") {
    Subject subject("x = bytearray(1 << 30)\nsay({'id': r['id'], 'result': {}})\n",
                    R"(, "memory_mib": 256)");
    expect(subject.refused(), Errc::unavailable, "exit code 1");
    CHECK_THAT(subject.log(), Catch::Contains("MemoryError"));
}

TEST_CASE("A program that dies is told of with how it ended") {
    Subject exits("os.write(2, b'I give up\\n'); sys.exit(3)\n");
    expect(exits.refused(), Errc::unavailable, "(exit code 3) before it had answered \"probe\"");
    CHECK_THAT(exits.log(), Catch::Contains("the program says: I give up"));
    Subject killed("os.kill(os.getpid(), 11)\n");
    expect(killed.refused(), Errc::unavailable, "signal 11");
}

TEST_CASE("After a program has died the next request gets another one") {
    Subject subject(R"py(
if not os.path.exists("once"):
    open("once", "w").close()
    sys.exit(1)
while True:
    say({"id": r["id"], "result": {}})
    r = read()
)py");
    CHECK_FALSE(subject.probe());
    CHECK(subject.probe());
    CHECK(subject.probe());
}

TEST_CASE("What a program says unasked ends it, and is no answer to the next request") {
    Subject subject(R"py(
made_up = {"id": r["id"] + 1, "error": {"code": "not_found", "message": "made up"}}
raw((json.dumps({"id": r["id"], "result": {}}) + "\n" + json.dumps(made_up) + "\n").encode())
time.sleep(60)
)py");
    CHECK(subject.probe());
    CHECK(subject.probe());
    CHECK_THAT(subject.log(), Catch::Contains("nobody had asked for"));
}

TEST_CASE("A content is whole, or an error") {
    const std::string piece = R"(say({"id": r["id"], "bytes": 5}); raw(b"hello"); )";
    Subject good(piece + piece + R"(say({"id": r["id"], "result": {"size": 10}}); read())");
    const auto bytes = good.content();
    REQUIRE(bytes);
    CHECK(bytes->size() == 10);

    const auto [script, code, words] = GENERATE_COPY(table<std::string, Errc, std::string>({
        {piece + R"(say({"id": r["id"], "result": {"size": 9}}))", Errc::internal, "has 9"},
        {piece + R"(say({"id": r["id"], "result": {}}))", Errc::internal, "no size"},
        {piece + "sys.exit(0)", Errc::unavailable, "exit code 0"},
        {R"(say({"id": r["id"], "bytes": 500}); raw(b"short"); sys.exit(0))", Errc::unavailable,
         "exit code 0"},
        {piece + R"(say({"id": r["id"], "error": {"code": "corrupt", "message": "bad block"}}))",
         Errc::corrupt, "bad block"},
        {R"(say({"id": r["id"], "error": {"code": "not_found", "message": "gone"}}))",
         Errc::not_found, "gone"},
    }));
    INFO(script);
    Subject bad(script);
    const auto broken = bad.content();
    REQUIRE_FALSE(broken);
    expect(broken.error(), code, words);
}

TEST_CASE("A content that nobody reads to its end does not hold its program") {
    Subject subject(R"py(
while True:
    if r["call"] == "content":
        for _ in range(1000):
            say({"id": r["id"], "bytes": 65536})
            raw(b"x" * 65536)
        say({"id": r["id"], "result": {"size": 65536000}})
    else:
        say({"id": r["id"], "result": {}})
    r = read()
)py");
    for (int i = 0; i < 10; ++i) {
        REQUIRE(subject.session().open_content("a", "i", {}));
    }
    CHECK(subject.probe());
}

TEST_CASE("A listing without an end is ended") {
    Subject subject(R"py(
while True:
    say({"id": r["id"], "result": {"more": "again"}})
    r = read()
)py");
    NoItems sink;
    const auto status = subject.session().sync_folder("a", "f", {}, sink, {});
    REQUIRE_FALSE(status);
    expect(status.error(), Errc::internal, "does not end");
}

TEST_CASE("A stop ends the program, and everything that it started") {
    Subject subject(R"py(
import subprocess
child = subprocess.Popen(["sleep", "600"])
open("child", "w").write(str(child.pid))
time.sleep(600)
)py");
    std::stop_source stop;
    const std::jthread stopper([&] {
        while (!fs::exists(subject.file("child")) || fs::file_size(subject.file("child")) == 0) {
            std::this_thread::sleep_for(10ms);
        }
        stop.request_stop();
    });
    const auto status = subject.probe(stop.get_token());
    REQUIRE_FALSE(status);
    CHECK(status.error().code == Errc::cancelled);
    pid_t child = 0;
    std::ifstream(subject.file("child")) >> child;
    // It was adopted by another process, which takes a moment to reap it.
    for (int i = 0; i < 500 && ::kill(child, 0) == 0; ++i) {
        std::ifstream state("/proc/" + std::to_string(child) + "/stat");
        std::string text;
        std::getline(state, text);
        if (text.find(") Z ") != std::string::npos) {
            break;
        }
        std::this_thread::sleep_for(10ms);
        REQUIRE(i < 499);
    }
}

TEST_CASE("The end of its input ends a program that would go on for ever") {
    Subject subject(R"py(
open("pid", "w").write(str(os.getpid()))
say({"id": r["id"], "result": {}})
while True:
    time.sleep(600)
)py");
    CHECK(subject.probe());
}

TEST_CASE("A program gets its secrets by standard input alone, and none is ever logged") {
    ::setenv("OPENARCHIVER_TEST_OF_SUBPROCESS", "from-the-engine", 1);
    Subject subject(R"py(
assert hello["secrets"] == {"token": "the-secret"}, hello
assert "OPENARCHIVER_TEST_OF_SUBPROCESS" not in os.environ
assert "PATH" in os.environ
assert "the-secret" not in open("/proc/self/cmdline").read()
open_files = [int(n) for n in os.listdir("/proc/self/fd")]
assert len(open_files) == 4, open_files  # the three, and the folder itself
os.write(2, b"debug: token=the-secret\n")
say({"log": {"level": "info", "message": "signing in with the-secret"}})
say({"secret": {"name": "token", "value": "rotated"}})
say({"id": r["id"], "error": {"code": "unauthenticated", "message": "the-secret is refused"}})
)py");
    const sdk::Error error = subject.refused();
    expect(error, Errc::unauthenticated, "*** is refused");
    CHECK_THAT(subject.log(), Catch::Contains("debug: token=***"));
    CHECK_THAT(subject.log(), Catch::Contains("signing in with ***"));
    CHECK_THAT(subject.log(), !Catch::Contains("the-secret"));
    CHECK(*subject.host().secrets.get("/secrets/0/value") == "rotated");
    ::unsetenv("OPENARCHIVER_TEST_OF_SUBPROCESS");
}

TEST_CASE("A program of another version of the protocol is refused") {
    Subject subject("", "", R"py(
import json, sys
hello = json.loads(sys.stdin.readline())
print(json.dumps({"id": hello["id"], "result": {"protocol": 2}}), flush=True)
sys.stdin.readline()
)py");
    expect(subject.refused(), Errc::invalid_config, "speaks the 2 version");
}

TEST_CASE("A program that others may change is not run") {
    Subject subject("say({'id': r['id'], 'result': {}})\nread()\n");
    fs::permissions(subject.file("program.py"), fs::perms::others_write, fs::perm_options::add);
    expect(subject.refused(), Errc::invalid_config, "program.py");
    fs::permissions(subject.file("program.py"), fs::perms::others_write, fs::perm_options::remove);
    CHECK(subject.probe());
}

TEST_CASE("A program that is not there is a fault of the configuration") {
    const auto [command, words] = GENERATE(table<std::string, std::string>({
        {"no-such-program-anywhere", "PATH"},
        {"./no-such-file", "no program"},
        {"/etc/passwd", "can't be run"},
    }));
    testkit::HostFixture host;
    auto settings = parse_settings(R"({"command": [")" + command + R"("]})");
    REQUIRE(settings);
    Session session(std::move(*settings), host.services());
    const auto status = session.probe("a", {});
    REQUIRE_FALSE(status);
    expect(status.error(), Errc::invalid_config, words);
    const auto checks = session.check({});
    REQUIRE(checks);
    REQUIRE(checks->size() == 1);
    CHECK(checks->front().outcome == sdk::CheckOutcome::fail);
}

}  // namespace openarchiver::subprocess
