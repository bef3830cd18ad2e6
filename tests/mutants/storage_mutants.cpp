// The object store in memory, right but for the mistake that it is told to make.
#include <algorithm>
#include <array>
#include <chrono>
#include <openarchiver/sdk/object_key.hpp>
#include <openarchiver/testkit/memory_object_store.hpp>
#include <openarchiver/testkit/storage_checks.hpp>
#include <thread>

#include "mutants.hpp"

namespace openarchiver::tests {

namespace {

using namespace std::chrono_literals;
using sdk::Errc;
using sdk::Error;
using sdk::PutMode;
using testkit::Bytes;

/// What a connection to the store has beside the objects.
using Objects = std::shared_ptr<testkit::MemoryObjects>;

class LimitedSink final : public sdk::ObjectListSink {
public:
    LimitedSink(sdk::ObjectListSink& inner, std::size_t limit) : inner_(inner), left_(limit) {}

    bool object(const sdk::ObjectInfo& info) override { return inner_.object(info) && --left_ > 0; }

private:
    sdk::ObjectListSink& inner_;
    std::size_t left_;
};

class Store final : public sdk::ObjectStore {
public:
    Store(Objects objects, std::string_view mistake)
        : inner_(std::move(objects)), mistake_(mistake) {}

    [[nodiscard]] sdk::StorageCapabilities capabilities() const override {
        return inner_.capabilities();
    }

    sdk::Status put(std::string_view key, sdk::ByteSource& source, PutMode mode,
                    std::stop_token stop) override;
    sdk::Status get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                    std::stop_token stop) override;
    sdk::Result<sdk::ObjectInfo> stat(std::string_view key, std::stop_token stop) override;
    sdk::Status list(std::string_view prefix, std::string_view start_after,
                     sdk::ObjectListSink& sink, std::stop_token stop) override;
    sdk::Status remove(std::string_view key, std::stop_token stop) override;

    sdk::Result<sdk::Capacity> capacity(std::stop_token stop) override {
        return inner_.capacity(stop);
    }

    sdk::Status lock(std::string_view key, sdk::Timestamp until, std::stop_token stop) override;
    sdk::Status hold(std::string_view key, bool held, std::stop_token stop) override;

    sdk::Result<sdk::Protection> protection(std::string_view key, std::stop_token stop) override {
        return inner_.protection(key, stop);
    }

private:
    [[nodiscard]] bool is(std::string_view mistake) const { return mistake_ == mistake; }

    sdk::Status store(std::string_view key, Bytes bytes, PutMode mode) {
        testkit::MemorySource source(std::move(bytes));
        return inner_.put(key, source, mode, {});
    }

