// Subscriptions to changes of messages, and the notifications that they cause.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "http_types.hpp"
#include "json_text.hpp"
#include "world.hpp"

namespace graph_simulator {

struct Subscription {
    std::string id;
    std::string change_type;
    std::string resource;
    std::uint32_t user = 0;
    std::string folder;  // id; empty for the whole mailbox
    std::string notification_url;
    std::string lifecycle_url;
    std::string client_state;
    std::int64_t expires_ms = 0;
};

class Subscriptions {
public:
    Subscriptions(World& world, Scheduler& scheduler) : world_(world), scheduler_(scheduler) {}

    Subscriptions(const Subscriptions&) = delete;
    Subscriptions& operator=(const Subscriptions&) = delete;

    // Below /v1.0/subscriptions. Answers later where an address has to be asked first.
    using Answer = std::function<void(Reply&&)>;
    using Refuse = std::function<void(const GraphError&)>;
    void create(const Call& call, Answer answer, Refuse refuse);
    Reply route(const Call& call);

    // A message was changed.
    void changed(const User& user, const Message& message, ChangeKind kind);

    // POST and GET /control/subscriptions
    json::object to_json();
    json::object control(const json::object& body);

private:
    struct Delivery {
        std::string subscription;
        std::string kind;  // a changeType or a lifecycleEvent
        int attempts = 0;
        int status = 0;  // of the last attempt; 0: none was answered
    };

    Subscription parse(const Call& call) const;
    std::int64_t parse_expiry(const json::object& body) const;
    void validate(std::vector<std::string> urls, std::function<void(std::string)> done);
    Subscription* find(const std::string& id);
    void forget_expired();
    json::object describe(const Call& call, const Subscription& each, bool with_state) const;
    json::object envelope(const Subscription& subscription) const;
    // Posts a notification, again and again until it is taken.
    void notify(const Subscription& subscription, const std::string& url, std::string kind,
                json::object notification);
    void post(const std::string& url, std::string body, std::size_t delivery);

    World& world_;
    Scheduler& scheduler_;
    std::vector<Subscription> list_;
    std::vector<Delivery> deliveries_;
    std::uint64_t delayed_ = 0;
};

}  // namespace graph_simulator
