#include "api/problem.hpp"

#include <Poco/Net/HTTPResponse.h>

#include <boost/json.hpp>
#include <utility>

namespace openarchiver::api {

namespace {

int status_of(sdk::Errc code) {
    switch (code) {
        case sdk::Errc::invalid_argument:
        case sdk::Errc::invalid_config:
            return 422;
        case sdk::Errc::not_found:
            return 404;
        case sdk::Errc::already_exists:
        case sdk::Errc::permission_denied:  // a hold stands against it
        case sdk::Errc::unsupported:
            return 409;
        case sdk::Errc::rate_limited:
            return 429;
        case sdk::Errc::unavailable:
        case sdk::Errc::timed_out:
        case sdk::Errc::cancelled:
            return 503;
        case sdk::Errc::resource_exhausted:
            return 507;
        default:
            return 500;
    }
}

Response answer(int status, std::string_view detail, std::string_view code,
                boost::json::object more) {
    boost::json::object document{
        {"type", "about:blank"},
        {"title", Poco::Net::HTTPResponse::getReasonForStatus(
                      static_cast<Poco::Net::HTTPResponse::HTTPStatus>(status))},
        {"status", status},
        {"detail", detail}};
    if (!code.empty()) {
        document["code"] = code;
    }
    document.insert(more.begin(), more.end());
    return {.status = status,
            .content_type = "application/problem+json",
            .body = boost::json::serialize(document)};
}

}  // namespace

Response problem(int status, std::string_view detail, boost::json::object more) {
    return answer(status, detail, {}, std::move(more));
}

Response problem(const sdk::Error& error) {
    return answer(status_of(error.code), error.message, sdk::to_string(error.code), {});
}

}  // namespace openarchiver::api
