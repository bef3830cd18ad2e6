#include "profile/schema_check.hpp"

#include <algorithm>
#include <array>
#include <boost/json/serialize.hpp>
#include <optional>
#include <regex>
#include <utility>

#include "profile/json_text.hpp"
#include "profile/nearest.hpp"
#include "profile/schema_words.hpp"

namespace openarchiver::profile {

namespace {

namespace json = boost::json;

/// std::regex recurses by the character: longer texts are not matched but refused.
constexpr std::size_t kMaxText = 4096;

bool has_errors(const Findings& findings) {
    return std::ranges::any_of(findings.problems, [](const Problem& problem) {
        return problem.severity == Severity::error;
    });
}

bool matches(const std::string& pattern, std::string_view text) {
    try {
        return std::regex_search(text.begin(), text.end(), std::regex(pattern));
    } catch (const std::regex_error&) {
        return true;  // the arbiter reports the schema
    }
}

class DocumentCheck {
public:
    explicit DocumentCheck(const plugin::PluginHost* plugins) : plugins_(plugins) {}

    void check(const json::value& schema, const json::value& value, const std::string& pointer,
               Findings& findings) const;

private:
    void check_type(const json::object& schema, const json::value& value,
                    const std::string& pointer, Findings& findings) const;
    void check_secret(const json::value& value, const std::string& pointer,
                      Findings& findings) const;
    void check_plugin(std::string_view kind, const json::value& value, const std::string& pointer,
                      Findings& findings) const;
    void check_choice(const json::object& schema, const json::value& value,
                      const std::string& pointer, Findings& findings) const;
    void check_string(const json::object& schema, std::string_view text, const std::string& pointer,
                      Findings& findings) const;
    void check_number(const json::object& schema, const json::value& value,
                      const std::string& pointer, Findings& findings) const;
    void check_array(const json::object& schema, const json::array& array,
                     const std::string& pointer, Findings& findings) const;
    void check_object(const json::object& schema, const json::object& object,
                      const std::string& pointer, Findings& findings) const;
    void check_combined(const json::object& schema, const json::value& value,
                        const std::string& pointer, Findings& findings) const;
    void check_alternatives(const json::array& branches, bool exactly_one, const json::value& value,
                            const std::string& pointer, Findings& findings) const;
    [[nodiscard]] Findings attempt(const json::value& schema, const json::value& value,
                                   const std::string& pointer) const;