    testkit::MemoryObjectStore inner_;
    std::string_view mistake_;
};

sdk::Status Store::put(std::string_view key, sdk::ByteSource& source, PutMode mode,
                       std::stop_token stop) {
    if (is("looks_first") && mode == PutMode::if_absent) {
        if (inner_.stat(key, stop)) {
            return Error{.code = Errc::already_exists, .message = "it is there"};
        }
        return inner_.put(key, source, PutMode::replace, stop);
    }
    if (is("if_absent_replaces")) {
        const bool there = inner_.stat(key, {}).has_value();
        const sdk::Status done = inner_.put(key, source, PutMode::replace, stop);
        return done && there && mode == PutMode::if_absent
                   ? sdk::Status(Error{.code = Errc::already_exists, .message = "it was there"})
                   : done;
    }
    if (is("replace_ignored") && mode == PutMode::replace && inner_.stat(key, {})) {
        return sdk::is_key(key) ? sdk::Status() : inner_.put(key, source, mode, stop);
    }
    if (is("any_key") && key.find(' ') != std::string_view::npos) {
        return {};
    }
    const bool reads_itself = is("keeps_what_came") || is("size_not_compared") ||
                              is("visible_early") || is("short_read_ends") || is("drops_last") ||
                              is("put_deaf") || is("source_error_hidden") ||
                              is("empty_is_absent") || is("overwrites_in_place");
    if (!reads_itself) {
        return inner_.put(key, source, mode,
                          is("token_not_asked_first") ? std::stop_token() : stop);
    }
    OPENARCHIVER_CHECK(sdk::check_key(key));
    if (stop.stop_requested()) {
        return Error{.code = Errc::cancelled, .message = "stopped"};
    }
    if (mode == PutMode::if_absent && inner_.stat(key, {})) {
        return Error{.code = Errc::already_exists, .message = "it is there"};
    }
    Bytes bytes;
    Bytes buffer(65536);
    while (true) {
        const auto count = source.read(buffer);
        if (!count) {
            if (is("keeps_what_came")) {
                static_cast<void>(store(key, bytes, mode));
            }
            if (is("source_error_hidden")) {
                return Error{.code = Errc::internal, .message = "the put failed"};
            }
            return count.error();
        }
        bytes.insert(bytes.end(), buffer.begin(),
                     buffer.begin() + static_cast<std::ptrdiff_t>(*count));
        if (*count == 0 || (is("short_read_ends") && *count < buffer.size())) {
            break;
        }
        if (stop.stop_requested() && !is("put_deaf")) {
            if (is("keeps_what_came")) {
                static_cast<void>(store(key, bytes, mode));
            }
            return Error{.code = Errc::cancelled, .message = "stopped"};
        }
        if (is("visible_early")) {
            static_cast<void>(store(key, bytes, PutMode::replace));
        }
    }
    if (bytes.size() != source.size() && !is("size_not_compared") && !is("short_read_ends")) {
        return Error{.code = Errc::invalid_argument, .message = "not as long as it says"};
    }
    if (is("drops_last") && bytes.size() > (1U << 20U)) {
        bytes.pop_back();
    }
    if (is("empty_is_absent") && bytes.empty()) {
        return {};
    }
    if (is("overwrites_in_place") && inner_.stat(key, {})) {
        testkit::CollectingSink before;
        static_cast<void>(inner_.get(key, {}, before, {}));
        Bytes mixed = before.bytes();
        std::copy_n(bytes.begin(), std::min(bytes.size() / 2, mixed.size()), mixed.begin());
        static_cast<void>(store(key, std::move(mixed), PutMode::replace));
        std::this_thread::sleep_for(1ms);
    }
    return store(key, std::move(bytes), is("visible_early") ? PutMode::replace : mode);
}

sdk::Status Store::get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                       std::stop_token stop) {
    if (is("absent_is_empty")) {
        const sdk::Status done = inner_.get(key, range, sink, stop);
        return testkit::failed_with(done, Errc::not_found) ? sdk::Status() : done;
    }
    sdk::Range used = range;
    const auto info = inner_.stat(key, {});
    if (info && (is("clamps_ranges") || is("sum_overflows"))) {
        const std::uint64_t end = range.offset + range.length.value_or(0);  // may overflow
        if (is("clamps_ranges") || (end <= info->size && range.length)) {
            used.offset = std::min(range.offset, info->size);
            if (range.length) {
                used.length = std::min(*range.length, info->size - used.offset);
            }
        }
    }
    if (info && is("range_off_by_one") && range.offset > 0 && range.length.value_or(0) > 1) {
        used.length = *range.length - 1;
    }
    if (!is("sink_error_ignored") && !is("get_deaf")) {
        return inner_.get(key, used, sink, stop);
    }
    testkit::CollectingSink all;
    OPENARCHIVER_CHECK(inner_.get(key, used, all, stop));
    for (std::size_t at = 0; at < all.bytes().size(); at += 65536) {
        const auto piece = std::span(all.bytes()).subspan(at);
        const sdk::Status written =
            sink.write(piece.first(std::min<std::size_t>(65536, piece.size())));
        if (!written && !is("sink_error_ignored")) {
            return written;
        }
    }
    return {};
}

sdk::Result<sdk::ObjectInfo> Store::stat(std::string_view key, std::stop_token stop) {
    auto info = inner_.stat(key, stop);
    if (info && is("sizes_are_zero")) {
        info->size = 0;
    }
    if (info && is("never_modified")) {
        info->modified_at = {};
    }
    return info;
}

