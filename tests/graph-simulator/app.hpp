// One request from arrival to answer: authentication, limits, faults, latency, handler, log.
#pragma once

#include <memory>

#include "http_types.hpp"
#include "subscriptions.hpp"
#include "world.hpp"

namespace graph_simulator {

class App : public RequestHandler {
public:
    App(World& world, Scheduler& scheduler);

    void handle(Request&& request, Responder respond) override;

private:
    struct Flight;
    struct Batch;
    using FlightPtr = std::shared_ptr<Flight>;

    void handle_token(Request&& request, Responder respond, std::string path, std::string query);
    // `roles` is given for inner requests of a batch, which their envelope authorised.
    void start(Request&& request, Responder respond, const std::vector<std::string>* roles);
    void authorise(Call& call) const;
    void take_off(const FlightPtr& flight);
    void proceed(const FlightPtr& flight);
    void finish(const FlightPtr& flight, Reply&& reply);
    void subscribe(const FlightPtr& flight);
    void run_batch(const FlightPtr& flight);
    void run_batch_items(const std::shared_ptr<Batch>& batch);
    Reply error_reply(const Flight& flight, const GraphError& error) const;
    Reply throttled(const Flight& flight, const Limits::Ticket& ticket);

    World& world_;
    Scheduler& scheduler_;
    Subscriptions subscriptions_;
};

}  // namespace graph_simulator
