#include "failure.hpp"

#include <algorithm>
#include <array>
#include <chrono>

namespace openarchiver::imap {

namespace {

using sdk::Errc;

struct Meaning {
    std::string_view response_code;
    Errc code;
};

// RFC 5530 section 3; THROTTLED is Microsoft's and Yahoo's, LIMIT RFC 9051's, OVERQUOTA is how
// Gmail refuses who has read too much.
constexpr std::array kMeanings = {
    Meaning{"THROTTLED", Errc::rate_limited},
    Meaning{"LIMIT", Errc::rate_limited},
    Meaning{"OVERQUOTA", Errc::rate_limited},
    Meaning{"UNAVAILABLE", Errc::unavailable},
    Meaning{"INUSE", Errc::unavailable},
    Meaning{"SERVERBUG", Errc::unavailable},
    Meaning{"AUTHENTICATIONFAILED", Errc::unauthenticated},
    Meaning{"EXPIRED", Errc::unauthenticated},
    Meaning{"AUTHORIZATIONFAILED", Errc::permission_denied},
    Meaning{"CONTACTADMIN", Errc::permission_denied},
    Meaning{"NOPERM", Errc::permission_denied},
    Meaning{"PRIVACYREQUIRED", Errc::invalid_config},
    Meaning{"NONEXISTENT", Errc::not_found},
    Meaning{"TRYCREATE", Errc::not_found},
    Meaning{"EXPUNGEISSUED", Errc::not_found},
    Meaning{"CORRUPTION", Errc::corrupt},
    Meaning{"UNKNOWN-CTE", Errc::unsupported},
    Meaning{"CANNOT", Errc::unsupported},
    Meaning{"CLIENTBUG", Errc::internal},
};

constexpr std::chrono::seconds kThrottled{30};
constexpr std::chrono::seconds kUnavailable{5};
constexpr std::size_t kMaxWords = 200;

Errc code_without_words(std::string_view condition, Purpose purpose) {
    if (condition == "BYE") {
        return Errc::unavailable;
    }
    if (condition == "BAD") {
        return Errc::internal;
    }
    switch (purpose) {
        case Purpose::signing_in:
            return Errc::unauthenticated;
        case Purpose::mailbox:
            return Errc::not_found;
        case Purpose::message:
            return Errc::corrupt;
        case Purpose::other:
            break;
    }
    return Errc::unavailable;
}

}  // namespace

sdk::Error refusal(std::string_view condition, std::string_view response_code,
                   std::string_view words, std::string_view what, Purpose purpose) {
    const auto* const known = std::ranges::find(kMeanings, response_code, &Meaning::response_code);
    sdk::Error error;
    error.code = known != kMeanings.end() ? known->code : code_without_words(condition, purpose);
    error.service_code = response_code;
    if (purpose == Purpose::message && error.code == Errc::permission_denied) {
        error.code = Errc::unsupported;  // of one message: no reason to end the run
    }
    error.message = "the server refused " + std::string(what) + " (" + std::string(condition);
    if (!response_code.empty()) {
        error.message += " [" + std::string(response_code) + "]";
    }
    if (purpose != Purpose::message && !words.empty()) {
        error.message += " " + std::string(words.substr(0, kMaxWords));
    }
    error.message += ")";
    if (error.code == Errc::rate_limited) {
        error.retry_after = kThrottled;
    } else if (error.code == Errc::unavailable) {
        error.retry_after = kUnavailable;
    }
    return error;
}

}  // namespace openarchiver::imap
