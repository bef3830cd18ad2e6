#include "archive/lease.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <thread>

#include "memory_store.hpp"
#include "support.hpp"

using namespace openarchiver;
using archive::Lease;
using namespace std::chrono_literals;

namespace {

// A process that took the lease of a store of its own, and goes on until it is told to end.
class OtherEngine {
public:
    OtherEngine() {
        std::array<int, 2> pipe{};
        REQUIRE(::pipe(pipe.data()) == 0);
        process_ = ::fork();
        REQUIRE(process_ >= 0);
        if (process_ == 0) {
            ::close(pipe[0]);
            test::StoreContents contents;
            test::MemoryStore store(contents);
            test::FakeClock clock;
            const auto lease = Lease::acquire(store, clock, {});
            const std::string text = lease ? contents.objects["lease"] : "failed";
            if (::write(pipe[1], text.data(), text.size()) < 0) {
                ::_exit(1);
            }
            ::close(pipe[1]);
            for (;;) {
                ::pause();
            }
        }
        ::close(pipe[1]);
        std::array<char, 4096> buffer{};
        for (;;) {
            const ssize_t got = ::read(pipe[0], buffer.data(), buffer.size());
            if (got <= 0) {
                break;
            }
            lease_.append(buffer.data(), static_cast<std::size_t>(got));
        }
        ::close(pipe[0]);
    }

    OtherEngine(const OtherEngine&) = delete;
    OtherEngine& operator=(const OtherEngine&) = delete;

    ~OtherEngine() { kill(); }

    void kill() {
        if (process_ > 0) {
            ::kill(process_, SIGKILL);
            ::waitpid(process_, nullptr, 0);
            process_ = -1;
        }
    }

    [[nodiscard]] const std::string& lease() const { return lease_; }

