#include <exception>
#include <valijson/adapters/boost_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "profile/json_text.hpp"
#include "profile/schema_check.hpp"

namespace openarchiver::profile {

namespace {

/// From `<root>`, `[sources]`, `[0]` to `/sources/0`.
std::string pointer_of(const std::vector<std::string>& context) {
    std::string pointer;
    for (const std::string& step : context) {
        if (step.size() >= 2 && step.front() == '[' && step.back() == ']') {
            std::string_view key = std::string_view(step).substr(1, step.size() - 2);
            if (key.size() >= 2 && key.front() == '"' && key.back() == '"') {
                key = key.substr(1, key.size() - 2);
            }
            pointer = child_pointer(pointer, key);
        }
    }
    return pointer;
}

void compile(const boost::json::value& schema, valijson::Schema& compiled) {
    valijson::SchemaParser parser;
    parser.populateSchema(valijson::adapters::BoostJsonAdapter(schema), compiled);
}

}  // namespace

std::optional<std::string> schema_fault(const boost::json::value& schema) {
    try {
        valijson::Schema compiled;
        compile(schema, compiled);
        return std::nullopt;
    } catch (const std::exception& exception) {
        return exception.what();
    }
}

std::vector<Problem> arbitrate(const boost::json::value& schema,
                               const boost::json::value& document) {
    std::vector<Problem> problems;
    try {
        valijson::Schema compiled;
        compile(schema, compiled);
        valijson::Validator validator;
        valijson::ValidationResults results;
        if (validator.validate(compiled, valijson::adapters::BoostJsonAdapter(document),
                               &results)) {
            return problems;
        }
        for (const auto& error : results) {
            problems.push_back(
                {pointer_of(error.context), "does not match the schema: " + error.description,
                 "compare with the output of: openarchiver profile schema", Severity::error});
        }
        if (problems.empty()) {
            problems.push_back({"", "does not match the schema", "", Severity::error});
        }
    } catch (const std::exception& exception) {
        problems.push_back(
            {"",
             std::string("the schema of a plugin's configuration is invalid: ") + exception.what(),
             "report it to the plugin's author", Severity::error});
    }
    return problems;
}

}  // namespace openarchiver::profile
