#include "client.hpp"

#include "http/failure.hpp"
#include "service_error.hpp"
#include "signature.hpp"

namespace openarchiver::s3 {

namespace {

using sdk::Errc;

/// Stores refuse requests from 15 minutes on.
constexpr std::chrono::minutes kTooSkewed{10};
constexpr std::size_t kLargestPage = 16 * 1024 * 1024;

CredentialSource credential_source(const Settings& settings, sdk::Secrets& secrets) {
    return settings.credentials_file.empty()
               ? CredentialSource(secrets)
               : CredentialSource(secrets, settings.credentials_file, settings.profile);
}

}  // namespace

Client::Client(Settings settings, const sdk::HostServices& host)
    : settings_(std::move(settings)),
      logger_(host.logger),
      clock_(host.clock),
      credentials_(credential_source(settings_, host.secrets)),
      http_(settings_.ca_file) {}

std::chrono::sys_seconds Client::now() const {
    return std::chrono::floor<std::chrono::seconds>(clock_.now()) +
           std::chrono::seconds(ahead_.load());
}

bool Client::correct_clock(const http::ResponseHead& head) {
    const auto date = http::parse_http_date(head.field("Date"));
    if (!date || std::chrono::abs(*date - now()) < kTooSkewed) {
        return false;
    }
    const auto ahead = *date - std::chrono::floor<std::chrono::seconds>(clock_.now());
    ahead_.store(ahead.count());
    logger_.log(
        sdk::LogLevel::warning,
        "OA-8501 this machine's clock and the S3 store's differ: requests use the store's time",
        {{"seconds", std::to_string(ahead.count())}});
    return true;
}

sdk::Result<http::HttpRequest> Client::signed_request(const Call& call) {
    OPENARCHIVER_TRY(const Credentials credentials, credentials_.get());
    const auto time = now();
    RequestToSign to_sign{.method = call.method,
                          .path = settings_.path_style ? "/" + settings_.bucket : "",
                          .query = call.query,
                          .fields = call.fields,
                          .payload_sha256 = call.payload_sha256};
    if (!call.object.empty() || to_sign.path.empty()) {
        to_sign.path += "/" + call.object;
    }
    to_sign.fields.emplace_back("x-amz-content-sha256", call.payload_sha256);
    to_sign.fields.emplace_back("x-amz-date", amz_date(time));
    if (!credentials.session_token.empty()) {
        to_sign.fields.emplace_back("x-amz-security-token", credentials.session_token);
    }
    http::HttpRequest request;
    request.method = call.method;
    request.target = encode_path(to_sign.path);
    if (!call.query.empty()) {
        request.target += "?" + encode_query(call.query);
    }
    request.fields = to_sign.fields;
    request.source = call.source;
    request.answer_timeout = settings_.timeout;
    request.stall_timeout = settings_.timeout;
    to_sign.fields.emplace_back("host", settings_.origin.host_header());
    request.fields.emplace_back("Authorization",
                                authorization(to_sign, credentials, settings_.region, time));
    return request;
}

sdk::Result<std::unique_ptr<http::HttpResponse>> Client::send(const Call& call,
                                                              const std::stop_token& stop) {
    for (bool corrected = false;; corrected = true) {
        if (stop.stop_requested()) {
            return http::cancelled();
        }
        OPENARCHIVER_TRY(const http::HttpRequest request, signed_request(call));
        auto response = http_.send(settings_.origin, request, stop);
        if (!response) {
            return in_call(call, std::move(response.error()));
        }
        if (corrected || (*response)->head().status != 403 || !correct_clock((*response)->head())) {
            return response;
        }
        if (call.source != nullptr) {
            OPENARCHIVER_CHECK(call.source->rewind());
        }
    }
}

sdk::Error Client::in_call(const Call& call, sdk::Error error) const {
    if (error.code != Errc::cancelled) {
        error.message = "can't " + call.action + " " + settings_.place() + ": " + error.message;
    }
    return error;
}

sdk::Result<std::string> Client::read_page(const Call& call, http::HttpResponse& response) const {
    auto page = response.read_all(kLargestPage);
    if (!page) {
        return in_call(call, std::move(page.error()));
    }
    return page;
}

sdk::Error Client::error(const Call& call, http::HttpResponse& response) const {
    return service_error(response.head(), response.read_error_text(),
                         {.action = call.action,
                          .bucket = settings_.place(),
                          .credentials = credentials_.place(),
                          .region = settings_.region},
                         response.head().time(now()));
}

}  // namespace openarchiver::s3
