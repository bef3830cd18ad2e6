#include "service/audit.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <charconv>
#include <unordered_set>
#include <utility>

#include "archive/digest.hpp"
#include "archive/random.hpp"
#include "files/shared_file.hpp"
#include "service/documents.hpp"

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr std::size_t kTogether = 500;  // events in a segment
constexpr std::size_t kLongestDetail = 16384;

Error unwritten(const std::filesystem::path& file) {
    const int code = errno;
    return {code == ENOSPC ? Errc::resource_exhausted : Errc::permission_denied,
            "the audit trail can't be written, so nothing is done or shown: " + file.string() +
                ": " + std::generic_category().message(code) +
                "; whoever uses the archive needs write access to the catalog's folder"};
}

Status append_lines(const std::filesystem::path& file, const std::filesystem::path& lock_file,
                    std::string_view lines) {
    const files::FileLock lock(lock_file);
    if (!lock.held()) {
        return unwritten(lock_file);
    }
    const files::FileDescriptor journal(files::open_shared(file, O_RDWR | O_APPEND));
    if (journal.get() < 0) {
        return unwritten(file);
    }
    // A line that a crash cut off must not take the next one with it.
    const off_t end = ::lseek(journal.get(), 0, SEEK_END);
    char last = '\n';
    if (end > 0 && ::pread(journal.get(), &last, 1, end - 1) != 1) {
        return unwritten(file);
    }
    if ((last != '\n' && !files::write_all(journal.get(), "\n")) ||
        !files::write_all(journal.get(), lines) || ::fdatasync(journal.get()) != 0) {
        return unwritten(file);
    }
    return {};
}

std::string line_of(const catalog::Event& event) {
    const std::string block = catalog::encode({"", "", {event}});
    return block.substr(block.find('\n') + 1);
}

std::vector<catalog::Event> events_of(std::string_view text) {
    static const std::string head = [] {
        const std::string block = catalog::encode({"", "", {}});
        return block;
    }();
    std::vector<catalog::Event> events;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto group = catalog::decode(head + std::string(text.substr(0, end)));
        text.remove_prefix(std::min(end + 1, text.size()));
        if (group && group->events.size() == 1 &&
            std::holds_alternative<catalog::Audited>(group->events.front().body)) {
            events.push_back(std::move(group->events.front()));
        }
    }
    return events;
}

bool fits(const catalog::AuditFilter& filter, sdk::Timestamp at, const catalog::Audited& entry) {
    return (filter.by.empty() || filter.by == entry.by) &&
           (filter.action.empty() || filter.action == entry.action) &&
           (filter.object.empty() || filter.object == entry.object) &&
           (!filter.since || at >= *filter.since) && (!filter.until || at < *filter.until);
}

json::value entry_value(sdk::Timestamp at, const catalog::Audited& entry) {
    json::error_code broken;
    json::value detail = json::parse(entry.detail, broken);
    return {{"id", entry.id},
            {"at", iso_time(at)},
            {"by", entry.by},
            {"role", entry.role},
            {"action", entry.action},
            {"object", entry.object},
            {"detail", broken || !detail.is_object() ? json::value(json::object()) : detail}};
}

}  // namespace

AuditJournal::AuditJournal(const std::filesystem::path& catalog_folder)
    : file_(catalog_folder / "audit.journal"), lock_file_(catalog_folder / "audit.lock") {}

Status AuditJournal::append(Act act, const sdk::Clock& clock) {
    std::string detail = json::serialize(act.detail);
    if (detail.size() > kLongestDetail) {
        detail = json::serialize(json::object{{"too_long", detail.size()}});
    }
    const catalog::Event event{sdk::timestamp_of(clock),
                               catalog::Audited{.id = archive::to_hex(archive::random_bytes<16>()),
                                                .by = std::move(act.by),
                                                .role = std::move(act.role),
                                                .action = std::move(act.action),
                                                .object = std::move(act.object),
                                                .detail = std::move(detail)}};
    std::unique_lock lock(mutex_);
    const auto batch = next_;
    batch->lines += line_of(event);
    while (!batch->done) {
        if (writing_ || batch != next_) {
            written_.wait(lock);
            continue;
        }
        writing_ = true;
        next_ = std::make_shared<Batch>();
        lock.unlock();
        Status status = append_lines(file_, lock_file_, batch->lines);
        lock.lock();
        writing_ = false;
        batch->status = std::move(status);
        batch->done = true;
        written_.notify_all();
    }
    return batch->status;
}

Result<std::vector<catalog::Event>> AuditJournal::waiting() const {
    return events_of(files::read_shared(file_));
}

bool AuditJournal::empty() const {
    std::error_code none;
    return std::filesystem::file_size(file_, none) == 0 || none;
}

Status AuditJournal::move_into(pipeline::Committer& committer, std::stop_token stop) {
    if (empty()) {
        return {};
    }
    std::string text;
    {
        const files::FileLock lock(lock_file_);
        if (!lock.held()) {
            return unwritten(lock_file_);
        }
        text = files::read_shared(file_);
    }
    auto events = events_of(text);
    for (std::size_t at = 0; at < events.size(); at += kTogether) {
        std::vector<pipeline::Entry> entries;
        for (std::size_t i = at; i < std::min(at + kTogether, events.size()); ++i) {
            entries.emplace_back().event = std::move(events[i]);
        }
        OPENARCHIVER_CHECK(committer.put_together(std::move(entries), stop));
    }
    const files::FileLock lock(lock_file_);
    if (!lock.held()) {
        return unwritten(lock_file_);
    }
    // What came meanwhile stays. After a crash before this, the same entries are taken again, which
    // changes nothing: they have ids.
    const std::string rest = files::read_shared(file_).substr(text.size());
    if (!files::replace_file(file_, rest)) {
        return unwritten(file_);
    }
    return {};
}

Result<std::string> audit_document(catalog::CatalogReader& catalog, const AuditJournal& journal,
                                   const catalog::AuditFilter& filter, std::string_view after,
                                   std::size_t limit) {
    std::int64_t before = 0;
    const auto [end, code] = std::from_chars(after.data(), after.data() + after.size(), before);
    if (!after.empty() &&
        (code != std::errc{} || end != after.data() + after.size() || before <= 0)) {
        return Error{Errc::invalid_argument, "\"after\" is the \"next\" of a page before"};
    }
    json::array entries;
    std::unordered_set<std::string> shown;
    if (after.empty()) {
        // Before the catalog is asked: what is taken over in between is in both, not in neither.
        OPENARCHIVER_TRY(auto waiting, journal.waiting());
        std::ranges::reverse(waiting);
        for (const auto& [at, body] : waiting) {
            const auto& entry = std::get<catalog::Audited>(body);
            if (fits(filter, at, entry) && shown.insert(entry.id).second) {
                entries.push_back(entry_value(at, entry));
            }
        }
    }
    OPENARCHIVER_TRY(const auto records, catalog.audit(filter, before, limit));
    for (const catalog::AuditRecord& record : records) {
        if (!shown.contains(record.entry.id)) {
            entries.push_back(entry_value(record.at, record.entry));
        }
    }
    json::value next = nullptr;
    if (records.size() == limit) {
        next = std::to_string(records.back().key);
    }
    return json::serialize(
        json::object{{"entries", std::move(entries)}, {"next", std::move(next)}});
}

}  // namespace openarchiver::service