    [[nodiscard]] pid_t process() const { return process_; }

private:
    pid_t process_ = -1;
    std::string lease_;
};

std::string replaced(std::string text, std::string_view name, const std::string& value) {
    const auto at = text.find("\"" + std::string(name) + "\":\"");
    REQUIRE(at != std::string::npos);
    const auto begin = at + name.size() + 4;
    text.replace(begin, text.find('"', begin) - begin, value);
    return text;
}

template <typename Condition>
bool eventually(const Condition& condition) {
    for (int i = 0; i < 500; ++i) {
        if (condition()) {
            return true;
        }
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

std::string lease_object(test::StoreContents& contents) {
    const std::lock_guard lock(contents.mutex);
    return contents.objects.contains("lease") ? contents.objects["lease"] : std::string();
}

}  // namespace

TEST_CASE("A store that can't keep two engines apart is not written to", "[lease]") {
    test::StoreContents contents;
    contents.put_if_absent = false;
    test::MemoryStore store(contents);
    test::FakeClock clock;
    const auto lease = Lease::acquire(store, clock, {});
    REQUIRE_FALSE(lease);
    CHECK(lease.error().code == sdk::Errc::unsupported);
    CHECK(contents.objects.empty());
}

TEST_CASE("A lease is held until it is given back") {
    test::StoreContents contents;
    test::MemoryStore store(contents);
    test::FakeClock clock;
    {
        const auto lease = Lease::acquire(store, clock, {});
        REQUIRE(lease);
        CHECK((*lease)->held());
        CHECK(contents.objects.contains("lease"));
        const auto second = Lease::acquire(store, clock, {});
        REQUIRE_FALSE(second);
        CHECK(second.error().code == sdk::Errc::already_exists);
        CHECK(second.error().message.find(std::to_string(::getpid())) != std::string::npos);
    }
    CHECK(contents.objects.empty());
    CHECK(Lease::acquire(store, clock, {}));
}

TEST_CASE("The lease of a living process is refused, however old, and taken over once it is dead") {
    test::StoreContents contents;
    test::MemoryStore store(contents);
    test::FakeClock clock;
    OtherEngine other;
    contents.objects["lease"] = other.lease();
    clock.offset = 24h;
    const auto refused = Lease::acquire(store, clock, {});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == sdk::Errc::already_exists);
    CHECK(refused.error().message.find("process " + std::to_string(other.process())) !=
          std::string::npos);
    CHECK(contents.objects["lease"] == other.lease());

    clock.offset = 0s;
    other.kill();
    const auto lease = Lease::acquire(store, clock, {});
    REQUIRE(lease);
    CHECK((*lease)->held());
    CHECK(lease_object(contents) != other.lease());
}

TEST_CASE("A process that was given the number of a dead one does not keep its lease") {
    test::StoreContents contents;
    test::MemoryStore store(contents);
    test::FakeClock clock;
    OtherEngine other;
    std::string lease = other.lease();
    const auto at = lease.find("\"process_start\":");
    REQUIRE(at != std::string::npos);
    lease.insert(at + 16, "1");
    contents.objects["lease"] = lease;
    CHECK(Lease::acquire(store, clock, {}));
}

TEST_CASE("The lease of another system is taken over when it was not renewed for a minute") {
    test::StoreContents contents;
    test::MemoryStore store(contents);
    test::FakeClock clock;
    std::string text;
    {
        OtherEngine other;
        text = other.lease();
    }
    const auto name = GENERATE(as<std::string>(), "boot_id", "pid_namespace");
    contents.objects["lease"] = replaced(text, name, "elsewhere");
    clock.offset = 50s;
    CHECK(Lease::acquire(store, clock, {}).error().code == sdk::Errc::already_exists);
    clock.offset = 70s;
    CHECK(Lease::acquire(store, clock, {}, 20ms));
}

TEST_CASE("The lease of a living engine is refused, however far its clock is behind") {
    test::StoreContents contents;
    test::MemoryStore store(contents);
    test::FakeClock clock;
    std::string text;
    {
        OtherEngine other;
        text = replaced(other.lease(), "boot_id", "elsewhere");
    }
    contents.objects["lease"] = text;
    clock.offset = 3h;
    const std::jthread holder([&](const std::stop_token& stop) {
        for (unsigned renewal = 0; !stop.stop_requested(); ++renewal) {
            std::this_thread::sleep_for(20ms);
            const std::lock_guard lock(contents.mutex);
            contents.objects["lease"] = text + std::string(1U + renewal % 2U, '\n');
        }
    });
    const auto lease = Lease::acquire(store, clock, {}, 200ms);
    REQUIRE_FALSE(lease);
    CHECK(lease.error().code == sdk::Errc::already_exists);
}

TEST_CASE("A damaged lease is taken over once the object is old") {
    test::StoreContents contents;
    test::MemoryStore store(contents);  // its objects were modified in 1970
    test::FakeClock clock;
    contents.objects["lease"] = "{\"engine\":";
    CHECK(Lease::acquire(store, clock, {}));
}

TEST_CASE("Of two engines that take over at once the later one wins and the earlier one knows") {
    test::StoreContents contents;
    test::MemoryStore store(contents);
    test::FakeClock clock;
    std::string rival;
    {
        OtherEngine other;
        contents.objects["lease"] = other.lease();
        rival = replaced(other.lease(), "engine", "the rival");
    }
    contents.after_put = [&](std::string_view) -> sdk::Status {
        const std::lock_guard lock(contents.mutex);
        contents.objects["lease"] = rival;
        return {};
    };
    CHECK(Lease::acquire(store, clock, {}).error().code == sdk::Errc::already_exists);
    CHECK(contents.objects["lease"] == rival);
}

TEST_CASE("A lease is renewed, and lost when somebody else took it") {
    test::StoreContents contents;
    test::MemoryStore store(contents);
    test::FakeClock clock;
    auto lease = Lease::acquire(store, clock, {}, 20ms);
    REQUIRE(lease);
    const std::string first = lease_object(contents);
    CHECK(eventually([&] { return lease_object(contents) != first; }));
    CHECK((*lease)->held());
    SECTION("taken over") {
        {
            const std::lock_guard lock(contents.mutex);
            contents.objects["lease"] = replaced(first, "engine", "the other");
        }
        // A renewal that was under way may have overwritten it once.
        CHECK(eventually([&] {
            if ((*lease)->held()) {
                const std::lock_guard lock(contents.mutex);
                contents.objects["lease"] = replaced(first, "engine", "the other");
            }
            return !(*lease)->held();
        }));
        lease->reset();
        CHECK(contents.objects["lease"] == replaced(first, "engine", "the other"));
    }
    SECTION("removed by hand: it is made again") {
        {
            const std::lock_guard lock(contents.mutex);
            contents.objects.clear();
        }
        CHECK(eventually([&] { return !lease_object(contents).empty(); }));
        CHECK((*lease)->held());
    }
}

TEST_CASE("A lease whose first answer was lost is ours") {
    test::StoreContents contents;
    test::MemoryStore store(contents);
    test::FakeClock clock;
    // As a store that repeats the put for us: the second attempt finds the object of the first.
    contents.after_put = [](std::string_view) -> sdk::Status {
        return sdk::Error{.code = sdk::Errc::already_exists, .message = "exists"};
    };
    const auto lease = Lease::acquire(store, clock, {});
    REQUIRE(lease);
    CHECK((*lease)->held());
}
