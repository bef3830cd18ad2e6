#include "storage/retrying_store.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "memory_store.hpp"
#include "support.hpp"

using namespace openarchiver;
using namespace std::chrono_literals;
using storage::RetryingStore;

namespace {

constexpr storage::RetryOptions kFast{
    .tries = 5, .first_delay = 1ms, .longest_delay = 2ms, .longest_retry_after = 1000ms};

struct Fixture {
    // The first `failures` calls fail with `error`.
    std::function<sdk::Status(std::string_view)> failing() {
        return [this](std::string_view) -> sdk::Status {
            ++calls;
            if (failures > 0) {
                --failures;
                return error;
            }
            return {};
        };
    }

    test::StoreContents contents;
    RetryingStore store{std::make_unique<test::MemoryStore>(contents), kFast};
    int failures = 0;
    int calls = 0;
    sdk::Error error{.code = sdk::Errc::unavailable, .message = "connection lost"};
};

}  // namespace

TEST_CASE("A put that fails for a passing reason is repeated with all of its bytes") {
    Fixture fixture;
    fixture.error.code =
        GENERATE(sdk::Errc::unavailable, sdk::Errc::timed_out, sdk::Errc::rate_limited);
    fixture.failures = 4;
    fixture.contents.after_put = fixture.failing();
    test::StringSource source("all of the bytes");
    REQUIRE(fixture.store.put("key", source, sdk::PutMode::replace, {}));
    CHECK(fixture.calls == 5);
    CHECK(fixture.contents.objects["key"] == "all of the bytes");
}

TEST_CASE("After the fifth try the error is the caller's") {
    Fixture fixture;
    fixture.failures = 5;
    fixture.contents.before_put = fixture.failing();
    test::StringSource source("bytes");
    const auto put = fixture.store.put("key", source, sdk::PutMode::replace, {});
    REQUIRE_FALSE(put);
    CHECK(put.error().message == "connection lost");
    CHECK(fixture.calls == 5);
}

TEST_CASE("What does not pass by itself is not repeated") {
    Fixture fixture;
    fixture.error.code = GENERATE(sdk::Errc::resource_exhausted, sdk::Errc::permission_denied,
                                  sdk::Errc::already_exists, sdk::Errc::corrupt);
    fixture.failures = 1;
    fixture.contents.before_put = fixture.failing();
    test::StringSource source("bytes");
    CHECK_FALSE(fixture.store.put("key", source, sdk::PutMode::replace, {}));
    CHECK(fixture.calls == 1);
}

TEST_CASE("The time that the store asked for is waited for, unless it is too long") {
    Fixture fixture;
    fixture.failures = 1;
    fixture.contents.before_put = fixture.failing();
    test::StringSource source("bytes");
    SECTION("a moment") {
        fixture.error.retry_after = 120ms;
        const auto begin = std::chrono::steady_clock::now();
        REQUIRE(fixture.store.put("key", source, sdk::PutMode::replace, {}));
        CHECK(std::chrono::steady_clock::now() - begin >= 120ms);
    }
    SECTION("an hour") {
        fixture.error.retry_after = 1h;
        CHECK_FALSE(fixture.store.put("key", source, sdk::PutMode::replace, {}));
        CHECK(fixture.calls == 1);
    }
}

TEST_CASE("A stop ends the waiting at once") {
    test::StoreContents contents;
    contents.before_put = [](std::string_view) -> sdk::Status {
        return sdk::Error{.code = sdk::Errc::rate_limited, .message = "later", .retry_after = 60s};
    };
    RetryingStore store(std::make_unique<test::MemoryStore>(contents));
    std::stop_source stop;
    const auto begin = std::chrono::steady_clock::now();
    std::jthread stopper([&] {
        std::this_thread::sleep_for(50ms);
        stop.request_stop();
    });
    test::StringSource source("bytes");
    const auto put = store.put("key", source, sdk::PutMode::replace, stop.get_token());
    REQUIRE_FALSE(put);
    CHECK(put.error().code == sdk::Errc::cancelled);
    CHECK(std::chrono::steady_clock::now() - begin < 10s);
}

