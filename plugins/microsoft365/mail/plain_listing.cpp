#include "mail/plain_listing.hpp"

#include <algorithm>

#include "failure.hpp"
#include "graph/link_guard.hpp"
#include "mail/message_report.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;
using sdk::Flow;

constexpr std::string_view kListing = "listing the messages of a folder";
constexpr std::uint64_t kPageSize = 500;
/// More messages in a row than are ever damaged: the service is failing.
constexpr std::uint32_t kMaxInARow = 50;

class PlainListing {
public:
    PlainListing(GraphClient& graph, RequestLimiter& mailbox, const std::string& account_id,
                 const std::string& folder_id, sdk::ItemSink& sink, bool doubtful,
                 const std::stop_token& stop)
        : graph_(graph),
          mailbox_(mailbox),
          account_("/v1.0/users/" + percent_encode(account_id)),
          path_(account_ + "/mailFolders/" + percent_encode(folder_id) + "/messages"),
          sink_(sink),
          stop_(stop),
          doubtful_(doubtful) {}

    sdk::Status run() {
        std::string target = from_position(kListedFields);
        for (;;) {
            OPENARCHIVER_TRY(const GraphAnswer answer, ask(target));
            if (answer.failure) {
                if (answer.failure->status != 500) {
                    return to_error(*answer.failure, Subject::folder, kListing);
                }
                doubtful_ = true;
                if (size_ > 1) {
                    suspect_end_ = position_ + size_;
                    size_ /= 2;
                } else {
                    OPENARCHIVER_CHECK(go_past(*answer.failure));
                    ++position_;
                    choose_size();
                }
                target = from_position(kListedFields);
                continue;
            }
            OPENARCHIVER_TRY(const auto page, parse_messages(answer.body));
            if (report(page, sink_) == Flow::stop || stop_.stop_requested()) {
                return cancelled();
            }
            in_a_row_ = 0;
            position_ += page.entries.size() + page.unusable;
            if (page.next_link.empty()) {
                return end();
            }
            choose_size();
            if (size_ < kPageSize) {
                target = from_position(kListedFields);
            } else {
                // Not made here: what the service skips may be more than the messages.
                OPENARCHIVER_CHECK(guard_.enter(page.next_link));
                OPENARCHIVER_TRY(target, follow_link(graph_.origin(), page.next_link));
            }
        }
    }

private:
    [[nodiscard]] std::string from_position(std::string_view fields) const {
        return path_ + "?$select=" + std::string(fields) + "&$top=" + std::to_string(size_) +
               (position_ == 0 ? "" : "&$skip=" + std::to_string(position_));
    }

    /// Half of what is left of a page that failed; beyond it, whole pages again.
    void choose_size() {
        size_ = position_ < suspect_end_
                    ? std::max<std::uint64_t>((suspect_end_ - position_) / 2, 1)
                    : kPageSize;
    }

    sdk::Result<GraphAnswer> ask(const std::string& target) {
        GraphRequest request;
        request.what = kListing;
        request.subject = Subject::folder;
        request.target = target;
        // A failure that was waited out is not waited out again for each part of a page.
        request.attempts = doubtful_ ? 2 : 0;
        return graph_.fetch(mailbox_, request, Patience::wait, stop_);
    }

    /// The message at the current position can't be listed. Its id alone is enough to archive it.
    sdk::Status go_past(const GraphFailure& failure_) {
        OPENARCHIVER_TRY(const GraphAnswer answer, ask(from_position("id")));
        bool listed = false;
        if (!answer.failure) {
            OPENARCHIVER_TRY(const auto page, parse_messages(answer.body));
            if (report(page, sink_) == Flow::stop) {
                return cancelled();
            }
            listed = !page.entries.empty();
        } else {
            // Is it the message, or the mailbox?
            OPENARCHIVER_TRY(const GraphAnswer probe,
                             ask(account_ + "/mailFolders/inbox?$select=id"));
            if (probe.failure) {
                return to_error(*probe.failure, Subject::mailbox, kListing);
            }
        }
        if (!listed) {
            ++unlisted_;
            unlisted_because_ = failure_;
        }
        if (++in_a_row_ > kMaxInARow) {
            sdk::Error error = to_error(failure_, Subject::folder, kListing);
            error.code = Errc::internal;
            return error;
        }
        return {};
    }

    sdk::Status end() {
        if (unlisted_ == 0) {
            return {};
        }
        sdk::Error error = to_error(unlisted_because_, Subject::folder, kListing);
        error.code = Errc::corrupt;
        error.retry_after.reset();
        error.message = std::to_string(unlisted_) +
                        " of its messages can't be listed, the others were: Exchange answered " +
                        std::to_string(unlisted_because_.status) + " " + error.service_code +
                        " to each request that touches them; have Microsoft's support repair the "
                        "mailbox (request id " +
                        error.request_id + ")";
        return error;
    }

    GraphClient& graph_;
    RequestLimiter& mailbox_;
    const std::string account_;
    const std::string path_;
    sdk::ItemSink& sink_;
    const std::stop_token& stop_;
    WalkGuard guard_;
    std::uint64_t size_ = kPageSize;
    std::uint64_t position_ = 0;
    std::uint64_t suspect_end_ = 0;  ///< the last page that failed ended here
    bool doubtful_;                  ///< a page of this folder failed and went on failing
    std::uint32_t in_a_row_ = 0;
    std::uint64_t unlisted_ = 0;
    GraphFailure unlisted_because_;
};

}  // namespace

sdk::Status list_messages(GraphClient& graph, RequestLimiter& mailbox,
                          const std::string& account_id, const std::string& folder_id,
                          sdk::ItemSink& sink, bool doubtful, const std::stop_token& stop) {
    return PlainListing(graph, mailbox, account_id, folder_id, sink, doubtful, stop).run();
}

}  // namespace openarchiver::microsoft365
