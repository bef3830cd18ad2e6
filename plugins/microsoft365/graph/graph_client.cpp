#include "graph/graph_client.hpp"

#include "failure.hpp"
#include "graph/graph_documents.hpp"
#include "graph/request_metrics.hpp"
#include "random_id.hpp"
#include "throttle/backoff.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;
using std::chrono::milliseconds;

constexpr std::size_t kMaxAnswer = 64 * 1024 * 1024;
/// Longer waits than these are the engine's to plan, not a listing's to sit through.
constexpr milliseconds kLongestOutageWait = std::chrono::minutes(5);
constexpr milliseconds kLongestThrottling = std::chrono::minutes(30);

bool may_try_again(const sdk::Error& error) {
    return (error.code == Errc::unavailable || error.code == Errc::timed_out) &&
           !needs_person(error);
}

sdk::Error with_context(sdk::Error error, std::string_view what) {
    error.message = std::string(what) + ": " + error.message;
    return error;
}

HttpRequest http_request(const GraphRequest& request, const Token& token) {
    HttpRequest http;
    http.method = request.method;
    http.target = request.target;
    http.fields = {{"Authorization", "Bearer " + token.value},
                   {"Accept-Encoding", "identity"},
                   {"client-request-id", random_guid()}};
    if (request.subject == Subject::directory) {
        http.fields.emplace_back("x-ms-throttle-priority", "Low");
        if (request.advanced_query) {
            http.fields.emplace_back("ConsistencyLevel", "eventual");
        }
    } else {
        std::string prefer = R"(IdType="ImmutableId")";
        if (request.page_size > 0) {
            prefer = "odata.maxpagesize=" + std::to_string(request.page_size) + ", " + prefer;
        }
        http.fields.emplace_back("Prefer", std::move(prefer));
    }
    if (!request.body.empty()) {
        http.fields.emplace_back("Content-Type", "application/json");
        http.body = request.body;
    }
    if (request.subject != Subject::item) {
        http.fields.emplace_back("Accept", "application/json");
    } else {
        // Exchange makes the message while we wait.
        http.answer_timeout = std::chrono::minutes(5);
    }
    return http;
}

}  // namespace

sdk::Result<GraphContent> GraphClient::send_with(const Token& token, RequestLimiter& limiter,
                                                 const GraphRequest& request, Patience patience,
                                                 const std::stop_token& stop) {
    GraphContent content;
    const auto queued_at = host_.clock.steady_now();
    auto permit = limiter.acquire(patience, stop);
    count_wait(host_.metrics, host_.clock.steady_now() - queued_at);
    OPENARCHIVER_TRY(content.permit, std::move(permit));
    host_.metrics.add("requests", 1);
    const std::string_view route = route_of(request.target);
    auto response = http_.send(graph_, http_request(request, token), stop);
    if (!response) {
        count_unanswered(host_.metrics, route);
        return std::move(response.error());
    }
    content.response = std::move(*response);

    const ResponseHead& head = content.response->head();
    count_answer(host_.metrics, route, head.status);
    if (head.status >= 200 && head.status < 300) {
        limiter.answered();
        retries_.succeeded();
        return content;
    }
    const std::string body = content.response->read_error_text();
    content.failure = parse_graph_failure(head.status, body, head.field("request-id"));
    content.failure->retry_after =
        parse_retry_after(head.field("Retry-After"), head.time(host_.clock.now()));
    if (is_throttling(*content.failure)) {
        host_.metrics.add("throttled", 1);
        content.failure->retry_after =
            limiter.throttled(content.failure->retry_after,
                              throttled_scope(*content.failure, head.field("x-ms-throttle-scope")));
    }
    content.response.reset();
    content.permit.release();
    return content;
}

sdk::Result<GraphContent> GraphClient::send(RequestLimiter& limiter, const GraphRequest& request,
                                            Patience patience, const std::stop_token& stop) {
    OPENARCHIVER_TRY(Token token, tokens_.get(patience, stop));
    OPENARCHIVER_TRY(GraphContent content, send_with(token, limiter, request, patience, stop));
    if (!content.failure || content.failure->status != 401) {
        return content;
    }
    tokens_.invalidate(token.generation);
    OPENARCHIVER_TRY(token, tokens_.get(patience, stop));
    return send_with(token, limiter, request, patience, stop);
}

sdk::Result<GraphContent> GraphClient::open(RequestLimiter& limiter, const GraphRequest& request,
                                            const std::stop_token& stop) {
    auto content = send(limiter, request, Patience::refuse, stop);
    if (!content) {
        return with_context(std::move(content.error()), request.what);
    }
    return content;
}

sdk::Result<GraphAnswer> GraphClient::fetch(RequestLimiter& limiter, const GraphRequest& request,
                                            Patience patience, const std::stop_token& stop) {
    std::uint32_t failures = 0;
    milliseconds throttled{0};
    for (;;) {
        std::optional<sdk::Error> error;
        auto content = send(limiter, request, patience, stop);
        if (!content) {
            error = std::move(content.error());
        } else if (content->failure) {
            const GraphFailure& answer = *content->failure;
            if (is_throttling(answer) && patience == Patience::wait) {
                throttled += answer.retry_after.value_or(milliseconds(0));
                if (throttled <= kLongestThrottling) {
                    continue;  // the limiter holds the next request back
                }
            }
            if (!is_transient(answer)) {
                return GraphAnswer{{}, std::move(content->failure)};
            }
            error = to_error(answer, request.subject, request.what);
        } else {
            auto body = content->response->read_all(kMaxAnswer);
            if (body) {
                count_bytes(host_.metrics, route_of(request.target), body->size());
            }
            if (body && (request.subject == Subject::item || request.method == "DELETE" ||
                         looks_whole(*body))) {
                return GraphAnswer{std::move(*body), std::nullopt};
            }
            error = body ? not_a_document() : std::move(body.error());
        }
        // The permit is not kept while waiting.
        if (content) {
            content->response.reset();
            content->permit.release();
        }

        ++failures;
        const std::uint32_t attempts = request.attempts > 0 ? request.attempts : retry_.attempts;
        if (patience == Patience::wait && failures >= attempts && content && content->failure &&
            (content->failure->status == 500 || content->failure->status == 504)) {
            return GraphAnswer{{}, std::move(content->failure)};
        }
        const milliseconds wait =
            error->retry_after && *error->retry_after > milliseconds(0)
                ? *error->retry_after
                : exponential(retry_.first_wait, failures - 1, retry_.longest_wait);
        if (patience == Patience::refuse || !may_try_again(*error) || failures >= attempts ||
            wait > kLongestOutageWait || !retries_.take()) {
            return error->message.starts_with(request.what)
                       ? std::move(*error)
                       : with_context(std::move(*error), request.what);
        }
        if (!sleep_unless_stopped(with_jitter(wait), stop)) {
            return cancelled();
        }
    }
}

}  // namespace openarchiver::microsoft365