sdk::Status Store::list(std::string_view prefix, std::string_view start_after,
                        sdk::ObjectListSink& sink, std::stop_token stop) {
    if (is("one_page_only")) {
        LimitedSink page(sink, 1000);
        return inner_.list(prefix, start_after, page, stop);
    }
    if (is("list_deaf")) {
        return inner_.list(prefix, start_after, sink, {});
    }
    if (is("last_key_again") && !start_after.empty()) {
        if (const auto info = inner_.stat(start_after, {}); info && !sink.object(*info)) {
            return {};
        }
    }
    if (!is("prefix_is_folder") && !is("folder_order") && !is("stop_of_sink_ignored")) {
        return inner_.list(prefix, start_after, sink, stop);
    }
    std::vector<std::string> keys;
    for (const auto& [key, object] : inner_.objects().all()) {
        const bool below = is("prefix_is_folder") && !prefix.empty() && !prefix.ends_with('/')
                               ? key == prefix || key.starts_with(std::string(prefix) + "/")
                               : key.starts_with(prefix);
        if (below && key > start_after) {
            keys.push_back(key);
        }
    }
    if (is("folder_order")) {
        std::ranges::sort(keys, {}, [](std::string key) {
            std::ranges::replace(key, '/', '\x01');
            return key;
        });
    }
    for (const std::string& key : keys) {
        if (stop.stop_requested()) {
            return Error{.code = Errc::cancelled, .message = "stopped"};
        }
        if (const auto info = inner_.stat(key, {});
            info && !sink.object(*info) && !is("stop_of_sink_ignored")) {
            break;
        }
    }
    return {};
}

sdk::Status Store::remove(std::string_view key, std::stop_token stop) {
    if (is("remove_forgets_nothing")) {
        return inner_.stat(key, stop) || sdk::is_key(key) ? sdk::Status()
                                                          : inner_.remove(key, stop);
    }
    if (is("absent_remove_fails")) {
        OPENARCHIVER_CHECK(inner_.stat(key, stop));
    }
    const sdk::Status removed = inner_.remove(key, stop);
    if (testkit::failed_with(removed, Errc::permission_denied)) {
        if (is("refusal_hidden")) {
            return {};
        }
        if (is("locked_for_show") || is("refused_and_gone")) {
            static_cast<void>(store(key, {}, PutMode::replace));  // as good as a removal
            return is("locked_for_show") ? sdk::Status() : removed;
        }
    }
    return removed;
}

sdk::Status Store::lock(std::string_view key, sdk::Timestamp until, std::stop_token stop) {
    if (is("offers_in_vain")) {
        return Error{.code = Errc::unsupported, .message = "not here"};
    }
    if (is("lock_forgotten")) {
        return inner_.protection(key, stop) ? sdk::Status() : inner_.lock(key, until, stop);
    }
    if (is("locks_what_is_absent") && sdk::is_key(key) && !inner_.stat(key, stop)) {
        return {};
    }
    if (is("shortens")) {
        if (const auto info = inner_.protection(key, stop); info && info->locked_until) {
            testkit::CollectingSink sink;
            static_cast<void>(inner_.get(key, {}, sink, stop));
            static_cast<void>(store(key, sink.bytes(), PutMode::replace));  // is not locked
        }
    }
    if (is("keeps_first_lock")) {
        if (const auto info = inner_.protection(key, stop); info && info->locked_until) {
            return {};
        }
    }
    return inner_.lock(key, is("locks_for_ever") ? until + std::chrono::years(100) : until, stop);
}

sdk::Status Store::hold(std::string_view key, bool held, std::stop_token stop) {
    if (is("hold_stays") && !held) {
        return inner_.stat(key, stop) ? sdk::Status() : inner_.hold(key, held, stop);
    }
    if (is("hold_ends_lock") && !held) {
        testkit::CollectingSink sink;
        OPENARCHIVER_CHECK(inner_.get(key, {}, sink, stop));
        return store(key, sink.bytes(), PutMode::replace);
    }
    return inner_.hold(key, held, stop);
}

}  // namespace

