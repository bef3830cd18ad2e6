#include "service/source_check.hpp"

#include <boost/json.hpp>
#include <utility>

#include "pipeline/progress.hpp"

namespace openarchiver::service {

namespace json = boost::json;

std::string_view outcome_name(sdk::CheckOutcome outcome) {
    switch (outcome) {
        case sdk::CheckOutcome::pass:
            return "pass";
        case sdk::CheckOutcome::fail:
            return "fail";
        case sdk::CheckOutcome::unknown:
            return "unknown";
    }
    return "unknown";
}

ExitCode exit_code(const std::vector<sdk::Check>& checks) {
    std::vector<pipeline::SyncReport> reports;
    for (const sdk::Check& check : checks) {
        if (check.outcome == sdk::CheckOutcome::fail) {
            pipeline::SyncReport& report = reports.emplace_back();
            report.error = sdk::Error{.code = check.code, .message = check.detail};
        }
    }
    return exit_code(reports);
}

json::value check_document(std::string_view source, const std::vector<sdk::Check>& checks) {
    json::array list;
    for (const sdk::Check& check : checks) {
        json::object one{{"name", check.name},
                         {"outcome", outcome_name(check.outcome)},
                         {"detail", check.detail},
                         {"remedy", check.remedy},
                         {"code", nullptr}};
        if (check.outcome == sdk::CheckOutcome::fail) {
            one["code"] = sdk::to_string(check.code);
        }
        list.push_back(std::move(one));
    }
    return {{"source", source},
            {"passed", exit_code(checks) == ExitCode::done},
            {"checks", std::move(list)}};
}

}  // namespace openarchiver::service
