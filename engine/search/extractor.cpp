#include "search/extractor.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "search/extract/wire.hpp"
#include "search/words.hpp"

namespace openarchiver::search {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

/// For the message's own text, then for each attachment.
constexpr std::int64_t kTime = 10'000;
constexpr std::size_t kMaxMessage = std::size_t{48} << 20;
/// Memory that libraries never gave back goes with the process.
constexpr int kMessagesEach = 5000;
constexpr int kMaxDeaths = 8;  // of one message
constexpr std::size_t kMaxGaps = 100;
constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxId = 998;

}  // namespace

/// What is there of a message, over all processes that tried.
struct Extractor::Attempt {
    wire::Request request;
    Document document;
    std::string attachments;  ///< text of those before the current one
    std::optional<std::uint32_t> current;
    std::string name;  ///< of the current attachment
    bool done = false;
    std::vector<Gap> gaps;  ///< of attachments before the current one

    /// What came of the message itself comes again.
    void begin_again() {
        document = {};
        document[Field::attachment] = attachments;
    }
};

Status Extractor::start() {
    if (messages_ >= kMessagesEach) {
        process_.end();
    }
    if (process_.running()) {
        return {};
    }
    messages_ = 0;
    return process_.start();
}

/// Errors of the process are unavailable, timed_out and corrupt; others are `part`'s.
Status Extractor::run(const std::string& message, Attempt& attempt, const ReadPart& part) {
    Document& document = attempt.document;
    std::int64_t deadline = wire::now() + kTime;
    OPENARCHIVER_CHECK(process_.channel().put(wire::Kind::message, wire::encode(attempt.request),
                                              message, deadline));
    OPENARCHIVER_CHECK(process_.channel().flush(deadline));
    while (true) {
        OPENARCHIVER_TRY(const wire::Record record, process_.channel().receive(deadline));
        const std::string_view bytes = record.bytes;
        switch (record.kind) {
            case wire::Kind::text: {
                const auto field = bytes.empty() ? kFields : static_cast<unsigned char>(bytes[0]);
                if (field >= kFields) {
                    return Error{Errc::corrupt, "the extractor named a field that there is not"};
                }
                document.fields.at(field) += plain_utf8(bytes.substr(1));
                break;
            }
            case wire::Kind::attachment:
                attempt.attachments = document[Field::attachment];
                attempt.gaps = document.gaps;
                attempt.current = wire::decode_number(bytes);
                attempt.name = plain_utf8(bytes.substr(std::min<std::size_t>(4, bytes.size())));
                deadline = wire::now() + kTime;
                break;
            case wire::Kind::gap:
                if (!bytes.empty() && static_cast<unsigned char>(bytes[0]) <= 4 &&
                    document.gaps.size() < kMaxGaps) {
                    document.gaps.push_back(
                        {static_cast<GapReason>(bytes[0]), plain_utf8(bytes.substr(1, kMaxName))});
                }
                break;
            case wire::Kind::need: {
                auto content = part(wire::decode_number(bytes));
                if (!content) {
                    process_.end();  // it waits for an answer
                    return content.error();
                }
                deadline = wire::now() + kTime;
                OPENARCHIVER_CHECK(
                    process_.channel().put(wire::Kind::part, "", *content, deadline));
                OPENARCHIVER_CHECK(process_.channel().flush(deadline));
                break;
            }
            case wire::Kind::message_id:
                document.message_id = bytes.substr(0, kMaxId);
                break;
            case wire::Kind::reference:
                document.references.emplace_back(bytes.substr(0, kMaxId));
                break;
            case wire::Kind::has_attachment:
                document.has_attachment = true;
                break;
            case wire::Kind::end:
                attempt.done = true;
                return {};
            default:
                return Error{Errc::corrupt, "the extractor sent what there is not"};
        }
    }
}

Result<Document> Extractor::extract(const std::string& message, bool attachments,
                                    const ReadPart& part, const std::stop_token& stop) {
    Attempt attempt;
    attempt.request.attachments = attachments;
    const bool too_large = message.size() > kMaxMessage;
    const std::string beginning = too_large ? message.substr(0, kMaxMessage) : std::string();
    std::vector<Gap> deaths;
    for (int death = 0; !attempt.done && death < kMaxDeaths; ++death) {
        if (stop.stop_requested()) {
            return Error{Errc::cancelled, "stopped"};
        }
        OPENARCHIVER_CHECK(start());
        attempt.begin_again();
        attempt.current.reset();
        const bool fresh = messages_++ == 0;
        Status ran;
        {
            const std::stop_callback killer(stop, [this] { process_.kill(); });
            ran = run(too_large ? beginning : message, attempt, part);
        }
        if (ran) {
            break;
        }
        const auto code = ran.error().code;
        process_.end();
        if (stop.stop_requested()) {
            return Error{Errc::cancelled, "stopped"};
        }
        if (code != Errc::unavailable && code != Errc::timed_out && code != Errc::corrupt) {
            return ran.error();
        }
        if (!fresh && code == Errc::unavailable) {
            continue;  // it may have died of what it read before
        }
        if (!attempt.current) {
            break;
        }
        deaths.insert(deaths.end(), attempt.gaps.begin(), attempt.gaps.end());
        deaths.push_back({GapReason::failed, attempt.name});
        attempt.request.first_attachment = *attempt.current + 1;
    }
    Document document = std::move(attempt.document);
    if (!attempt.done) {
        document.gaps.push_back({GapReason::failed, ""});
    }
    for (auto& gap : deaths) {
        if (std::ranges::find(document.gaps, gap) == document.gaps.end()) {
            document.gaps.push_back(std::move(gap));
        }
    }
    if (too_large) {
        document.gaps.push_back({GapReason::too_large, ""});
    }
    return document;
}

}  // namespace openarchiver::search
