#include "auth/token_source.hpp"

#include <algorithm>

#include "failure.hpp"
#include "graph/request_metrics.hpp"
#include "random_id.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;

constexpr std::size_t kMaxAnswer = 256 * 1024;
constexpr std::chrono::seconds kMargin{300};
/// Between two tries to renew a token that is still good.
constexpr std::chrono::seconds kRenewalPause{30};

}  // namespace

sdk::Result<Token> TokenSource::get(Patience patience, const std::stop_token& stop) {
    for (;;) {
        auto token = get_or_renew(stop);
        const bool wait =
            !token && token.error().code == Errc::rate_limited && patience == Patience::wait;
        if (!wait) {
            return token;
        }
        // Only until the pause is over: the renewal takes its own permit.
        OPENARCHIVER_TRY(const auto permit, directory_.acquire(Patience::wait, stop));
    }
}

sdk::Result<Token> TokenSource::get_or_renew(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    for (;;) {
        if (token_ && host_.clock.steady_now() < renew_at_) {
            return *token_;
        }
        if (!renewing_) {
            break;
        }
        if (is_good()) {
            return *token_;
        }
        const std::uint64_t before = renewals_;
        if (!changed_.wait(lock, stop, [&] { return renewals_ != before; })) {
            return cancelled();
        }
        // Those who waited share the answer, unless the one who asked was merely stopped.
        if (last_error_ && last_error_->code != Errc::cancelled) {
            return *last_error_;
        }
    }

    renewing_ = true;
    lock.unlock();
    auto document = request(stop);
    lock.lock();
    renewing_ = false;
    ++renewals_;
    changed_.notify_all();
    if (!document) {
        last_error_ = document.error();
        if (document.error().code == Errc::cancelled || !is_good()) {
            return std::move(document.error());
        }
        host_.logger.log(sdk::LogLevel::warning, "OA-8301 the token can't be renewed yet",
                         {{"code", to_string(document.error().code)},
                          {"service_code", document.error().service_code},
                          {"why", document.error().message}});
        renew_at_ = host_.clock.steady_now() + kRenewalPause;
        return *token_;
    }
    last_error_.reset();
    claims_ = parse_token_claims(document->access_token);
    token_ = Token{std::move(document->access_token), ++generation_};
    const auto life = std::max(document->expires_in, std::chrono::seconds(0));
    const auto now = host_.clock.steady_now();
    renew_at_ = now + (life > 2 * kMargin ? life - kMargin : life / 2);
    expires_at_ = now + life;
    return *token_;
}

bool TokenSource::is_good() const {
    return token_ && host_.clock.steady_now() < expires_at_;
}

void TokenSource::invalidate(std::uint64_t generation) {
    const std::lock_guard lock(mutex_);
    if (token_ && token_->generation == generation) {
        token_.reset();
    }
}

void TokenSource::discard() {
    const std::lock_guard lock(mutex_);
    token_.reset();
}

std::optional<TokenClaims> TokenSource::claims() {
    const std::lock_guard lock(mutex_);
    return claims_;
}

sdk::Result<TokenDocument> TokenSource::request(const std::stop_token& stop) {
    // Never a wait here: readers of contents may be waiting for the same token.
    OPENARCHIVER_TRY(const auto permit, directory_.acquire(Patience::refuse, stop));
    auto document = request_once(stop);
    if (!document && document.error().code == Errc::rate_limited) {
        host_.metrics.add("throttled", 1);
        document.error().retry_after = directory_.throttled(document.error().retry_after);
    }
    return document;
}

sdk::Result<TokenDocument> TokenSource::request_once(const std::stop_token& stop) {
    HttpRequest request;
    request.method = "POST";
    request.target = "/" + percent_encode(settings_.tenant_id) + "/oauth2/v2.0/token";
    OPENARCHIVER_TRY(
        const Proof proof,
        credentials_.prove(settings_.client_id, settings_.authority.url() + request.target));
    request.fields = {{"Content-Type", "application/x-www-form-urlencoded"},
                      {"Accept", "application/json"},
                      {"Accept-Encoding", "identity"},
                      {"client-request-id", random_guid()}};
    request.body =
        "grant_type=client_credentials&client_id=" + percent_encode(settings_.client_id) +
        "&scope=" + percent_encode(settings_.graph.url() + "/.default") + proof.form;
    request.answer_timeout = std::chrono::seconds(60);

    OPENARCHIVER_TRY(const auto response, http_.send(settings_.authority, request, stop));
    count_answer(host_.metrics, kTokenRoute, response->head().status);
    if (response->head().status == 200) {
        OPENARCHIVER_TRY(const std::string body, response->read_all(kMaxAnswer));
        return parse_token_document(body);
    }
    EntraFailure refusal =
        parse_entra_failure(response->head().status, response->read_error_text());
    refusal.presented = proof.presented;
    sdk::Error error = to_error(refusal);
    if (error.code == Errc::rate_limited || error.code == Errc::unavailable) {
        error.retry_after = parse_retry_after(response->head().field("Retry-After"),
                                              response->head().time(host_.clock.now()));
    }
    return error;
}

}  // namespace openarchiver::microsoft365
