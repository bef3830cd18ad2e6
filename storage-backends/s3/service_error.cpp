#include "service_error.hpp"

#include <algorithm>
#include <array>

#include "documents.hpp"

namespace openarchiver::s3 {

namespace {

using sdk::Errc;

struct Meaning {
    std::string_view code;
    Errc errc;
    std::string_view remedy;
};

constexpr std::string_view kCheckKeys = "check %, and that they are of this store";
constexpr std::string_view kRenew = "renew the credentials in %";
constexpr std::string_view kPermit =
    "allow this user to list the bucket and to get, put and delete its objects";
constexpr std::string_view kNextTime = "it may work again later";

/// By S3's error codes, those of Ceph included. `%` stands for the place of the credentials.
constexpr std::array kMeanings = {
    Meaning{"InvalidAccessKeyId", Errc::unauthenticated, kCheckKeys},
    Meaning{"SignatureDoesNotMatch", Errc::unauthenticated, kCheckKeys},
    Meaning{"ExpiredToken", Errc::unauthenticated, kRenew},
    Meaning{"TokenRefreshRequired", Errc::unauthenticated, kRenew},
    Meaning{"InvalidToken", Errc::unauthenticated, kRenew},
    Meaning{"InvalidClientTokenId", Errc::unauthenticated, kCheckKeys},
    Meaning{"RequestTimeTooSkewed", Errc::unauthenticated,
            "set this machine's clock, or the store's"},
    Meaning{"RequestExpired", Errc::unauthenticated, "set this machine's clock, or the store's"},
    Meaning{"AccessDenied", Errc::permission_denied, kPermit},
    Meaning{"AllAccessDisabled", Errc::permission_denied, kPermit},
    Meaning{"AccountProblem", Errc::permission_denied, "ask the store's operator"},
    Meaning{"UserSuspended", Errc::permission_denied, "ask the store's operator to let it in"},
    Meaning{"InvalidObjectState", Errc::permission_denied,
            "the object was moved to a storage class that can't be read directly: restore it, and "
            "take the lifecycle rule away"},
    Meaning{"NoSuchBucket", Errc::invalid_config,
            "make the bucket, or name another one: this program makes none"},
    Meaning{"InvalidBucketName", Errc::invalid_config, "name another bucket"},
    Meaning{"NoSuchKey", Errc::not_found, ""},
    Meaning{"PreconditionFailed", Errc::already_exists, ""},
    Meaning{"ConditionalRequestConflict", Errc::unavailable, kNextTime},
    Meaning{"OperationAborted", Errc::unavailable, kNextTime},
    Meaning{"QuotaExceeded", Errc::resource_exhausted, "ask the store's operator for more space"},
    Meaning{"ServiceQuotaExceeded", Errc::resource_exhausted,
            "ask the store's operator for more space"},
    Meaning{"XMinioStorageFull", Errc::resource_exhausted,
            "ask the store's operator for more space"},
    Meaning{"EntityTooLarge", Errc::resource_exhausted,
            "the store takes no object of this size at once"},
    Meaning{"SlowDown", Errc::rate_limited, kNextTime},
    Meaning{"TooManyRequests", Errc::rate_limited, kNextTime},
    Meaning{"RequestLimitExceeded", Errc::rate_limited, kNextTime},
    Meaning{"ServiceUnavailable", Errc::unavailable, kNextTime},
    Meaning{"RequestTimeout", Errc::unavailable, kNextTime},
    Meaning{"IncompleteBody", Errc::unavailable, kNextTime},
    Meaning{"BadDigest", Errc::unavailable, "the bytes were changed on their way"},
    Meaning{"XAmzContentSHA256Mismatch", Errc::unavailable, "the bytes were changed on their way"},
    Meaning{"NotImplemented", Errc::unsupported, "the store lacks what this takes"},
};

constexpr std::array kOtherRegion = {
    std::string_view("AuthorizationHeaderMalformed"), std::string_view("PermanentRedirect"),
    std::string_view("TemporaryRedirect"), std::string_view("IllegalLocationConstraintException")};

Errc by_status(int status) {
    switch (status) {
        case 401:
            return Errc::unauthenticated;
        case 403:
            return Errc::permission_denied;
        case 404:
            return Errc::not_found;
        case 408:
        case 409:
            return Errc::unavailable;
        case 412:
            return Errc::already_exists;
        case 413:
        case 507:
            return Errc::resource_exhausted;
        case 429:
            return Errc::rate_limited;
        case 405:
        case 501:
            return Errc::unsupported;
        default:
            return status >= 500 ? Errc::unavailable : Errc::internal;
    }
}

/// The service's own words, on one line and not without end.
std::string shown(std::string_view text) {
    constexpr std::size_t kLongest = 200;
    std::string line(text.substr(0, kLongest));
    std::ranges::replace_if(line, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
    return line;
}

std::string with_place(std::string_view remedy, const std::string& place) {
    std::string text(remedy);
    if (const std::size_t mark = text.find('%'); mark != std::string::npos) {
        text.replace(mark, 1, place);
    }
    return text;
}

}  // namespace

sdk::Error service_error(const http::ResponseHead& head, std::string_view body,
                         const Target& target, std::chrono::system_clock::time_point now) {
    const ErrorDocument document = parse_error(body);
    sdk::Error error;
    error.service_code = shown(document.code);
    error.request_id =
        shown(document.request_id.empty() ? head.field("x-amz-request-id") : document.request_id);
    error.message = "can't " + target.action + " " + target.bucket + ": ";
    error.message += document.code.empty()
                         ? "the store answers with HTTP status " + std::to_string(head.status)
                         : "the store says " + shown(document.code);
    if (!document.message.empty() && document.message != document.code) {
        error.message += " (" + shown(document.message) + ")";
    }

    std::string remedy;
    const bool redirected = head.status == 301 || head.status == 307 || head.status == 308;
    if (redirected || std::ranges::find(kOtherRegion, document.code) != kOtherRegion.end()) {
        const std::string region =
            shown(document.region.empty() ? head.field("x-amz-bucket-region") : document.region);
        error.code = Errc::invalid_config;
        remedy = region.empty() || region == target.region
                     ? "check region (" + target.region + ") and endpoint: they are another store's"
                     : "set region to \"" + region + "\"";
    } else if (const auto* const meaning =
                   std::ranges::find(kMeanings, document.code, &Meaning::code);
               meaning != kMeanings.end()) {
        error.code = meaning->errc;
        remedy = with_place(meaning->remedy, target.credentials);
    } else {
        error.code = by_status(head.status);
        if (error.code == Errc::unauthenticated) {
            remedy = with_place(kCheckKeys, target.credentials);
        } else if (error.code == Errc::permission_denied) {
            remedy = kPermit;
        }
    }
    if (!remedy.empty()) {
        error.message += "; " + remedy;
    }
    if (error.code == Errc::rate_limited || error.code == Errc::unavailable) {
        error.retry_after = http::parse_retry_after(head.field("Retry-After"), now);
    }
    return error;
}

}  // namespace openarchiver::s3
