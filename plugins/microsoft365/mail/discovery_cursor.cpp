#include "mail/discovery_cursor.hpp"

#include <boost/json.hpp>

namespace openarchiver::microsoft365 {

namespace {

namespace json = boost::json;

constexpr std::uint32_t kFormat = 1;

}  // namespace

sdk::Cursor encode_discovery_cursor(const DiscoveryCursor& cursor) {
    json::object groups;
    for (const auto& [id, digest] : cursor.groups) {
        groups[id] = digest;
    }
    return {kFormat,
            json::serialize(json::object{{"delta", cursor.delta_link},
                                         {"listed_at", cursor.listed_at.time_since_epoch().count()},
                                         {"selection", cursor.selection},
                                         {"groups", std::move(groups)}})};
}

std::optional<DiscoveryCursor> decode_discovery_cursor(const sdk::Cursor& cursor) {
    json::error_code error;
    const json::value document = json::parse(cursor.value, error);
    if (cursor.format != kFormat || error || !document.is_object()) {
        return std::nullopt;
    }
    const json::object& object = document.get_object();
    const json::value* link = object.if_contains("delta");
    const json::value* listed_at = object.if_contains("listed_at");
    const json::value* selection = object.if_contains("selection");
    const json::value* groups = object.if_contains("groups");
    if (link == nullptr || !link->is_string() || listed_at == nullptr || !listed_at->is_int64() ||
        selection == nullptr || !selection->is_string() || groups == nullptr ||
        !groups->is_object()) {
        return std::nullopt;
    }
    DiscoveryCursor result;
    result.delta_link = link->get_string();
    result.listed_at = sdk::Timestamp(std::chrono::milliseconds(listed_at->get_int64()));
    result.selection = selection->get_string();
    for (const auto& [id, digest] : groups->get_object()) {
        if (digest.is_string()) {
            result.groups.emplace(std::string(id), std::string(digest.get_string()));
        }
    }
    return result;
}

}  // namespace openarchiver::microsoft365
