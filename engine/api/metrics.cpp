#include "api/metrics.hpp"

#include <boost/json.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "export/time_filter.hpp"

namespace openarchiver::api {

namespace json = boost::json;

namespace {

constexpr std::string_view kStates[] = {"pending", "importing", "active",
                                        "paused",  "attention", "error"};

const json::value& member(const json::value& object, std::string_view name) {
    static const json::value nothing;
    const auto* const members = object.if_object();
    const auto* const found = members != nullptr ? members->if_contains(name) : nullptr;
    return found != nullptr ? *found : nothing;
}

std::string escaped(const json::value& text) {
    std::string out;
    if (!text.is_string()) {
        return out;
    }
    for (const char c : text.get_string()) {
        if (c == '\n') {
            out += "\\n";
        } else {
            if (c == '"' || c == '\\') {
                out += '\\';
            }
            out += c;
        }
    }
    return out;
}

/// One metric with the samples of all sources, as the format wants it.
class Metric {
public:
    Metric(std::string_view name, std::string_view type, std::string_view help)
        : name_("openarchiver_" + std::string(name)) {
        text_ = "# HELP " + name_ + " " + std::string(help) + "\n# TYPE " + name_ + " " +
                std::string(type) + "\n";
    }

    void sample(const std::string& labels, const json::value& value) {
        if (value.is_number()) {
            samples_ += name_ + labels + " " + json::serialize(value) + "\n";
        }
    }

    [[nodiscard]] std::string text() const { return samples_.empty() ? "" : text_ + samples_; }

private:
    std::string name_;
    std::string text_;
    std::string samples_;
};

json::value seconds_of(const json::value& time) {
    if (!time.is_string()) {
        return nullptr;
    }
    const auto parsed = exporter::parse_time(time.get_string());
    return parsed ? json::value(parsed->time_since_epoch().count() / 1000) : json::value();
}

}  // namespace

std::string to_metrics(const json::value& status) {
    Metric state("source_status", "gauge", "1 for the status that the source has.");
    Metric items("source_items", "gauge", "Items archived of the source.");
    Metric failures("source_failures", "gauge", "Failures that need a person.");
    Metric lag("source_lag_seconds", "gauge", "Time since the end of the last good run.");
    Metric expiry("source_credentials_expire_timestamp_seconds", "gauge",
                  "When the source's credential stops working.");
    Metric unexplained("source_unexplained_items", "gauge",
                       "Items upstream that the archive can't account for.");
    std::vector<std::pair<std::string, Metric>> counters;
    if (const auto* sources = member(status, "sources").if_array(); sources != nullptr) {
        for (const json::value& source : *sources) {
            const std::string label = "source=\"" + escaped(member(source, "id")) + "\"";
            for (const std::string_view name : kStates) {
                state.sample("{" + label + ",status=\"" + std::string(name) + "\"}",
                             member(source, "status") == json::value(name) ? 1 : 0);
            }
            const std::string labels = "{" + label + "}";
            items.sample(labels, member(source, "items"));
            failures.sample(labels, member(source, "failures"));
            lag.sample(labels, member(source, "lag_seconds"));
            expiry.sample(labels, seconds_of(member(source, "credentials_expire_at")));
            unexplained.sample(labels, member(member(source, "coverage"), "unexplained"));
            if (const auto* metrics = member(source, "metrics").if_object(); metrics != nullptr) {
                Metric counter("source_events_total", "counter",
                               "What the provider counted since the source was opened, by name.");
                for (const auto& [name, value] : *metrics) {
                    counter.sample("{" + label + ",name=\"" + escaped(json::value(name)) + "\"}",
                                   value);
                }
                counters.emplace_back(label, std::move(counter));
            }
        }
    }
    std::string text = state.text() + items.text() + failures.text() + lag.text() + expiry.text() +
                       unexplained.text();
    bool first = true;
    for (const auto& [label, counter] : counters) {
        std::string one = counter.text();
        if (!first && !one.empty()) {  // HELP and TYPE stand once
            one.erase(0, one.find('\n', one.find('\n') + 1) + 1);
        }
        first = first && one.empty();
        text += one;
    }
    Metric free("storage_free_bytes", "gauge",
                "Free space of the archive's store, the catalog's volume.");
    Metric total("storage_total_bytes", "gauge",
                 "Size of the archive's store, the catalog's volume.");
    for (const char* const store : {"archive", "catalog"}) {
        const json::value& space = member(member(status, "storage"), store);
        const std::string labels = "{store=\"" + std::string(store) + "\"}";
        free.sample(labels, member(space, "free_bytes"));
        total.sample(labels, member(space, "total_bytes"));
    }
    Metric failing("notification_target_failing", "gauge",
                   "1 for targets that the last notification did not reach.");
    Metric sent("notification_target_sent_timestamp_seconds", "gauge",
                "When the target was last reached.");
    if (const auto* targets = member(status, "notifications").if_array(); targets != nullptr) {
        for (const json::value& target : *targets) {
            const std::string labels = "{target=\"" + escaped(member(target, "id")) + "\"}";
            failing.sample(labels, member(target, "failing_since").is_null() ? 0 : 1);
            sent.sample(labels, seconds_of(member(target, "sent_at")));
        }
    }
    text += free.text() + total.text() + failing.text() + sent.text();
    const auto alone = [&](std::string_view name, std::string_view help, const json::value& value) {
        Metric metric(name, "gauge", help);
        metric.sample("", value);
        text += metric.text();
    };
    const json::value& archive = member(status, "archive");
    alone("archive_items", "Items in the archive.", member(archive, "items"));
    alone("archive_bytes", "Bytes of all versions of items.", member(archive, "bytes"));
    alone("archive_stored_bytes", "Bytes of the packs.", member(archive, "bytes_stored"));
    alone("head_timestamp_seconds", "When the newest head was signed.",
          seconds_of(member(member(member(status, "evidence"), "head"), "time")));
    const json::value& verify = member(status, "verify");
    if (verify.is_object()) {
        alone("verify_damage", "1 while damage that verify found is not known to be repaired.",
              member(verify, "damage").is_null() ? 0 : 1);
        alone("verify_timestamp_seconds", "When the last verify ended.",
              seconds_of(member(member(verify, "last"), "at")));
    }
    alone("start_timestamp_seconds", "When the service started.",
          seconds_of(member(member(status, "service"), "started_at")));
    return text;
}

}  // namespace openarchiver::api