TEST_CASE("A read that breaks off goes on behind what was delivered") {
    Fixture fixture;
    const std::string bytes = test::noise(100'000, 1);
    fixture.contents.objects["key"] = bytes;
    fixture.contents.break_get_after = GENERATE(1U, 50'000U, 99'999U, 100'000U);
    test::StringSink sink;
    SECTION("of the whole object") {
        REQUIRE(fixture.store.get("key", {}, sink, {}));
        CHECK(sink.text == bytes);
    }
    SECTION("of a range") {
        REQUIRE(fixture.store.get("key", {.offset = 10, .length = 70'000}, sink, {}));
        CHECK(sink.text == bytes.substr(10, 70'000));
    }
}

TEST_CASE("A failure of the receiver is not the store's and is not repeated") {
    class Refusing final : public sdk::ByteSink {
    public:
        sdk::Status write(std::span<const std::byte>) override {
            ++calls;
            return sdk::Error{.code = sdk::Errc::unavailable, .message = "the receiver went away"};
        }

        int calls = 0;
    };

    Fixture fixture;
    fixture.contents.objects["key"] = "bytes";
    Refusing sink;
    CHECK_FALSE(fixture.store.get("key", {}, sink, {}));
    CHECK(sink.calls == 1);
}

TEST_CASE("A listing that breaks off reports each object once") {
    // Fails once, after it reported half of its objects.
    class Breaking final : public sdk::ObjectStore {
    public:
        explicit Breaking(test::StoreContents& contents) : inner_(contents) {}

        sdk::StorageCapabilities capabilities() const override { return inner_.capabilities(); }

        sdk::Status put(std::string_view, sdk::ByteSource&, sdk::PutMode,
                        std::stop_token) override {
            return {};
        }

        sdk::Status get(std::string_view, const sdk::Range&, sdk::ByteSink&,
                        std::stop_token) override {
            return {};
        }

        sdk::Result<sdk::ObjectInfo> stat(std::string_view key, std::stop_token stop) override {
            return inner_.stat(key, stop);
        }

        sdk::Status list(std::string_view prefix, std::string_view start_after,
                         sdk::ObjectListSink& sink, std::stop_token stop) override {
            class Half final : public sdk::ObjectListSink {
            public:
                explicit Half(sdk::ObjectListSink& target) : target_(target) {}

                bool object(const sdk::ObjectInfo& info) override {
                    return target_.object(info) && --left_ > 0;
                }

            private:
                sdk::ObjectListSink& target_;
                int left_ = 5;
            };

            if (broken_) {
                return inner_.list(prefix, start_after, sink, stop);
            }
            broken_ = true;
            Half half(sink);
            OPENARCHIVER_CHECK(inner_.list(prefix, start_after, half, stop));
            return sdk::Error{.code = sdk::Errc::unavailable, .message = "connection lost"};
        }

        sdk::Status remove(std::string_view, std::stop_token) override { return {}; }

        sdk::Result<sdk::Capacity> capacity(std::stop_token stop) override {
            return inner_.capacity(stop);
        }

    private:
        test::MemoryStore inner_;
        bool broken_ = false;
    };

    class Keys final : public sdk::ObjectListSink {
    public:
        bool object(const sdk::ObjectInfo& info) override {
            text += info.key;
            return text.size() < limit;
        }

        std::string text;
        std::size_t limit = 1000;
    };

    test::StoreContents contents;
    for (char c = 'a'; c < 'k'; ++c) {
        contents.objects[std::string(1, c)] = "x";
    }
    RetryingStore store(std::make_unique<Breaking>(contents), kFast);
    Keys keys;
    SECTION("to the end") {
        REQUIRE(store.list("", "a", keys, {}));
        CHECK(keys.text == "bcdefghij");
    }
    SECTION("unless the receiver had enough") {
        keys.limit = 5;
        REQUIRE(store.list("", "a", keys, {}));
        CHECK(keys.text == "bcdef");
    }
}
