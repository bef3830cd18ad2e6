#pragma once

#include <memory>
#include <openarchiver/sdk/result.hpp>

#include "api/access_control.hpp"
#include "api/http_server.hpp"
#include "service/service.hpp"

/// The HTTP API of a running service (docs/http-api.md).
namespace openarchiver::api {

class Api {
public:
    /// Listens where the service's profile says. The service outlives the API. unavailable: the
    /// address can't be used.
    static sdk::Result<std::unique_ptr<Api>> open(service::Service& service);
    /// Ends what is being answered.
    ~Api();
    Api(const Api&) = delete;
    Api& operator=(const Api&) = delete;

private:
    struct State;
    explicit Api(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace openarchiver::api
