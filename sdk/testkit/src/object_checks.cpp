// What put() stored comes back; what is not there is not found.
#include <chrono>

#include "storage_suite.hpp"

namespace openarchiver::testkit::storage {

namespace {

constexpr std::size_t kLarge = 20U << 20U;

void absent_object(sdk::ObjectStore& store, Findings& findings) {
    const auto read = get(store, "absent/object");
    findings.expect(failed_with(read, sdk::Errc::not_found), "get() of an absent object: not_found",
                    outcome_of(read));
    const auto info = store.stat("absent/object", {});
    findings.expect(failed_with(info, sdk::Errc::not_found),
                    "stat() of an absent object: not_found", outcome_of(info));
    const auto removed = store.remove("absent/object", {});
    findings.expect(removed.has_value(), "remove() of an absent object: success",
                    outcome_of(removed));
}

void round_trip(sdk::ObjectStore& store, Findings& findings, const std::string& key,
                const Bytes& bytes) {
    const auto before = std::chrono::system_clock::now() - std::chrono::hours(24);
    const auto stored = put(store, key, bytes);
    if (!findings.expect(stored.has_value(), "put() succeeds", outcome_of(stored))) {
        return;
    }
    const auto read = get(store, key);
    findings.expect(read && *read == bytes, "get() gives the bytes that were put",
                    outcome_of(read));
    const auto info = store.stat(key, {});
    if (findings.expect(info.has_value(), "stat() finds the object", outcome_of(info))) {
        findings.expect(info->key == key, "stat() tells the key", info->key);
        findings.expect(info->size == bytes.size(), "stat() tells the size",
                        std::to_string(info->size));
        findings.expect(info->modified_at > before, "stat() tells the time of the last put()");
    }
    const auto keys = list(store, key);
    findings.expect(keys && *keys == std::vector{key}, "list() shows the object once",
                    outcome_of(keys));
}

void ranges(sdk::ObjectStore& store, Findings& findings) {
    const Bytes bytes = random_bytes(1'000'003, 3);
    const auto stored = put(store, "ranges/object", bytes);
    if (!findings.expect(stored.has_value(), "put() succeeds", outcome_of(stored))) {
        return;
    }

    struct Case {
        std::uint64_t offset;
        std::optional<std::uint64_t> length;
    };

    const std::uint64_t size = bytes.size();
    const Case inside[] = {{0, 0},           {0, 1},        {0, size},         {1, size - 1},
                           {size - 1, 1},    {size, 0},     {size, {}},        {size - 1, {}},
                           {262'143, 2'622}, {500'000, {}}, {262'144, 524'288}};
    for (const Case& part : inside) {
        const auto read = get(store, "ranges/object", {part.offset, part.length});
        const auto first = bytes.begin() + static_cast<std::ptrdiff_t>(part.offset);
        const Bytes wanted(
            first, first + static_cast<std::ptrdiff_t>(part.length.value_or(size - part.offset)));
        findings.expect(read && *read == wanted,
                        "get() gives exactly the range from " + std::to_string(part.offset),
                        outcome_of(read));
    }
    const Case beyond[] = {{size + 1, {}},  {size + 1, 0},           {0, size + 1},
                           {size, 1},       {size - 1, 2},           {1, UINT64_MAX},
                           {UINT64_MAX, 1}, {UINT64_MAX, UINT64_MAX}};
    for (const Case& part : beyond) {
        const auto read = get(store, "ranges/object", {part.offset, part.length});
        findings.expect(
            failed_with(read, sdk::Errc::invalid_argument),
            "a range beyond the end, from " + std::to_string(part.offset) + ": invalid_argument",
            outcome_of(read));
    }
}

void sink_error(sdk::ObjectStore& store, Findings& findings) {
    const auto stored = put(store, "sink-error/object", random_bytes(2'000'000, 4));
    findings.expect(stored.has_value(), "put() succeeds", outcome_of(stored));
    CollectingSink sink;
    int calls = 0;
    sink.on_write([&](std::size_t) -> sdk::Status {
        ++calls;
        return sdk::Error{.code = sdk::Errc::resource_exhausted, .message = "the sink is full"};
    });
    const auto read = store.get("sink-error/object", {}, sink, {});
    findings.expect(failed_with(read, sdk::Errc::resource_exhausted),
                    "get() returns the error of its sink", outcome_of(read));
    findings.expect(calls == 1, "a sink that failed is not called again", std::to_string(calls));
}

void removal(sdk::ObjectStore& store, Findings& findings) {
    const auto stored = put(store, "removal/object", bytes_of("gone soon"));
    findings.expect(stored.has_value(), "put() succeeds", outcome_of(stored));
    const auto removed = store.remove("removal/object", {});
    if (!store.capabilities().removal && failed_with(removed, sdk::Errc::permission_denied)) {
        findings.expect(is_visible(store, "removal/object"),
                        "an object whose removal is refused stays");
        return;
    }
    findings.expect(removed.has_value(), "remove() succeeds", outcome_of(removed));
    findings.expect(!is_visible(store, "removal/object"), "a removed object is gone at once");
    const auto again = put(store, "removal/object", bytes_of("back"), sdk::PutMode::if_absent);
    findings.expect(again.has_value(), "its key is free again", outcome_of(again));
}

void keys(sdk::ObjectStore& store, Findings& findings) {
    const std::string bad[] = {"",
                               "/",
                               "/a",
                               "a/",
                               "a//b",
                               "A",
                               "a b",
                               "a+b",
                               "a\\b",
                               "a~",
                               ".",
                               "..",
                               "../a",
                               "a/..",
                               "a/../b",
                               "./a",
                               "a/./b",
                               "a\nb",
                               "\xc3\xbc",
                               std::string("a\0b", 3),
                               std::string(513, 'a')};
    for (const std::string& key : bad) {
        const std::string shown = "the key \"" + key.substr(0, 20) + "\": invalid_argument from ";
        const auto stored = put(store, key, bytes_of("x"));
        findings.expect(failed_with(stored, sdk::Errc::invalid_argument), shown + "put()",
                        outcome_of(stored));
        const auto read = get(store, key);
        findings.expect(failed_with(read, sdk::Errc::invalid_argument), shown + "get()",
                        outcome_of(read));
        const auto info = store.stat(key, {});
        findings.expect(failed_with(info, sdk::Errc::invalid_argument), shown + "stat()",
                        outcome_of(info));
        const auto removed = store.remove(key, {});
        findings.expect(failed_with(removed, sdk::Errc::invalid_argument), shown + "remove()",
                        outcome_of(removed));
    }
    std::string longest = "keys";
    while (longest.size() < 448) {
        longest += "/" + std::string(63, 'k');
    }
    longest += "/" + std::string(511 - longest.size(), 'k');
    for (const std::string& key :
         {std::string("keys-0"), std::string("tmp/keys"), std::string("keys/.hidden"),
          std::string("keys/..two"), std::string("keys/a.b_c-d"), std::string("keys/-"),
          std::string("lock"), longest}) {
        const auto stored = put(store, key, bytes_of(key));
        const auto read = get(store, key);
        findings.expect(stored && read && *read == bytes_of(key), "the key \"" + key + "\" works",
                        outcome_of(stored));
    }
}

void reopened(const decltype(StorageFixture::open)& open, Findings& findings) {
    const Bytes bytes = random_bytes(300'000, 5);
    {
        const auto store = open();
        if (!findings.expect(store.has_value(), "the store opens", outcome_of(store))) {
            return;
        }
        const auto stored = put(**store, "reopen/object", bytes);
        findings.expect(stored.has_value(), "put() succeeds", outcome_of(stored));
    }
    const auto store = open();
    if (findings.expect(store.has_value(), "the store opens again", outcome_of(store))) {
        const auto read = get(**store, "reopen/object");
        findings.expect(read && *read == bytes, "get() gives the bytes that were put",
                        outcome_of(read));
    }
}

}  // namespace

void add_object_checks(const StorageFixture& fixture, std::vector<ConformanceCheck>& checks) {
    checks.push_back(check(fixture,
                           {"an absent object is not found, and removing it succeeds",
                            "storage.hpp, ObjectStore::get(), stat() and remove()",
                            "translate the store's own answer for an absent object into "
                            "Errc::not_found, and into success for remove()"},
                           absent_object));
    checks.push_back(
        check(fixture,
              {"an object without bytes is an object", "storage.hpp, \"Whole objects\"",
               "treat size 0 like any other size"},
              [](auto& store, auto& findings) { round_trip(store, findings, "zero/object", {}); }));
    checks.push_back(check(
        fixture,
        {"an object of 20 MB comes back byte for byte", "storage.hpp, ObjectStore::put() and get()",
         "read the source to its end, and write every byte of the range to the sink, in order"},
        [](auto& store, auto& findings) {
            round_trip(store, findings, "large/object", random_bytes(kLarge + 1, 1));
        }));
    checks.push_back(
        check(fixture,
              {"ranges are exact at both ends and refused beyond",
               "storage.hpp, Range and ObjectStore::get()",
               "compare offset and length with the object's size first (beware of the sum "
               "overflowing) and answer Errc::invalid_argument beyond it; do not clamp"},
              ranges));
    checks.push_back(
        check(fixture,
              {"an error of the sink ends the transfer", "bytes.hpp, ByteSink::write()",
               "return the sink's error as it is and do not call it again"},
              sink_error));
    checks.push_back(check(fixture,
                           {"a removed object is gone at once", "storage.hpp, \"Read after write\"",
                            "return from remove() once the store has confirmed it; keep no cache"},
                           removal));
    checks.push_back(check(
        fixture,
        {"keys of the contract work, others are refused by every call",
         "storage.hpp, on keys; object_key.hpp",
         "call check_key() first in every call, and map keys to the store's names without loss"},
        keys));
    checks.push_back(
        {.promise =
             {"a store that is opened again has the same objects", "storage.hpp, \"Durable\"",
              "keep nothing in memory only; derive where objects are from the configuration alone"},
         .body = [open = fixture.open](Findings& findings) { reopened(open, findings); }});
}

}  // namespace openarchiver::testkit::storage
