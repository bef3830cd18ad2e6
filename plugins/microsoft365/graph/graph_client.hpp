#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "auth/token_source.hpp"
#include "failure.hpp"
#include "graph/graph_failure.hpp"
#include "http/http_client.hpp"
#include "throttle/request_limiter.hpp"
#include "throttle/retry_budget.hpp"

namespace openarchiver::microsoft365 {

/// A GET, unless it says otherwise.
struct GraphRequest {
    /// What is being done, for messages: "listing the users".
    std::string_view what;
    std::string_view method = "GET";
    /// JSON, for methods that have a body.
    std::string body;
    /// Path and query, beginning with "/v1.0/".
    std::string target;
    /// Items a page, as a preference; 0: the service's default.
    std::uint32_t page_size = 0;
    /// How often it is tried; 0: as all requests are.
    std::uint32_t attempts = 0;
    /// Directory requests carry no mailbox preferences and give way to others.
    Subject subject = Subject::mailbox;
    /// Of the directory: one that Graph answers only with ConsistencyLevel, on every page.
    bool advanced_query = false;
};

/// A complete answer: its body, or a failure that trying again does not change (a 500 or 504 among
/// them: it may be of what was asked for).
struct GraphAnswer {
    std::string body;
    std::optional<GraphFailure> failure;
};

/// An answer whose body is still to be read; the permit is held until then.
struct GraphContent {
    RequestLimiter::Permit permit;
    std::unique_ptr<HttpResponse> response;
    std::optional<GraphFailure> failure;
};

struct RetrySettings {
    std::uint32_t attempts = 5;
    std::chrono::milliseconds first_wait = std::chrono::seconds(1);
    std::chrono::milliseconds longest_wait = std::chrono::seconds(60);
};

/// Sends requests to Graph: token, limits, retries, ids. Safe for concurrent use.
class GraphClient {
public:
    GraphClient(Origin graph, HttpClient& http, TokenSource& tokens, const sdk::HostServices& host,
                RetrySettings retry = {})
        : graph_(std::move(graph)), http_(http), tokens_(tokens), host_(host), retry_(retry) {}

    [[nodiscard]] const Origin& origin() const { return graph_; }

    /// Reads a whole answer. With Patience::wait throttling is waited for and transient failures
    /// are tried again, within a budget that all requests share; no permit is held when it returns.
    sdk::Result<GraphAnswer> fetch(RequestLimiter& limiter, const GraphRequest& request,
                                   Patience patience, const std::stop_token& stop);

    /// Opens an answer to be read as it arrives. Neither throttling nor failures are waited for.
    sdk::Result<GraphContent> open(RequestLimiter& limiter, const GraphRequest& request,
                                   const std::stop_token& stop);

private:
    sdk::Result<GraphContent> send(RequestLimiter& limiter, const GraphRequest& request,
                                   Patience patience, const std::stop_token& stop);
    sdk::Result<GraphContent> send_with(const Token& token, RequestLimiter& limiter,
                                        const GraphRequest& request, Patience patience,
                                        const std::stop_token& stop);

    const Origin graph_;
    HttpClient& http_;
    TokenSource& tokens_;
    const sdk::HostServices host_;
    const RetrySettings retry_;
    RetryBudget retries_;
};

}  // namespace openarchiver::microsoft365
