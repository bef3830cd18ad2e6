#include "cli/document.hpp"

#include <boost/json.hpp>

namespace openarchiver::cli {

namespace json = boost::json;

json::value parse_document(std::string_view json_text) {
    boost::system::error_code failure;
    json::value value = json::parse({json_text.data(), json_text.size()}, failure);
    return failure ? json::value() : value;
}

const json::value& member(const json::value& object, std::string_view name) {
    static const json::value nothing;
    const json::object* const members = object.if_object();
    const json::value* const found = members ? members->if_contains(name) : nullptr;
    return found == nullptr ? nothing : *found;
}

const json::array& list_of(const json::value& object, std::string_view name) {
    static const json::array nothing;
    const json::array* const list = member(object, name).if_array();
    return list == nullptr ? nothing : *list;
}

std::string text_of(const json::value& object, std::string_view name) {
    const json::string* const text = member(object, name).if_string();
    return text == nullptr ? std::string() : std::string(std::string_view(*text));
}

std::uint64_t number_of(const json::value& object, std::string_view name) {
    const json::value& value = member(object, name);
    boost::system::error_code ignored;
    return value.is_number() ? value.to_number<std::uint64_t>(ignored) : 0;
}

double decimal_of(const json::value& object, std::string_view name) {
    const json::value& value = member(object, name);
    boost::system::error_code ignored;
    return value.is_number() ? value.to_number<double>(ignored) : 0;
}

bool truth_of(const json::value& object, std::string_view name) {
    const bool* const truth = member(object, name).if_bool();
    return truth != nullptr && *truth;
}

std::string error_of(const json::value& object) {
    const json::value& error = member(object, "error");
    if (!error.is_object()) {
        return {};
    }
    const std::string request = text_of(error, "request_id");
    return text_of(error, "message") + " (" + text_of(error, "code") +
           (request.empty() ? "" : ", request " + request) + ")";
}

std::string path_of(const json::value& object, std::string_view name) {
    std::string path;
    for (const json::value& part : list_of(object, name)) {
        if (const json::string* const text = part.if_string()) {
            path += (path.empty() ? "" : "/") + std::string(std::string_view(*text));
        }
    }
    return path;
}

std::string time_of(const json::value& object, std::string_view name, std::string_view otherwise) {
    std::string text = text_of(object, name);
    constexpr std::size_t kSeconds = 19;
    if (text.size() < kSeconds) {
        return std::string(otherwise);
    }
    text.resize(kSeconds);
    text[10] = ' ';
    return text;
}

}  // namespace openarchiver::cli