    const plugin::PluginHost* plugins_;
};

void add_error(Findings& findings, const std::string& pointer, std::string message,
               std::string suggestion = {}) {
    findings.problems.push_back(
        {pointer, std::move(message), std::move(suggestion), Severity::error});
}

void append(Findings& findings, Findings more) {
    std::ranges::move(more.problems, std::back_inserter(findings.problems));
    std::ranges::move(more.secrets, std::back_inserter(findings.secrets));
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
    const std::string_view meant = nearest(word, known);
    return meant.empty() ? std::string() : "did you mean " + in_quotes(meant) + "?";
}

Findings DocumentCheck::attempt(const json::value& schema, const json::value& value,
                                const std::string& pointer) const {
    Findings findings;
    check(schema, value, pointer, findings);
    return findings;
}

void DocumentCheck::check(const json::value& schema, const json::value& value,
                          const std::string& pointer, Findings& findings) const {
    if (schema == json::value(false)) {
        add_error(findings, pointer, "must not be given here", "remove it");
        return;
    }
    const auto* object = schema.if_object();
    if (object == nullptr) {
        return;
    }
    if (const std::string_view why = text_in(*object, "x-unusable"); !why.empty()) {
        add_error(findings, pointer, std::string(why), "report it to the plugin's author");
        return;
    }
    if (const json::value* mark = object->if_contains("writeOnly");
        mark && mark->is_bool() && mark->get_bool()) {
        check_secret(value, pointer, findings);
        return;
    }
    if (!type_fits(*object, value)) {
        check_type(*object, value, pointer, findings);
        return;
    }
    if (const std::string_view kind = text_in(*object, "x-plugin-kind"); !kind.empty()) {
        check_plugin(kind, value, pointer, findings);
        return;
    }
    check_choice(*object, value, pointer, findings);
    if (const auto* text = value.if_string()) {
        check_string(*object, {text->data(), text->size()}, pointer, findings);
    } else if (value.is_number()) {
        check_number(*object, value, pointer, findings);
    } else if (const auto* array = value.if_array()) {
        check_array(*object, *array, pointer, findings);
    } else if (const auto* members = value.if_object()) {
        check_object(*object, *members, pointer, findings);
    }
    check_combined(*object, value, pointer, findings);
}

void DocumentCheck::check_type(const json::object& schema, const json::value& value,
                               const std::string& pointer, Findings& findings) const {
    std::vector<std::string> names;
    for (const std::string& type : types_in(schema)) {
        names.emplace_back(type_name(type));
    }
    const std::string wanted = joined(names, " or ");
    const std::string_view actual = type_of(value);

    std::string suggestion;
    if (wanted == "a string" && (value.is_number() || value.is_bool())) {
        suggestion = "put it in double quotes";
    } else if (value.is_string() && wanted != "an object" && wanted != "a list") {
        suggestion = "write it without quotes";
    } else if (wanted == "a list" && !value.is_null()) {
        suggestion = "put it in brackets: [ ... ]";
    } else if (wanted == "a string" && value.is_object() &&
               (value.get_object().contains("env") || value.get_object().contains("file"))) {
        suggestion = "only secrets may be references; write the value itself";
    } else if (const std::string_view help = help_of(schema); !help.empty()) {
        suggestion = "expected: " + std::string(help);
    }
    add_error(findings, pointer, "must be " + wanted + ", not " + std::string(type_name(actual)),
              std::move(suggestion));
}

void DocumentCheck::check_secret(const json::value& value, const std::string& pointer,
                                 Findings& findings) const {
    static const std::vector<std::string> kKinds{"env", "file"};
    constexpr std::string_view kForms = R"(write {"env": NAME} or {"file": PATH})";
    if (const auto* literal = value.if_string()) {
        if (literal->empty()) {
            add_error(findings, pointer, "the secret is empty", std::string(kForms));
            return;
        }
        findings.problems.push_back(
            {pointer,
             "the secret stands in the profile itself, where everybody who may read the "
             "profile reads it",
             std::string(kForms), Severity::warning});
        if (looks_like_secret_id({literal->data(), literal->size()})) {
            findings.problems.push_back(secret_id_warning(pointer));
        }
        findings.secrets.push_back(pointer);
        return;
    }
    const auto* reference = value.if_object();
    if (reference == nullptr) {
        add_error(findings, pointer,
                  "a secret must be a reference, not " + std::string(type_name(type_of(value))),
                  std::string(kForms));
        return;
    }
    const std::size_t errors = findings.problems.size();
    for (const auto& member : *reference) {
        const std::string_view key(member.key().data(), member.key().size());
        const std::string place = child_pointer(pointer, key);
        const json::string* text = member.value().if_string();
        if (std::ranges::find(kKinds, key) == kKinds.end()) {
            const std::string meant = did_you_mean(key, kKinds);
            add_error(findings, place, "unknown key " + in_quotes(key) + " in a secret reference",
                      meant.empty() ? std::string(kForms) : meant);
        } else if (text == nullptr || text->empty()) {
            add_error(findings, place, "must be a string that is not empty", std::string(kForms));
        } else if (key == "env" && !matches("^[A-Za-z_][A-Za-z0-9_]*$", text->subview(0, 256))) {
            // Not named: it may well be the secret itself.
            add_error(findings, place, "is not the name of an environment variable",
                      "give the variable's name, and the secret in the variable");
        }
    }
    if (findings.problems.size() == errors && reference->size() != 1) {
        add_error(findings, pointer,
                  reference->empty() ? "the secret reference is empty"
                                     : "\"env\" and \"file\" exclude each other",
                  std::string(kForms));
    }
    if (findings.problems.size() == errors) {
        findings.secrets.push_back(pointer);
    }
}

void DocumentCheck::check_plugin(std::string_view kind, const json::value& value,
                                 const std::string& pointer, Findings& findings) const {
    const auto* text = value.if_string();
    if (plugins_ == nullptr || text == nullptr) {
        return;
    }
    const std::string id(text->data(), std::min<std::size_t>(text->size(), 64));
    std::optional<sdk::Error> unknown;
    std::vector<std::string> known;
    if (kind == to_string(plugin::PluginKind::provider)) {
        if (auto found = plugins_->provider(id); !found) {
            unknown = found.error();
        }
    } else if (auto found = plugins_->storage_backend(id); !found) {
        unknown = found.error();
    }
    if (!unknown) {
        return;
    }
    for (const plugin::LoadedPlugin& loaded : plugins_->loaded()) {
        if (to_string(loaded.kind) == kind) {
            known.push_back(loaded.info.id);
        }
    }
    std::string suggestion = did_you_mean(id, known);
    if (suggestion.empty()) {
        suggestion =
            "install the plugin in one of the folders that were searched, or name its "
            "folder in plugins.path";
    }
    add_error(findings, pointer, unknown->message, std::move(suggestion));
}

void DocumentCheck::check_choice(const json::object& schema, const json::value& value,
                                 const std::string& pointer, Findings& findings) const {
    if (const json::value* constant = schema.if_contains("const");
        constant != nullptr && *constant != value) {
        add_error(findings, pointer, "must be " + json::serialize(*constant));
        return;
    }
    const json::value* choices = schema.if_contains("enum");
    if (choices == nullptr || !choices->is_array() ||
        std::ranges::find(choices->get_array(), value) != choices->get_array().end()) {
        return;
    }
    std::vector<std::string> list;
    for (const json::value& choice : choices->get_array()) {
        list.push_back(json::serialize(choice));
    }
    const auto* text = value.if_string();
    add_error(findings, pointer, "must be one of " + joined(list, ", "),
              text != nullptr ? did_you_mean({text->data(), text->size()}, texts_in(schema, "enum"))
                              : std::string());
}

void DocumentCheck::check_string(const json::object& schema, std::string_view text,
                                 const std::string& pointer, Findings& findings) const {
    if (text.size() > kMaxText) {
        add_error(findings, pointer, "is longer than " + std::to_string(kMaxText) + " bytes",
                  "no setting needs a text of this length");
        return;
    }
    const std::string_view help = help_of(schema);
    const std::string expected = help.empty() ? std::string() : "expected: " + std::string(help);
    const std::size_t length = characters(text);
    if (const auto least = limit_in(schema, "minLength"); least && length < *least) {
        add_error(findings, pointer,
                  text.empty() ? "must not be empty"
                               : "must have at least " + std::to_string(*least) + " characters",
                  expected);
    } else if (const auto most = limit_in(schema, "maxLength"); most && length > *most) {
        add_error(findings, pointer, "must have at most " + std::to_string(*most) + " characters",
                  expected);
    } else if (const std::string pattern(text_in(schema, "pattern"));
               !pattern.empty() && !matches(pattern, text)) {
        add_error(findings, pointer, "does not have the expected form",
                  expected.empty() ? "expected: a text that matches " + pattern : expected);
    }

    constexpr std::array<std::array<const char*, 3>, 3> kFormats{{
        {"uuid", "^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$",
         "a GUID such as 6f1c2d34-8a5b-4c6d-9e7f-0a1b2c3d4e5f"},
        {"date", "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
         "a date such as 2027-03-31"},
        {"uri", "^[A-Za-z][A-Za-z0-9+.-]*://[^\\s/]+", "a URL such as https://example.org"},
    }};
    const std::string_view format = text_in(schema, "format");
    for (const auto& [name, pattern, example] : kFormats) {
        if (format == name && !matches(pattern, text)) {
            add_error(findings, pointer, std::string("must be ") + example, expected);
        }
    }
}

void DocumentCheck::check_number(const json::object& schema, const json::value& value,
                                 const std::string& pointer, Findings& findings) const {
    struct Bound {
        const char* key;
        const char* text;
        bool (*holds)(long double number, long double bound);
    };

    constexpr std::array<Bound, 4> kBounds{{
        {"minimum", "at least ", [](long double number, long double b) { return number >= b; }},
        {"maximum", "at most ", [](long double number, long double b) { return number <= b; }},
        {"exclusiveMinimum", "greater than ",
         [](long double number, long double b) { return number > b; }},
        {"exclusiveMaximum", "less than ",
         [](long double number, long double b) { return number < b; }},
    }};
    for (const Bound& bound : kBounds) {
        const json::value* limit = schema.if_contains(bound.key);
        if (limit != nullptr && limit->is_number() &&
            !bound.holds(number_of(value), number_of(*limit))) {
            add_error(findings, pointer, "must be " + (bound.text + json::serialize(*limit)),
                      std::string(help_of(schema)));
        }
    }
}

void DocumentCheck::check_array(const json::object& schema, const json::array& array,
                                const std::string& pointer, Findings& findings) const {
    if (const auto least = limit_in(schema, "minItems"); least && array.size() < *least) {
        add_error(findings, pointer,
                  array.empty() ? "must not be empty"
                                : "must have at least " + std::to_string(*least) + " elements",
                  std::string(help_of(schema)));
    }
    if (const auto most = limit_in(schema, "maxItems"); most && array.size() > *most) {
        add_error(findings, pointer, "must have at most " + std::to_string(*most) + " elements",
                  std::string(help_of(schema)));
    }
    const json::value* items = schema.if_contains("items");
    if (items == nullptr || items->is_array()) {
        return;
    }
    for (std::size_t i = 0; i < array.size(); ++i) {
        check(*items, array[i], child_pointer(pointer, i), findings);
    }
}

void DocumentCheck::check_object(const json::object& schema, const json::object& object,
                                 const std::string& pointer, Findings& findings) const {
    const json::value* declared = schema.if_contains("properties");
    const json::object* properties = declared != nullptr ? declared->if_object() : nullptr;
    const json::value* others = schema.if_contains("additionalProperties");
    std::vector<std::string> absent;  // known keys that the object does not have
    std::vector<std::string> known;
    if (properties != nullptr) {
        for (const auto& property : *properties) {
            known.emplace_back(property.key());
            if (!object.contains(property.key())) {
                absent.emplace_back(property.key());
            }
        }
    }

    std::vector<std::string> mistyped;
    for (const auto& member : object) {
        const std::string_view key(member.key().data(), member.key().size());
        const std::string place = child_pointer(pointer, key);
        const json::value* property =
            properties != nullptr ? properties->if_contains(key) : nullptr;
        if (property != nullptr) {
            check(*property, member.value(), place, findings);
        } else if (others != nullptr && *others == json::value(false)) {
            std::string_view meant = nearest(key, absent);
            mistyped.emplace_back(meant);
            if (meant.empty()) {
                meant = nearest(key, known);
            }
            add_error(findings, place, "unknown key " + in_quotes(key.substr(0, 64)),
                      !meant.empty()  ? "did you mean " + in_quotes(meant) + "?"
                      : known.empty() ? "remove it: no key is known here"
                                      : "known keys: " + joined(known, ", "));
        } else if (others != nullptr) {
            check(*others, member.value(), place, findings);
        }
    }

    for (const std::string& key : texts_in(schema, "required")) {
        // A mistyped key is one mistake, not two.
        if (object.contains(key) || std::ranges::find(mistyped, key) != mistyped.end()) {
            continue;
        }
        const json::value* property =
            properties != nullptr ? properties->if_contains(key) : nullptr;
        const json::object* described = property != nullptr ? property->if_object() : nullptr;
        const std::string_view title =
            described != nullptr ? text_in(*described, "title") : std::string_view();
        std::string_view help =
            described != nullptr ? text_in(*described, "description") : std::string_view();
        if (help.empty() && described != nullptr) {
            help = help_of(*described);
        }
        add_error(
            findings, pointer,
            in_quotes(key) + (title.empty() ? std::string() : " (" + std::string(title) + ")") +
                " is missing",
            "add " + in_quotes(key) + (help.empty() ? std::string() : ": " + std::string(help)));
    }
}

void DocumentCheck::check_combined(const json::object& schema, const json::value& value,
                                   const std::string& pointer, Findings& findings) const {
    if (const json::value* all = schema.if_contains("allOf"); all && all->is_array()) {
        for (const json::value& branch : all->get_array()) {
            check(branch, value, pointer, findings);
        }
    }
    for (const std::string_view key : {"oneOf", "anyOf"}) {
        if (const json::value* branches = schema.if_contains(key);
            branches && branches->is_array()) {
            check_alternatives(branches->get_array(), key == "oneOf", value, pointer, findings);
        }
    }
    if (const json::value* condition = schema.if_contains("if")) {
        const bool holds = !has_errors(attempt(*condition, value, pointer));
        if (const json::value* branch = schema.if_contains(holds ? "then" : "else")) {
            check(*branch, value, pointer, findings);
        }
    }
}

void DocumentCheck::check_alternatives(const json::array& branches, bool exactly_one,
                                       const json::value& value, const std::string& pointer,
                                       Findings& findings) const {
    std::vector<std::string> presence;  // keys of branches that only ask for keys
    std::vector<std::string> types;
    std::size_t matched = 0;
    std::optional<Findings> closest;
    for (const json::value& branch : branches) {
        Findings attempted = attempt(branch, value, pointer);
        const bool fits = !has_errors(attempted);
        if (std::vector<std::string> keys = required_only(branch); !keys.empty()) {
            presence.push_back(joined(keys, " with "));
        }
        const auto* object = branch.if_object();
        if (object != nullptr) {
            for (const std::string& type : types_in(*object)) {
                if (const std::string name(type_name(type));
                    std::ranges::find(types, name) == types.end()) {
                    types.push_back(name);
                }
            }
        }
        if (fits) {
            ++matched;
            if (matched == 1) {
                append(findings, std::move(attempted));
            }
        } else if (object != nullptr && type_fits(*object, value) &&
                   (!closest || attempted.problems.size() < closest->problems.size())) {
            closest = std::move(attempted);
        }
    }

    const bool by_presence = presence.size() == branches.size();
    if (matched == 0 && by_presence) {
        add_error(
            findings, pointer,
            (exactly_one ? "one of " : "at least one of ") + joined(presence, ", ") + " is missing",
            "add one of them");
    } else if (matched == 0 && closest) {
        append(findings, std::move(*closest));
    } else if (matched == 0) {
        add_error(findings, pointer,
                  "must be " +
                      (types.empty() ? std::string("of another form") : joined(types, " or ")) +
                      ", not " + std::string(type_name(type_of(value))));
    } else if (matched > 1 && exactly_one) {
        add_error(findings, pointer,
                  by_presence ? joined(presence, ", ") + " exclude each other"
                              : "fits more than one of the forms that exclude each other",
                  "keep one of them");
    }
}

}  // namespace

Findings check_document(const json::value& schema, const json::value& document,
                        const plugin::PluginHost* plugins) {
    Findings findings;
    DocumentCheck(plugins).check(schema, document, "", findings);
    return findings;
}

bool looks_like_secret_id(std::string_view secret) {
    constexpr std::string_view kForm = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
    return std::ranges::equal(secret, kForm, [](char c, char form) {
        const bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        return form == 'x' ? hex : c == form;
    });
}

Problem secret_id_warning(std::string pointer) {
    return {std::move(pointer), "the secret looks like a Secret ID (a GUID)",
            "give the secret's Value, which the service shows only when the secret is made",
            Severity::warning};
}

}  // namespace openarchiver::profile
