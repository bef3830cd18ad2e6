// Tenant objects as Graph resources.
#pragma once

#include <span>
#include <string_view>

#include "json_text.hpp"
#include "odata.hpp"
#include "tenant.hpp"

namespace graph_simulator {

std::span<const std::string_view> user_properties();
std::span<const std::string_view> folder_properties();
std::span<const std::string_view> message_properties();

// An empty selection gives the documented default set.
json::object user_json(const User& user, const Select& select);
json::object folder_json(const User& user, const Folder& folder, const Select& select);

struct MessageView {
    bool immutable_ids = false;
    bool delta = false;  // @odata.type on every item
};

json::object message_json(const Tenant& tenant, const User& user, const Message& message,
                          const Select& select, const MessageView& how);
std::string etag(const Message& message);

inline constexpr std::string_view kUserType = "microsoft.graph.user";
inline constexpr std::string_view kFolderType = "microsoft.graph.mailFolder";
inline constexpr std::string_view kMessageType = "microsoft.graph.message";

}  // namespace graph_simulator
