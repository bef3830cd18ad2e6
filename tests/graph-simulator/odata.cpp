#include "odata.hpp"

#include <algorithm>
#include <charconv>

#include "text.hpp"

namespace graph_simulator {

GraphError bad_request(std::string message) {
    return {400, "BadRequest", std::move(message), {}};
}

Query Query::parse(std::string_view raw) {
    Query query;
    if (raw.empty())
        return query;
    for (const std::string_view part : split(raw, '&')) {
        if (part.empty())
            continue;
        const auto equals = part.find('=');
        auto name = percent_decode(part.substr(0, equals), true);
        auto value = equals == std::string_view::npos
                         ? std::optional<std::string>(std::string())
                         : percent_decode(part.substr(equals + 1), true);
        if (!name || !value)
            throw bad_request("The query string has a malformed escape.");
        if (query.find(*name) != nullptr) {
            throw bad_request("Query option '" + *name + "' was specified more than once.");
        }
        query.options_.emplace_back(std::move(*name), std::move(*value));
    }
    return query;
}

const std::string* Query::find(std::string_view name) const {
    for (const auto& [key, value] : options_) {
        if (key == name)
            return &value;
    }
    return nullptr;
}

std::string Query::get(std::string_view name) const {
    const std::string* value = find(name);
    return value == nullptr ? std::string() : *value;
}

bool Query::is_true(std::string_view name) const {
    const std::string* value = find(name);
    if (value == nullptr)
        return false;
    if (iequals(*value, "true"))
        return true;
    if (iequals(*value, "false"))
        return false;
    throw bad_request("Invalid value '" + *value + "' for query option '" + std::string(name) +
                      "'. Expected true or false.");
}

void Query::allow(std::initializer_list<std::string_view> names) const {
    for (const auto& [key, value] : options_) {
        if (std::find(names.begin(), names.end(), key) == names.end()) {
            throw bad_request("Query option '" + key + "' is not allowed for this request.");
        }
    }
}

std::optional<std::int64_t> Query::number(std::string_view name, std::int64_t least) const {
    const std::string* text = find(name);
    if (text == nullptr)
        return std::nullopt;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
    if (error != std::errc{} || end != text->data() + text->size() || value < least) {
        throw bad_request("Invalid value '" + *text + "' for " + std::string(name) +
                          " query option found. It requires an integer of at least " +
                          std::to_string(least) + ".");
    }
    return value;
}

Select Select::parse(std::string_view list, std::span<const std::string_view> known,
                     std::string_view type) {
    Select select;
    for (const std::string_view part : split(list, ',')) {
        const std::string_view name = trim(part);
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            throw bad_request(
                "Parsing OData Select and Expand failed: Could not find a property "
                "named '" +
                std::string(name) + "' on type '" + std::string(type) + "'.");
        }
        select.names_.emplace_back(name);
    }
    return select;
}

bool Select::has(std::string_view name) const {
    return std::find(names_.begin(), names_.end(), name) != names_.end();
}

std::string Select::context() const {
    if (names_.empty())
        return {};
    std::string out = "(";
    for (const std::string& name : names_) {
        if (out.size() > 1)
            out += ",";
        out += name;
    }
    return out + ")";
}

Preferences parse_preferences(const Headers& headers) {
    Preferences out;
    const std::string all = headers.joined("Prefer");
    if (all.empty())
        return out;
    for (const std::string_view part : split(all, ',')) {
        const std::string_view preference = trim(part);
        const auto equals = preference.find('=');
        const std::string_view name = trim(preference.substr(0, equals));
        const std::string_view value = equals == std::string_view::npos
                                           ? std::string_view()
                                           : trim(preference.substr(equals + 1));
        bool applied = false;
        if (iequals(name, "IdType")) {
            applied = out.immutable_ids = value == "\"ImmutableId\"";
        } else if (iequals(name, "odata.maxpagesize")) {
            std::int64_t size = 0;
            const auto [end, error] =
                std::from_chars(value.data(), value.data() + value.size(), size);
            if (error != std::errc{} || end != value.data() + value.size() || size < 1) {
                throw bad_request("The preference odata.maxpagesize has an invalid value.");
            }
            out.max_page_size = size;
            applied = true;
        } else if (iequals(name, "return") && value == "minimal") {
            applied = out.minimal = true;
        }
        if (applied)
            out.applied += (out.applied.empty() ? "" : ", ") + std::string(preference);
    }
    return out;
}

std::vector<OrderBy> parse_order(std::string_view text) {
    std::vector<OrderBy> out;
    for (const std::string_view part : split(text, ',')) {
        const auto words = split(trim(part), ' ');
        if (words.empty() || words[0].empty() || words.size() > 2 ||
            (words.size() == 2 && words[1] != "asc" && words[1] != "desc")) {
            throw bad_request("Invalid $orderby expression '" + std::string(text) + "'.");
        }
        out.push_back({std::string(words[0]), words.size() == 2 && words[1] == "desc"});
    }
    return out;
}

}  // namespace graph_simulator
