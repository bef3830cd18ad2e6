#include "conformance/schema_checks.hpp"

#include <boost/json.hpp>
#include <optional>

namespace openarchiver::conformance {

namespace {

using testkit::Findings;

const std::set<std::string_view> kVocabulary = {
    "type",        "properties", "required",  "additionalProperties",
    "enum",        "pattern",    "minimum",   "maximum",
    "items",       "oneOf",      "format",    "title",
    "description", "default",    "writeOnly", "x-order"};

void check_vocabulary(const boost::json::value& schema, Findings& findings) {
    const boost::json::object* const object = schema.if_object();
    if (!findings.expect(object != nullptr, "a schema is an object")) {
        return;
    }
    for (const auto& [key, value] : *object) {
        findings.expect(kVocabulary.contains(key), "only keywords of the SDK's vocabulary",
                        std::string_view(key));
        if (key == "properties") {
            for (const auto& property : value.as_object()) {
                check_vocabulary(property.value(), findings);
            }
        } else if (key == "items") {
            check_vocabulary(value, findings);
        } else if (key == "oneOf") {
            for (const boost::json::value& choice : value.as_array()) {
                check_vocabulary(choice, findings);
            }
        }
    }
}

bool is_secret(const boost::json::object& property) {
    const boost::json::value* const mark = property.if_contains("writeOnly");
    return mark != nullptr && mark->is_bool() && mark->get_bool();
}

void check_form(const boost::json::object& schema,
                const std::optional<std::set<std::string>>& secrets, Findings& findings) {
    findings.expect(schema.contains("properties"), "the schema has properties");
    findings.expect(schema.contains("additionalProperties") &&
                        schema.at("additionalProperties") == boost::json::value(false),
                    "the schema refuses unknown keys");
    std::set<std::int64_t> places;
    std::set<std::string> marked;
    for (const auto& [name, value] : schema.at("properties").as_object()) {
        const boost::json::object& property = value.as_object();
        const std::string shown(name);
        findings.expect(property.contains("title"), "each property has a title", shown);
        findings.expect(property.contains("description"), "each property has a description", shown);
        const boost::json::value* const order = property.if_contains("x-order");
        findings.expect(
            order != nullptr && order->is_int64() && places.insert(order->get_int64()).second,
            "each property has a place of its own in the form", shown);
        if (is_secret(property)) {
            marked.insert(shown);
        }
    }
    findings.expect(!secrets || marked == *secrets,
                    "secrets, and nothing else, are marked writeOnly");
}

std::vector<testkit::ConformanceCheck> checks_of(
    std::string_view schema, const std::optional<std::set<std::string>>& secrets) {
    const std::string text(schema);
    return {
        {.promise = {"the configuration's schema is JSON of the SDK's vocabulary",
                     "provider.hpp, Provider::config_schema()",
                     "use the keywords that the header lists, and no others"},
         .body =
             [text](Findings& findings) { check_vocabulary(boost::json::parse(text), findings); }},
        {.promise = {"the configuration's schema makes a form and marks the secrets",
                     "provider.hpp, Provider::config_schema()",
                     "give each property a title, a description and an x-order of its own, refuse "
                     "additional properties, and mark secrets with writeOnly"},
         .body = [text, secrets](Findings& findings) {
             check_form(boost::json::parse(text).as_object(), secrets, findings);
         }}};
}

}  // namespace

std::vector<testkit::ConformanceCheck> schema_checks(std::string_view schema) {
    return checks_of(schema, std::nullopt);
}

std::vector<testkit::ConformanceCheck> schema_checks(std::string_view schema,
                                                     const std::set<std::string>& secrets) {
    return checks_of(schema, secrets);
}

}  // namespace openarchiver::conformance
