#include "service/run_progress.hpp"

#include <boost/json.hpp>
#include <utility>

namespace openarchiver::service {

namespace json = boost::json;

namespace {

/// The members of a progress document that are counts, by name.
struct CountMember {
    std::string_view name;
    std::uint64_t pipeline::SyncCounts::* member;
};

constexpr CountMember kCounts[] = {
    {"discovered", &pipeline::SyncCounts::discovered},
    {"up_to_date", &pipeline::SyncCounts::up_to_date},
    {"importing", &pipeline::SyncCounts::importing},
    {"without_mailbox", &pipeline::SyncCounts::without_mailbox},
    {"excluded", &pipeline::SyncCounts::excluded},
    {"closed_by_policy", &pipeline::SyncCounts::closed_by_policy},
    {"deleted_upstream", &pipeline::SyncCounts::deleted_upstream},
    {"failed_accounts", &pipeline::SyncCounts::failed_accounts},
    {"new", &pipeline::SyncCounts::new_items},
    {"changed", &pipeline::SyncCounts::changed},
    {"unchanged", &pipeline::SyncCounts::unchanged},
    {"moved", &pipeline::SyncCounts::moved},
    {"left", &pipeline::SyncCounts::left},
    {"gone_before_fetch", &pipeline::SyncCounts::gone_before_fetch},
    {"failed", &pipeline::SyncCounts::failed_items},
    {"reconstructed", &pipeline::SyncCounts::reconstructed},
    {"failed_folders", &pipeline::SyncCounts::failed_folders},
    {"archived_bytes", &pipeline::SyncCounts::archived_bytes},
    {"expected", &pipeline::SyncCounts::expected_items},
};

json::value seconds_value(const std::optional<std::chrono::seconds>& time) {
    return time ? json::value(time->count()) : json::value();
}

std::uint64_t count(const json::object& object, std::string_view name) {
    const json::value* const value = object.if_contains(name);
    boost::system::error_code ignored;
    return value != nullptr && value->is_number() ? value->to_number<std::uint64_t>(ignored) : 0;
}

}  // namespace

std::string to_json(const std::vector<SourceProgress>& progress) {
    json::array sources;
    for (const SourceProgress& source : progress) {
        json::object object{{"id", source.source},
                            {"throttled", source.throttled},
                            {"bytes_downloaded", source.bytes_downloaded},
                            {"elapsed_ms", source.elapsed.count()},
                            {"finished", source.finished},
                            {"seconds_left", seconds_value(source.forecast.left)}};
        json::array under_way;
        for (const pipeline::Forecast::Account& account : source.forecast.accounts) {
            under_way.push_back({{"account", account.id},
                                 {"done", account.done},
                                 {"expected", account.expected},
                                 {"seconds_left", seconds_value(account.left)}});
        }
        object["accounts_under_way"] = std::move(under_way);
        for (const auto& [name, member] : kCounts) {
            object[name] = source.counts.*member;
        }
        sources.push_back(std::move(object));
    }
    return json::serialize(json::object{{"sources", std::move(sources)}});
}

std::vector<SourceProgress> parse_progress(std::string_view json_text) {
    std::vector<SourceProgress> progress;
    boost::system::error_code failure;
    const json::value document = json::parse({json_text.data(), json_text.size()}, failure);
    const json::object* const object = failure ? nullptr : document.if_object();
    const json::value* const sources = object ? object->if_contains("sources") : nullptr;
    if (sources == nullptr || !sources->is_array()) {
        return progress;
    }
    for (const json::value& value : sources->get_array()) {
        const json::object* const source = value.if_object();
        const json::value* const id = source ? source->if_contains("id") : nullptr;
        if (id == nullptr || !id->is_string()) {
            continue;
        }
        SourceProgress one;
        one.source = std::string_view(id->get_string());
        one.throttled = count(*source, "throttled");
        one.bytes_downloaded = count(*source, "bytes_downloaded");
        one.elapsed = std::chrono::milliseconds(count(*source, "elapsed_ms"));
        if (const json::value* const left = source->if_contains("seconds_left");
            left != nullptr && left->is_number()) {
            one.forecast.left = std::chrono::seconds(count(*source, "seconds_left"));
        }
        const json::value* const finished = source->if_contains("finished");
        one.finished = finished != nullptr && finished->is_bool() && finished->get_bool();
        for (const auto& [name, member] : kCounts) {
            one.counts.*member = count(*source, name);
        }
        progress.push_back(std::move(one));
    }
    return progress;
}

RunProgress::RunProgress(std::string source, const plugin::CounterMetrics& metrics)
    : source_(std::move(source)),
      started_(std::chrono::steady_clock::now()),
      before_(metrics.snapshot()),
      metrics_(&metrics) {
    last_.source = source_;
}

void RunProgress::read_metrics() {
    const plugin::CounterMetrics::Counters now = metrics_->snapshot();
    const auto since_start = [&](std::string_view name) -> std::uint64_t {
        const auto found = now.find(name);
        const auto before = before_.find(name);
        return (found == now.end() ? 0 : found->second) -
               (before == before_.end() ? 0 : before->second);
    };
    last_.throttled = since_start("throttled");
    last_.bytes_downloaded = since_start("bytes_downloaded");
    last_.elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - started_);
}

void RunProgress::finish() {
    const std::lock_guard lock(mutex_);
    read_metrics();
    last_.finished = true;
    metrics_ = nullptr;
}

SourceProgress RunProgress::snapshot() {
    const std::lock_guard lock(mutex_);
    if (metrics_ != nullptr) {
        read_metrics();
    }
    last_.counts = counts_.snapshot();
    last_.forecast = last_.finished ? pipeline::Forecast::View() : counts_.forecast().view();
    return last_;
}

void ProgressBoard::add(std::shared_ptr<RunProgress> run) {
    const std::lock_guard lock(mutex_);
    runs_.push_back(std::move(run));
}

std::vector<SourceProgress> ProgressBoard::snapshot() const {
    const std::lock_guard lock(mutex_);
    std::vector<SourceProgress> all;
    for (const auto& run : runs_) {
        all.push_back(run->snapshot());
    }
    return all;
}

}  // namespace openarchiver::service
