#include "pipeline/progress.hpp"

#include <boost/json.hpp>

namespace openarchiver::pipeline {

namespace json = boost::json;

std::string_view to_string(SourceStatus status) noexcept {
    switch (status) {
        case SourceStatus::pending:
            return "pending";
        case SourceStatus::importing:
            return "importing";
        case SourceStatus::active:
            return "active";
        case SourceStatus::paused:
            return "paused";
        case SourceStatus::attention:
            return "attention";
        case SourceStatus::error:
            return "error";
    }
    return "error";
}

std::string to_json(const SyncReport& report) {
    const auto& c = report.counts;
    const auto metric = [&](std::string_view name) -> std::uint64_t {
        const auto found = report.metrics.find(name);
        return found == report.metrics.end() ? 0 : found->second;
    };
    json::object document{
        {"id", report.source},
        {"status", to_string(report.status)},
        {"accounts", json::object{{"discovered", c.discovered},
                                  {"up_to_date", c.up_to_date},
                                  {"importing", c.importing},
                                  {"without_mailbox", c.without_mailbox},
                                  {"excluded", c.excluded},
                                  {"closed_by_policy", c.closed_by_policy},
                                  {"deleted_upstream", c.deleted_upstream},
                                  {"failed", c.failed_accounts}}},
        {"items", json::object{{"new", c.new_items},
                               {"changed", c.changed},
                               {"unchanged", c.unchanged},
                               {"moved", c.moved},
                               {"left", c.left},
                               {"gone_before_fetch", c.gone_before_fetch},
                               {"failed", c.failed_items},
                               {"reconstructed", c.reconstructed}}},
        {"requests", metric("requests")},
        {"throttled", metric("throttled")},
        {"bytes_downloaded", metric("bytes_downloaded")},
        {"outstanding_failures", report.outstanding_failures},
    };
    if (report.error) {
        json::object error{{"code", sdk::to_string(report.error->code)},
                           {"message", report.error->message}};
        if (!report.error->service_code.empty()) {
            error["service_code"] = report.error->service_code;
        }
        if (!report.error->request_id.empty()) {
            error["request_id"] = report.error->request_id;
        }
        document["error"] = std::move(error);
    }
    // Boost.JSON writes 12.3 as 1.23E1: right, but not what people want to read.
    const auto tenths = (report.duration.count() + 50) / 100;
    std::string text = json::serialize(document);
    text.insert(text.size() - 1,
                ",\"seconds\":" + std::to_string(tenths / 10) + "." + std::to_string(tenths % 10));
    return text;
}

}  // namespace openarchiver::pipeline
