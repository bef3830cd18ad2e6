#include "pipeline/progress.hpp"

#include <boost/json.hpp>

#include "catalog/iso_time.hpp"

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

namespace {

json::object error_object(const sdk::Error& error) {
    json::object object{{"code", sdk::to_string(error.code)}, {"message", error.message}};
    if (!error.service_code.empty()) {
        object["service_code"] = error.service_code;
    }
    if (!error.request_id.empty()) {
        object["request_id"] = error.request_id;
    }
    return object;
}

}  // namespace

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
        {"credentials_expire_at", nullptr},
        {"metrics", json::object(report.metrics.begin(), report.metrics.end())},
    };
    json::array problems;
    for (const sdk::Error& problem : report.problems) {
        problems.push_back(error_object(problem));
    }
    document["problems"] = std::move(problems);
    if (report.credentials_expire) {
        document["credentials_expire_at"] = catalog::iso_time(*report.credentials_expire);
    }
    if (report.error) {
        document["error"] = error_object(*report.error);
    }
    // Boost.JSON writes 12.3 as 1.23E1: right, but not what people want to read.
    const auto tenths = (report.duration.count() + 50) / 100;
    std::string text = json::serialize(document);
    text.insert(text.size() - 1,
                ",\"seconds\":" + std::to_string(tenths / 10) + "." + std::to_string(tenths % 10));
    return text;
}

std::vector<sdk::Error> problems_of(std::string_view report_json) {
    std::vector<sdk::Error> problems;
    json::error_code failure;
    const json::value report = json::parse(report_json, failure);
    const json::value* list =
        !failure && report.is_object() ? report.get_object().if_contains("problems") : nullptr;
    if (list == nullptr || !list->is_array()) {
        return problems;
    }
    for (const json::value& entry : list->get_array()) {
        if (!entry.is_object()) {
            continue;
        }
        const auto text = [&entry](std::string_view name) {
            const json::value* value = entry.get_object().if_contains(name);
            return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                          : std::string();
        };
        sdk::Error problem;
        const std::string code = text("code");
        for (int i = 0; i <= static_cast<int>(sdk::Errc::internal); ++i) {
            if (sdk::to_string(static_cast<sdk::Errc>(i)) == code) {
                problem.code = static_cast<sdk::Errc>(i);
            }
        }
        problem.message = text("message");
        problem.service_code = text("service_code");
        problem.request_id = text("request_id");
        problems.push_back(std::move(problem));
    }
    return problems;
}

}  // namespace openarchiver::pipeline
