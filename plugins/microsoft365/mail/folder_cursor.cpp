#include "mail/folder_cursor.hpp"

#include <boost/json.hpp>

#include "mail/digest.hpp"

namespace openarchiver::microsoft365 {

namespace {

namespace json = boost::json;

constexpr std::uint32_t kFormat = 1;
/// The engine keeps 64 KiB; a delta link may need most of it.
constexpr std::size_t kMaxSize = 60 * 1024;

std::string serialize(const FolderCursor& cursor, bool with_left_out) {
    json::object well_known;
    for (const auto& [name, id] : cursor.well_known) {
        well_known[name] = id;
    }
    json::object object{{"delta", cursor.delta_link},
                        {"root", cursor.root_id},
                        {"names", std::move(well_known)},
                        {"selection", cursor.selection}};
    if (with_left_out && cursor.left_out) {
        json::array left_out;
        for (const std::string& digest : *cursor.left_out) {
            left_out.emplace_back(digest);
        }
        object["left_out"] = std::move(left_out);
    }
    return json::serialize(object);
}

}  // namespace

std::string selection_digest(const SelectionSettings& selection) {
    std::string text;
    for (const std::string& entry : selection.include) {
        text += "+" + entry + "\n";
    }
    for (const std::string& entry : selection.exclude) {
        text += "-" + entry + "\n";
    }
    return short_digest(text);
}

sdk::Cursor encode_folder_cursor(const FolderCursor& cursor) {
    std::string value = serialize(cursor, true);
    if (value.size() > kMaxSize) {
        value = serialize(cursor, false);
    }
    return {kFormat, std::move(value)};
}

std::optional<FolderCursor> decode_folder_cursor(const sdk::Cursor& cursor) {
    json::error_code error;
    const json::value document = json::parse(cursor.value, error);
    if (cursor.format != kFormat || error || !document.is_object()) {
        return std::nullopt;
    }
    const json::object& object = document.get_object();
    const auto text = [&object](std::string_view name) {
        const json::value* value = object.if_contains(name);
        return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                      : std::string();
    };
    FolderCursor result;
    result.delta_link = text("delta");
    result.root_id = text("root");
    result.selection = text("selection");
    if (const json::value* names = object.if_contains("names");
        names != nullptr && names->is_object()) {
        for (const auto& [name, id] : names->get_object()) {
            if (id.is_string()) {
                result.well_known.emplace(std::string(name), std::string(id.get_string()));
            }
        }
    }
    if (const json::value* left_out = object.if_contains("left_out");
        left_out != nullptr && left_out->is_array()) {
        result.left_out.emplace();
        for (const json::value& digest : left_out->get_array()) {
            if (digest.is_string()) {
                result.left_out->emplace(digest.get_string());
            }
        }
    }
    if (result.delta_link.empty()) {
        return std::nullopt;
    }
    return result;
}

}  // namespace openarchiver::microsoft365
