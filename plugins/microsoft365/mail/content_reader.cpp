#include "mail/content_reader.hpp"

#include "failure.hpp"
#include "graph/request_metrics.hpp"

namespace openarchiver::microsoft365 {

namespace {

class ContentReader final : public sdk::ByteReader {
public:
    ContentReader(GraphContent content, sdk::Metrics& metrics)
        : content_(std::move(content)), metrics_(metrics) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        auto count = content_.response->read(buffer);
        if (!count) {
            content_.response->discard_connection();
            content_.permit.release();
            return failure(count.error().code, "reading a message: " + count.error().message);
        }
        if (content_.response->complete()) {
            content_.permit.release();
        }
        if (total_ == 0 && *count > 0 && buffer[0] == std::byte{'{'} &&
            content_.response->head().field("Content-Type").starts_with("application/json")) {
            // Said too late for another status. No message begins like this.
            content_.response->discard_connection();
            content_.permit.release();
            return failure(sdk::Errc::unavailable,
                           "reading a message: the service delivered an error instead of it");
        }
        total_ += *count;
        if (*count == 0 && total_ == 0) {
            return failure(sdk::Errc::unavailable,
                           "reading a message: the service delivered not a single byte of it");
        }
        metrics_.add("bytes_downloaded", *count);
        count_bytes(metrics_, "value", *count);
        return *count;
    }

private:
    GraphContent content_;
    sdk::Metrics& metrics_;
    std::uint64_t total_ = 0;
};

}  // namespace

sdk::Result<std::unique_ptr<sdk::ByteReader>> open_message(
    GraphClient& graph, RequestLimiter& mailbox, sdk::Metrics& metrics,
    const std::string& account_id, const std::string& item_id, const std::stop_token& stop) {
    GraphRequest request;
    request.what = "opening a message";
    request.subject = Subject::item;
    // Not the form below mailFolders: the service refuses it at times.
    request.target = "/v1.0/users/" + percent_encode(account_id) + "/messages/" +
                     percent_encode(item_id) + "/$value";
    OPENARCHIVER_TRY(GraphContent content, graph.open(mailbox, request, stop));
    if (content.failure) {
        return to_error(*content.failure, Subject::item, request.what);
    }
    // What stands between this machine and the service answers for it at times.
    if (content.response->head().field("Content-Type").starts_with("text/html")) {
        content.response->discard_connection();
        return failure(sdk::Errc::unavailable,
                       "opening a message: a web page came in its place: check what is between "
                       "this machine and the service");
    }
    return std::make_unique<ContentReader>(std::move(content), metrics);
}

}  // namespace openarchiver::microsoft365
