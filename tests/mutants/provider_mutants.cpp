// A provider of a service in memory, right but for the mistake that it is told to make.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <map>
#include <mutex>
#include <openarchiver/sdk/provider.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <openarchiver/testkit/provider_checks.hpp>
#include <set>
#include <stdexcept>
#include <thread>

#include "mutants.hpp"

namespace openarchiver::tests {

namespace {

using namespace std::chrono_literals;
using sdk::Errc;
using sdk::Error;
using sdk::Flow;

constexpr std::string_view kSecret = "the-secret-of-the-service";
constexpr std::size_t kPage = 10;
constexpr std::uint32_t kFormat = 7;

struct Entry {
    std::uint64_t sequence = 0;
    std::string folder;
    std::string item;
    int revision = 0;
    int flags = 0;
    bool left = false;
};

/// One account with two folders, and a list of changes.
class Upstream {
public:
    Upstream() {
        for (int i = 0; i < 45; ++i) {
            add("inbox", "item-" + std::to_string(i), 1);
        }
        add("done", "item-0", 1);
        add("done", "item-45", 1);
    }

    void add(const std::string& folder, const std::string& item, int revision, int flags = 0) {
        entries.push_back({++sequence, folder, item, revision, flags, false});
    }

    void leave(const std::string& folder, const std::string& item) {
        entries.push_back({++sequence, folder, item, 0, 0, true});
    }

    void forget() {
        for (Entry& entry : entries) {
            entry.sequence += 1000;
        }
        sequence += 1000;
    }

    std::vector<Entry> entries;
    std::uint64_t sequence = 0;
    std::set<std::string> broken;
    bool down = false;
    bool silent = false;
};

class TextReader final : public sdk::ByteReader {
public:
    TextReader(std::string text, bool short_end) : text_(std::move(text)), short_end_(short_end) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        std::size_t count = std::min(buffer.size(), text_.size() - position_);
        if (short_end_ && position_ > 0) {
            count = 0;
        }
        std::memcpy(buffer.data(), text_.data() + position_, count);
        position_ += count;
        return count;
    }

private:
    std::string text_;
    std::size_t position_ = 0;
    bool short_end_;
};

Error cancelled() {
    return {.code = Errc::cancelled, .message = "stopped"};
}

class Session final : public sdk::ProviderSession {
public:
    Session(Upstream& upstream, std::string_view mistake, sdk::Logger& logger)
        : upstream_(upstream), mistake_(mistake) {
        if (is("secret_logged")) {
            logger.log(sdk::LogLevel::debug, "opened", {{"authorization", kSecret}});
        }
    }

    [[nodiscard]] sdk::SessionLimits limits() const override {
        return {.accounts_in_parallel = 1, .readers_per_account = 2};
    }

    sdk::Result<std::vector<sdk::Check>> check(std::stop_token stop) override {
        OPENARCHIVER_CHECK(ready(stop));
        sdk::Check check{.name = "service reachable", .outcome = sdk::CheckOutcome::pass};
        if (is("preflight_cries_wolf")) {
            check.outcome = sdk::CheckOutcome::fail;
        }
        return std::vector{check};
    }

    sdk::Result<sdk::Listing> discover(const std::optional<sdk::Cursor>& cursor,
                                       sdk::AccountSink& sink, std::stop_token stop) override {
        if (cursor) {
            return expired();
        }
        OPENARCHIVER_CHECK(ready(stop));
        if (upstream_.down) {
            return sdk::Listing{};  // outage_is_empty: ready() let it through
        }
        const std::string id =
            is("account_id_counts") ? "ada-" + std::to_string(++counter_) : std::string("ada");
        for (int times = is("account_twice") ? 2 : 1; times > 0; --times) {
            if (sink.account({.id = id, .address = "ada@example.org"}) == Flow::stop) {
                return cancelled();
            }
        }
        return sdk::Listing{};
    }

    sdk::Result<sdk::FolderListing> list_folders(const std::string& account,
                                                 const std::optional<sdk::Cursor>& cursor,
                                                 sdk::FolderSink& sink,
                                                 std::stop_token stop) override {
        if (cursor) {
            return expired();
        }
        OPENARCHIVER_CHECK(ready(stop));
        if (!account.starts_with("ada")) {
            return not_found();
        }
        for (const char* name : {"inbox", "done"}) {
            sdk::Folder folder{.id = name, .display_name = name};
            if (is("orphan_folder")) {
                folder.parent_id = "never reported";
            }
            if (sink.folder(folder) == Flow::stop && !is("folder_stop_ignored")) {
                return cancelled();
            }
        }
        return sdk::FolderListing{};
    }

    sdk::Status sync_folder(const std::string&, const std::string& folder,
                            const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                            std::stop_token stop) override;

