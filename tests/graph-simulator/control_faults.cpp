// POST, GET and DELETE /control/faults.
#include <cstdlib>
#include <stdexcept>

#include "routes.hpp"

namespace graph_simulator {

Reply control_faults(World& world, const Request& request, std::string_view path) {
    json::object out;
    if (request.method == "POST") {
        boost::system::error_code error;
        const json::value value = json::parse(view(request.body), error);
        if (error)
            throw std::invalid_argument("the body is not JSON");
        if (value.is_array()) {
            json::array ids;
            for (const json::value& each : value.as_array()) {
                if (!each.is_object())
                    throw std::invalid_argument("a rule must be an object");
                ids.push_back(world.faults.add(each.as_object()));
            }
            out["ids"] = std::move(ids);
        } else if (value.is_object()) {
            out["id"] = world.faults.add(value.as_object());
        } else {
            throw std::invalid_argument("a rule must be an object");
        }
    } else if (request.method == "DELETE") {
        const auto slash = path.find('/');
        if (slash == std::string_view::npos) {
            world.faults.clear();
        } else {
            const std::string id(path.substr(slash + 1));
            if (!world.faults.remove(std::strtoull(id.c_str(), nullptr, 10))) {
                throw std::invalid_argument("no such rule");
            }
        }
        out["ok"] = true;
    } else if (request.method == "GET") {
        out["rules"] = world.faults.to_json();
    } else {
        throw std::invalid_argument("no such control call");
    }
    Reply reply;
    reply.body = json::serialize(out);
    reply.headers.set("Content-Type", "application/json");
    return reply;
}

}  // namespace graph_simulator
