// A request that the simulator sends itself: to the address of a subscription.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>

#include "http_types.hpp"

namespace graph_simulator {

// Plain HTTP on the loopback address only. `done` is called once, from the loop.
void send_post(boost::asio::io_context& io, const OutgoingPost& post,
               std::function<void(const Posted&)> done);

}  // namespace graph_simulator
