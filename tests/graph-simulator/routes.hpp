// The route handlers. They throw GraphError for everything that Graph refuses.
#pragma once

#include "world.hpp"

namespace graph_simulator {

// Token service
bool is_token_path(std::string_view path);
std::string_view token_route_name(std::string_view path);
Reply token_service(World& world, const Request& request, std::string_view path,
                    std::string_view query);

// Below /v1.0
Reply answer(World& world, const Call& call);
Reply users_route(World& world, const Call& call);
Reply users_delta_route(World& world, const Call& call);
Reply groups_route(World& world, const Call& call);
Reply folders_route(World& world, const Call& call);
Reply folders_delta_route(World& world, const Call& call);
Reply messages_route(World& world, const Call& call);
Reply message_route(World& world, const Call& call);
Reply value_route(World& world, const Call& call);
Reply attachments_route(World& world, const Call& call);
Reply translate_route(World& world, const Call& call);
Reply messages_delta_route(World& world, const Call& call);

// Shared by the handlers
Reply json_reply(const json::object& body, int status = 200);
Folder& require_folder(const Call& call);
Message& require_message(World& world, const Call& call);
// Throws what a page answers that such a message is on.
void check_listable(const Message& message, const Select& select);
std::string mailbox_context(const Call& call, std::string_view rest);

// Delta links: the state to continue from, nothing for a first request.
std::optional<DeltaToken> token_from_link(World& world, const Call& call, std::uint8_t kind);
std::uint32_t remember_select(World& world, const std::string& list);
std::int64_t page_size(const World& world, const Call& call, std::int64_t fallback);

// Control endpoint
bool is_control_path(std::string_view path);
Reply control(World& world, const Request& request, std::string_view path, std::string_view query,
              const std::function<void()>& shut_down);
Reply control_faults(World& world, const Request& request, std::string_view path);
Reply control_tenant(World& world, const Query& query);
Reply control_mutation(World& world, std::string_view path, const json::object& body);

// Batch: the inner requests, in the order to run them; `problem` for a malformed envelope.
struct BatchItem {
    std::string id;
    Request request;  // target begins with /v1.0
    std::vector<std::string> depends_on;
};

std::vector<BatchItem> parse_batch(const Call& call);
json::object batch_response(const BatchItem& item, Reply& reply, bool raw_value);

}  // namespace graph_simulator