const std::vector<Mutant>& storage_mutants() {
    static const std::vector<Mutant> mutants = {
        {"looks_first", "looks whether the key is free, then stores", "exactly one succeeds"},
        {"if_absent_replaces", "answers already_exists and replaces all the same",
         "if-absent refuses"},
        {"replace_ignored", "keeps the earlier object", "if-absent refuses"},
        {"overwrites_in_place", "writes over the object that readers read", "never sees a mix"},
        {"visible_early", "an object grows before everybody's eyes", "has all bytes"},
        {"keeps_what_came", "keeps what it got before the source failed", "fails half-way"},
        {"source_error_hidden", "answers with an error of its own", "fails half-way"},
        {"size_not_compared", "takes sources of any length", "as long as announced"},
        {"short_read_ends", "takes a short read for the end", "few bytes at a time"},
        {"drops_last", "loses the last byte of a large object", "20 MB"},
        {"empty_is_absent", "does not keep objects without bytes", "without bytes"},
        {"any_key", "takes keys that others can't have", "keys of the contract"},
        {"token_not_asked_first", "stores although it was stopped", "before a call"},
        {"put_deaf", "a put that nothing ends", "put() notices"},
        {"get_deaf", "a get that nothing ends", "get() notices"},
        {"list_deaf", "a listing that nothing ends", "list() notices"},
        {"absent_is_empty", "an absent object is an empty one", "an absent object"},
        {"absent_remove_fails", "removing what is not there fails", "an absent object"},
        {"remove_forgets_nothing", "says removed and keeps the object", "gone at once"},
        {"clamps_ranges", "gives what there is of a range", "ranges are exact"},
        {"sum_overflows", "adds offset and length without a thought", "ranges are exact"},
        {"range_off_by_one", "a range ends one byte early", "ranges are exact"},
        {"sink_error_ignored", "goes on after its sink failed", "error of the sink"},
        {"sizes_are_zero", "stat() tells no size", "20 MB"},
        {"never_modified", "stat() tells no time", "20 MB"},
        {"one_page_only", "lists the first thousand objects", "byte order"},
        {"folder_order", "lists folder by folder: a/b before a-b", "byte order"},
        {"prefix_is_folder", "takes a prefix for a folder", "byte order"},
        {"last_key_again", "reports start_after once more", "goes on from its last key"},
        {"stop_of_sink_ignored", "goes on after its sink wants no more",
         "goes on from its last key"},
        {"lock_forgotten", "says locked and locks nothing", "a locked object stays"},
        {"locked_for_show", "tells a lock and removes all the same", "a locked object stays"},
        {"refused_and_gone", "refuses a removal after it was made", "a locked object stays"},
        {"refusal_hidden", "says removed of what is locked", "a locked object stays"},
        {"shortens", "the last lock counts, not the longest", "a locked object stays"},
        {"keeps_first_lock", "says extended and keeps the first lock", "a locked object stays"},
        {"locks_for_ever", "a lock that does not end in time", "a locked object stays"},
        {"locks_what_is_absent", "locks what is not there", "a locked object stays"},
        {"offers_in_vain", "offers locks and has none", "a locked object stays"},
        {"hold_stays", "says that a hold is off and leaves it on", "a held object stays"},
        {"hold_ends_lock", "takes the lock off with the hold", "a held object stays"},
        {"forgets_at_close", "keeps objects as long as it is open", "opened again"},
    };
    return mutants;
}

std::vector<testkit::Verdict> run_storage(std::string_view mutant) {
    const auto objects = std::make_shared<testkit::MemoryObjects>();
    const auto checks =
        testkit::storage_checks({.open = [&]() -> sdk::Result<std::unique_ptr<sdk::ObjectStore>> {
            const bool forgets = mutant == "forgets_at_close";
            return std::make_unique<Store>(
                forgets ? std::make_shared<testkit::MemoryObjects>() : objects, mutant);
        }});
    std::vector<testkit::Verdict> verdicts;
    std::ranges::transform(checks, std::back_inserter(verdicts), verdict_of);
    return verdicts;
}

}  // namespace openarchiver::tests
