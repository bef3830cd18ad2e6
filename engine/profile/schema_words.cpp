#include "profile/schema_words.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace openarchiver::profile {

namespace json = boost::json;

std::string in_quotes(std::string_view text) {
    return '"' + std::string(text) + '"';
}

std::string joined(const std::vector<std::string>& words, std::string_view last_separator) {
    std::string list;
    for (std::size_t i = 0; i < words.size(); ++i) {
        if (i > 0) {
            list += i + 1 == words.size() ? last_separator : std::string_view(", ");
        }
        list += words[i];
    }
    return list;
}

std::string_view text_in(const json::object& schema, std::string_view key) {
    const json::value* value = schema.if_contains(key);
    const json::string* text = value != nullptr ? value->if_string() : nullptr;
    return text != nullptr ? std::string_view(text->data(), text->size()) : std::string_view();
}

std::vector<std::string> texts_in(const json::object& schema, std::string_view key) {
    std::vector<std::string> texts;
    const json::value* list = schema.if_contains(key);
    if (list != nullptr && list->is_array()) {
        for (const json::value& element : list->get_array()) {
            if (const auto* text = element.if_string()) {
                texts.emplace_back(text->data(), text->size());
            }
        }
    }
    return texts;
}

std::string_view help_of(const json::object& schema) {
    for (const std::string_view key : {"x-expected", "description", "title"}) {
        if (const std::string_view text = text_in(schema, key); !text.empty()) {
            return text;
        }
    }
    return {};
}

std::string_view type_name(std::string_view type) {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNames{{
        {"string", "a string"},
        {"integer", "a whole number"},
        {"number", "a number"},
        {"boolean", "true or false"},
        {"object", "an object"},
        {"array", "a list"},
        {"null", "null"},
    }};
    for (const auto& [key, name] : kNames) {
        if (key == type) {
            return name;
        }
    }
    return type;
}

std::string_view type_of(const json::value& value) {
    switch (value.kind()) {
        case json::kind::null:
            return "null";
        case json::kind::bool_:
            return "boolean";
        case json::kind::int64:
        case json::kind::uint64:
            return "integer";
        case json::kind::double_:
            return "number";
        case json::kind::string:
            return "string";
        case json::kind::array:
            return "array";
        case json::kind::object:
            return "object";
    }
    return "null";
}

std::vector<std::string> types_in(const json::object& schema) {
    if (const std::string_view type = text_in(schema, "type"); !type.empty()) {
        return {std::string(type)};
    }
    return texts_in(schema, "type");
}

bool type_fits(const json::object& schema, const json::value& value) {
    const std::vector<std::string> types = types_in(schema);
    const std::string_view actual = type_of(value);
    return types.empty() || std::ranges::any_of(types, [&](const std::string& type) {
               return type == actual || (type == "number" && actual == "integer");
           });
}

std::vector<std::string> required_only(const json::value& branch) {
    const auto* schema = branch.if_object();
    if (schema == nullptr) {
        return {};
    }
    for (const auto& member : *schema) {
        if (member.key() != "required" && member.key() != "title" &&
            member.key() != "description") {
            return {};
        }
    }
    return texts_in(*schema, "required");
}

std::size_t characters(std::string_view utf8) {
    return static_cast<std::size_t>(std::ranges::count_if(
        utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

long double number_of(const json::value& value) {
    if (const auto* number = value.if_int64()) {
        return static_cast<long double>(*number);
    }
    if (const auto* number = value.if_uint64()) {
        return static_cast<long double>(*number);
    }
    const auto* number = value.if_double();
    return number != nullptr ? static_cast<long double>(*number) : 0.0L;
}

std::optional<std::size_t> limit_in(const json::object& schema, std::string_view key) {
    const json::value* limit = schema.if_contains(key);
    if (limit == nullptr || !limit->is_number() || number_of(*limit) < 0) {
        return std::nullopt;
    }
    return static_cast<std::size_t>(number_of(*limit));
}

}  // namespace openarchiver::profile