    sdk::Result<std::unique_ptr<sdk::ByteReader>> open_content(const std::string&,
                                                               const std::string& item,
                                                               std::stop_token stop) override {
        OPENARCHIVER_CHECK(ready(stop));
        if (is("lock_held")) {
            const std::lock_guard held(one_at_a_time_);
        }
        const Entry* newest = nullptr;
        for (const Entry& entry : upstream_.entries) {
            if (entry.item == upstream_id(item) && !entry.left) {
                newest = &entry;
            }
        }
        if (newest == nullptr) {
            return not_found();
        }
        if (upstream_.broken.contains(newest->item)) {
            return Error{.code = is("broken_is_outage") ? Errc::unavailable : Errc::corrupt,
                         .message = "the service can't deliver it"};
        }
        std::string text(70'000, 'x');
        text += newest->item + " " + std::to_string(newest->revision);
        if (is("content_has_time")) {
            text += std::to_string(++counter_);
        }
        return std::make_unique<TextReader>(std::move(text), is("short_read_ends"));
    }

    sdk::Result<std::unique_ptr<sdk::ByteReader>> reconstruct_content(
        const std::string& account, const std::string& item, const Error& why,
        std::stop_token stop) override {
        if (!is("reconstruction_differs")) {
            return ProviderSession::reconstruct_content(account, item, why, stop);
        }
        return std::make_unique<TextReader>(std::to_string(++counter_), false);
    }

    sdk::Status probe(const std::string& account, std::stop_token stop) override {
        OPENARCHIVER_CHECK(ready(stop));
        return account.starts_with("ada") ? sdk::Status() : sdk::Status(not_found());
    }

    sdk::Result<sdk::WebhookAnswer> webhook(const sdk::WebhookRequest& request,
                                            std::stop_token stop) override {
        if (!is("strangers_believed")) {
            return ProviderSession::webhook(request, stop);
        }
        return sdk::WebhookAnswer{};
    }

    sdk::Result<sdk::Estimate> estimate(std::stop_token stop) override {
        if (!is("estimate_invents")) {
            return ProviderSession::estimate(stop);
        }
        return sdk::Estimate{.accounts = 5};
    }

private:
    [[nodiscard]] bool is(std::string_view mistake) const { return mistake_ == mistake; }

    [[nodiscard]] Error not_found() const {
        return {.code = is("unknown_is_outage") ? Errc::unavailable : Errc::not_found,
                .message = is("secret_in_error") ? "no such thing for " + std::string(kSecret)
                                                 : std::string("no such thing")};
    }

    static Error expired() {
        return {.code = Errc::cursor_expired, .message = "the cursor is of another format"};
    }

    /// Whether the service answers.
    sdk::Status ready(const std::stop_token& stop) {
        if (stop.stop_requested() && !is("token_not_asked_first")) {
            return cancelled();
        }
        while (upstream_.silent) {
            if (is("silence_waited_out")) {
                std::this_thread::sleep_for(4s);
                break;
            }
            if (stop.stop_requested()) {
                return cancelled();
            }
            std::this_thread::sleep_for(10ms);
        }
        if (upstream_.down && !is("outage_is_empty")) {
            return Error{.code = is("outage_is_not_found") ? Errc::not_found : Errc::unavailable,
                         .message = "the service is down"};
        }
        return {};
    }

    std::string id_of(const Entry& entry) {
        if (is("ids_count")) {
            return entry.item + "#" + std::to_string(++counter_);
        }
        if (is("id_follows_folder")) {
            return entry.folder + "/" + entry.item;
        }
        return is("empty_id") ? "" : entry.item;
    }

    [[nodiscard]] std::string upstream_id(const std::string& id) const {
        const std::size_t slash = id.find('/');
        const std::string name = slash == std::string::npos ? id : id.substr(slash + 1);
        return name.substr(0, name.find('#'));
    }

    std::string tag_of(const Entry& entry) {
        std::string tag = std::to_string(entry.revision);
        if (is("tag_follows_flags")) {
            tag += "." + std::to_string(entry.flags);
        }
        if (is("tag_has_time")) {
            tag += "." + std::to_string(++counter_);
        }
        return is("change_missed") ? "1" : tag;
    }

    sdk::Cursor cursor_at(std::uint64_t sequence) {
        std::string value = std::to_string(sequence);
        if (is("cursor_in_session")) {
            value = std::to_string(positions_.size());
            positions_.push_back(sequence);
        }
        if (is("cursor_too_large")) {
            value = std::string(70'000, ' ') + value;
        }
        return {.format = kFormat, .value = value};
    }

    sdk::Result<std::uint64_t> position_of(const std::optional<sdk::Cursor>& cursor) {
        if (!cursor || is("cursor_ignored")) {
            return std::uint64_t{0};
        }
        if (cursor->format != kFormat) {
            if (is("format_ignored")) {
                return std::uint64_t{0};
            }
            return expired();
        }
        const std::uint64_t value = std::stoull(cursor->value);
        if (is("cursor_in_session")) {
            return value < positions_.size() ? positions_[value] : upstream_.sequence;
        }
        if (value < upstream_.entries.front().sequence) {
            if (is("expiry_hidden")) {
                return upstream_.sequence;
            }
            return expired();
        }
        return is("resumes_too_late") ? value + 1 : value;
    }

    std::vector<Entry> changes(const std::string& folder, std::uint64_t since);
    sdk::Status report(const Entry& entry, sdk::ItemSink& sink);

    Upstream& upstream_;
    std::string_view mistake_;
    std::uint64_t counter_ = 0;
    std::vector<std::uint64_t> positions_;
    std::mutex one_at_a_time_;
    std::jthread late_;
    std::vector<std::jthread> crowd_;
};

std::vector<Entry> Session::changes(const std::string& folder, std::uint64_t since) {
    std::map<std::string, Entry> newest;
    for (const Entry& entry : upstream_.entries) {
        if (entry.folder == folder) {
            newest[entry.item] = entry;
        }
    }
    std::vector<Entry> changes;
    for (const auto& [item, entry] : newest) {
        if (entry.sequence > since && !(entry.left && since == 0)) {
            changes.push_back(entry);
        }
    }
    std::ranges::sort(changes, {}, &Entry::sequence);
    return changes;
}

sdk::Status Session::report(const Entry& entry, sdk::ItemSink& sink) {
    if (entry.left) {
        return is("removal_lost") || sink.item_left(id_of(entry)) == Flow::proceed
                   ? sdk::Status()
                   : sdk::Status(cancelled());
    }
    if (is("second_folder_lost") && entry.folder == "done" && entry.sequence > 47 &&
        entry.item == "item-9") {
        return {};
    }
    if (upstream_.broken.contains(entry.item) && is("bad_item_stops")) {
        return Error{.code = Errc::corrupt, .message = "the service can't deliver it"};
    }
    const sdk::Item item{.id = id_of(entry), .content_tag = tag_of(entry)};
    return sink.item(item) == Flow::proceed || is("stop_ignored") ? sdk::Status()
                                                                  : sdk::Status(cancelled());
}

sdk::Status Session::sync_folder(const std::string&, const std::string& folder,
                                 const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                                 std::stop_token stop) {
    OPENARCHIVER_TRY(std::uint64_t position, position_of(cursor));
    OPENARCHIVER_CHECK(ready(stop));
    if (is("throws")) {
        throw std::runtime_error("not thought of");
    }
    if (folder != "inbox" && folder != "done") {
        return not_found();
    }
    std::unique_lock held(one_at_a_time_, std::defer_lock);
    if (is("lock_held")) {
        held.lock();
    }
    const std::vector<Entry> changes =
        upstream_.down ? std::vector<Entry>() : this->changes(folder, position);
    if (is("crowds_the_sink") && !changes.empty()) {
        for (std::size_t i = 0; i < 200; ++i) {
            crowd_.emplace_back([this, &sink, &changes] { (void)report(changes.front(), sink); });
        }
        crowd_.clear();
    }
    std::size_t reported = 0;
    for (const Entry& entry : changes) {
        if (is("checkpoint_early") && reported % kPage == 0) {
            const std::size_t last = std::min(reported + kPage, changes.size()) - 1;
            if (sink.checkpoint(cursor_at(changes[last].sequence)) == Flow::stop) {
                return cancelled();
            }
        }
        OPENARCHIVER_CHECK(report(entry, sink));
        if (stop.stop_requested() && !is("token_not_asked_between")) {
            return cancelled();
        }
        position = entry.sequence;
        if (++reported % kPage == 0 && !is("checkpoint_early") &&
            sink.checkpoint(cursor_at(position)) == Flow::stop) {
            return cancelled();
        }
    }
    if (is("late_event")) {
        late_ = std::jthread([&sink] {
            std::this_thread::sleep_for(200ms);
            static_cast<void>(sink.item({.id = "late"}));
        });
    }
    if (is("no_last_checkpoint")) {
        return {};
    }
    return sink.checkpoint(cursor_at(position)) == Flow::stop ? sdk::Status(cancelled())
                                                              : sdk::Status();
}

}  // namespace

const std::vector<Mutant>& provider_mutants() {
    static const std::vector<Mutant> mutants = {
        {"account_id_counts", "account ids differ at each discovery", "account ids"},
        {"account_twice", "an account is reported twice", "account ids"},
        {"orphan_folder", "a folder's parent is never reported", "folder ids"},
        {"folder_stop_ignored", "goes on after its folder sink said stop", "answers stop"},
        {"preflight_cries_wolf", "a preflight that fails where all is well", "preflight"},
        {"strangers_believed", "takes a notification without proof", "stranger"},
        {"estimate_invents", "an estimate of accounts that are not there", "estimate"},
        {"format_ignored", "reads cursors of any format", "unknown format"},
        {"cursor_too_large", "cursors grow without bound", "their sizes"},
        {"empty_id", "items without an id", "their sizes"},
        {"ids_count", "item ids follow the order of the listing", "the same twice"},
        {"tag_has_time", "content tags differ at each listing", "the same twice"},
        {"checkpoint_early", "a cursor before the items that it covers", "every checkpoint"},
        {"resumes_too_late", "begins one item after the cursor", "every checkpoint"},
        {"no_last_checkpoint", "no cursor at the end of a listing", "the same twice"},
        {"cursor_ignored", "lists everything whatever the cursor", "nothing new comes"},
        {"cursor_in_session", "a cursor means something to its session only", "an item is added"},
        {"short_read_ends", "what does not fit into the first buffer is lost", "same at each"},
        {"content_has_time", "bytes differ at each reading", "same at each"},
        {"reconstruction_differs", "a reconstruction with a counter in it", "a reconstruction"},
        {"unknown_is_outage", "what is not there is called an outage", "unknown ids"},
        {"lock_held", "holds a lock while it calls the sink", "items can be read"},
        {"secret_logged", "logs the header with the secret", "no secret"},
        {"secret_in_error", "an error with the secret in it", "no secret"},
        {"stop_ignored", "goes on after its item sink said stop", "answers stop"},
        {"token_not_asked_first", "sends its first request before it asks the token",
         "before a call"},
        {"token_not_asked_between", "asks the token at the beginning only", "blocked in its sink"},
        {"late_event", "a thread that reports after the call returned",
         "after a call has returned"},
        {"crowds_the_sink", "two hundred calls wait in the sink", "blocked in its sink"},
        {"throws", "an exception leaves the plugin", "the same twice"},
        {"change_missed", "the content tag stays when the content changes", "an item is edited"},
        {"tag_follows_flags", "the content tag changes with a flag", "an item is flagged"},
        {"id_follows_folder", "a moved item gets another id", "an item is moved"},
        {"removal_lost", "does not report what left", "an item is removed"},
        {"second_folder_lost", "reports an item in one folder only", "a second folder"},
        {"bad_item_stops", "a folder fails because of one item", "one bad item"},
        {"broken_is_outage", "a broken item is called an outage", "one bad item"},
        {"expiry_hidden", "goes on from now where a cursor has expired", "old changes"},
        {"outage_is_empty", "an outage looks like an empty source", "an outage"},
        {"outage_is_not_found", "an outage makes everything seem gone", "an outage"},
        {"silence_waited_out", "waits for an answer, whatever the token says", "silent"},
    };
    return mutants;
}

std::vector<testkit::Verdict> run_provider(std::string_view mutant) {
    std::vector<testkit::Verdict> verdicts;
    for (std::size_t number = 0;; ++number) {
        // Everything is made anew for each check, as a fixture does.
        Upstream upstream;
        testkit::HostFixture host;
        const auto checks = testkit::provider_checks(
            {.open = [&]() -> sdk::Result<std::unique_ptr<sdk::ProviderSession>> {
                 return std::make_unique<Session>(upstream, mutant, host.logger);
             },
             .changes = {{"an item is added", testkit::Effect::item_added,
                          [&] { upstream.add("inbox", "item-new", 1); }},
                         {"an item is removed", testkit::Effect::item_removed,
                          [&] { upstream.leave("inbox", "item-3"); }},
                         {"an item is moved", testkit::Effect::item_moved,
                          [&] {
                              upstream.add("done", "item-4", 1);
                              upstream.leave("inbox", "item-4");
                          }},
                         {"an item is edited", testkit::Effect::item_changed,
                          [&] { upstream.add("inbox", "item-5", 2); }},
                         {"an item is flagged", testkit::Effect::nothing,
                          [&] { upstream.add("inbox", "item-6", 1, 1); }},
                         {"an item is in a second folder", testkit::Effect::item_placed,
                          [&] { upstream.add("done", "item-9", 1); }},
                         {"an item breaks", testkit::Effect::item_broken,
                          [&] { upstream.broken.insert("item-7"); }},
                         {"old changes are forgotten", testkit::Effect::cursors_expired,
                          [&] { upstream.forget(); }},
                         {"the service is down", testkit::Effect::outage,
                          [&] { upstream.down = true; }},
                         {"it does not answer", testkit::Effect::silence,
                          [&] { upstream.silent = true; }}},
             .logger = &host.logger,
             .secrets = {std::string(kSecret)}});
        if (number == checks.size()) {
            return verdicts;
        }
        verdicts.push_back(verdict_of(checks[number]));
    }
}

}  // namespace openarchiver::tests
