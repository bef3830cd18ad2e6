// list(): order, prefixes, start_after, early end.
#include <algorithm>

#include "storage_suite.hpp"

namespace openarchiver::testkit::storage {

namespace {

/// Keys whose order differs between "folder by folder" and "byte by byte": '-' and '.' sort before
/// '/', digits and letters after. No key is a folder of another one: file systems can't have that.
std::vector<std::string> tricky_keys(const std::string& prefix) {
    std::vector<std::string> keys;
    for (const char* key : {"a-b", "a--", "a.b", "a/b", "a/c/d", "a/c-d", "a/c.d", "a/c0", "a/-",
                            "a0", "a1/b", "a_b", "ab/c", "ab.", "b", "a.b.c/d", "a-b-c/d"}) {
        keys.push_back(prefix + key);
    }
    return keys;
}

/// All keys below "listing/", sorted.
std::vector<std::string> all_keys() {
    std::vector<std::string> keys = tricky_keys("listing/");
    for (int i = 0; i < 1'100; ++i) {
        keys.push_back("listing/many/" + std::to_string(i % 7) + "/" + std::to_string(i));
    }
    std::ranges::sort(keys);
    return keys;
}

void expect_listing(sdk::ObjectStore& store, Findings& findings,
                    const std::vector<std::string>& keys, const std::string& prefix,
                    const std::string& start_after) {
    std::vector<std::string> wanted;
    std::ranges::copy_if(keys, std::back_inserter(wanted), [&](const std::string& key) {
        return key.starts_with(prefix) && key > start_after;
    });
    const auto seen = list(store, prefix, start_after);
    findings.expect(seen && *seen == wanted,
                    "list(\"" + prefix + "\", after \"" + start_after + "\") gives its " +
                        std::to_string(wanted.size()) + " keys in byte order",
                    seen ? std::to_string(seen->size()) + " keys" : outcome_of(seen));
}

void order(sdk::ObjectStore& store, Findings& findings) {
    const std::vector<std::string> keys = all_keys();
    if (!put_all(store, keys, findings)) {
        return;
    }
    for (const char* prefix :
         {"listing/", "listing", "listing/a", "listing/a/", "listing/a-", "listing/a.b",
          "listing/a/c", "listing/many/3/", "listing/many/3/1", "listing/nothing", "listing/a/b",
          "listing/a/b/", "listing/../listing/", "listing//", "/listing/"}) {
        expect_listing(store, findings, keys, prefix, "");
    }
    for (const std::string& start_after : tricky_keys("listing/")) {
        expect_listing(store, findings, keys, "listing/", start_after);
        expect_listing(store, findings, keys, "listing/a", start_after);
    }
    for (const char* start_after :
         {"listing/a", "listing/a/", "listing/a/c", "listing/a/zzz", "listing/many/3",
          "listing/many/3/", "listing/many/3/500", "listing/zzz", "a", "zzz"}) {
        expect_listing(store, findings, keys, "listing/", start_after);
    }
}

class LimitedSink final : public sdk::ObjectListSink {
public:
    explicit LimitedSink(std::size_t limit) : limit_(limit) {}

    bool object(const sdk::ObjectInfo& info) override {
        keys.push_back(info.key);
        sizes_match = sizes_match && info.size == info.key.size();
        return keys.size() < limit_;
    }

    std::vector<std::string> keys;
    bool sizes_match = true;

private:
    std::size_t limit_;
};

void pages(sdk::ObjectStore& store, Findings& findings) {
    std::vector<std::string> keys = tricky_keys("pages/");
    std::ranges::sort(keys);
    if (!put_all(store, keys, findings)) {
        return;
    }
    std::vector<std::string> seen;
    while (seen.size() <= keys.size()) {
        LimitedSink sink(3);
        const auto listed = store.list("pages/", seen.empty() ? "" : seen.back(), sink, {});
        findings.expect(listed.has_value(), "a listing that its sink ends succeeds",
                        outcome_of(listed));
        findings.expect(sink.keys.size() <= 3, "a sink that wants no more is not called again",
                        std::to_string(sink.keys.size()) + " calls");
        findings.expect(sink.sizes_match, "a listing tells the size of each object");
        if (sink.keys.empty()) {
            break;
        }
        seen.insert(seen.end(), sink.keys.begin(), sink.keys.end());
    }
    findings.expect(seen == keys, "page by page, a listing gives every key once",
                    std::to_string(seen.size()) + " of " + std::to_string(keys.size()));
}

}  // namespace

void add_listing_checks(const StorageFixture& fixture, std::vector<ConformanceCheck>& checks) {
    checks.push_back(
        check(fixture,
              {"a listing of 1,100 objects is in byte order of their keys",
               "storage.hpp, ObjectStore::list()",
               "compare whole keys byte by byte ('-' and '.' come before '/'), read every page of "
               "the store's own listing, and take the prefix as text, not as a folder"},
              order));
    checks.push_back(check(fixture,
                           {"a listing ends early and goes on from its last key",
                            "storage.hpp, ObjectStore::list() and ObjectListSink::object()",
                            "leave out keys up to and including start_after; when the sink answers "
                            "false, return success and do not call it again"},
                           pages));
}

}  // namespace openarchiver::testkit::storage
