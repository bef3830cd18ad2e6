#include "mail/reconstruction.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <utility>

#include "failure.hpp"
#include "graph/link_guard.hpp"
#include "mail/digest.hpp"
#include "mail/message_writer.hpp"

namespace openarchiver::microsoft365 {

namespace {

using sdk::Errc;

constexpr std::string_view kReading = "reading what is known of a message";
constexpr std::string_view kListing = "listing the attachments of a message";
constexpr std::string_view kAttachment = "reading an attachment";

constexpr std::string_view kSelected =
    "subject,from,sender,toRecipients,ccRecipients,bccRecipients,replyTo,sentDateTime,"
    "receivedDateTime,createdDateTime,internetMessageId";
/// What a damaged message may fail to convert.
constexpr std::string_view kConverted = ",internetMessageHeaders,body";

constexpr std::string_view kAttachmentFields = "id,name,contentType,isInline";
/// Of the derived type, which not every version of the service lets select.
constexpr std::string_view kContentId = ",microsoft.graph.fileAttachment/contentId";

constexpr std::uint32_t kAttachmentPage = 500;
constexpr std::size_t kMaxAttachments = 10'000;
/// A reader does not wait; without this attachment there is still a message.
constexpr int kAttachmentTries = 3;
constexpr std::size_t kReadBytes = 64 * 1024;

/// A request whose failures are the engine's to wait for.
struct Asking {
    GraphClient& graph;
    RequestLimiter& mailbox;
    const std::string message_path;

    [[nodiscard]] sdk::Result<GraphAnswer> operator()(std::string_view what, std::string target,
                                                      const std::stop_token& stop,
                                                      std::uint32_t page_size = 0) const {
        GraphRequest request;
        request.what = what;
        request.target = std::move(target);
        request.page_size = page_size;
        request.subject = Subject::item;
        return graph.fetch(mailbox, request, Patience::refuse, stop);
    }
};

sdk::Result<MessageDocument> read_document(const Asking& ask, const std::stop_token& stop) {
    const auto read = [&](bool whole) -> sdk::Result<MessageDocument> {
        OPENARCHIVER_TRY(const GraphAnswer answer,
                         ask(kReading,
                             ask.message_path + "?$select=" + std::string(kSelected) +
                                 std::string(whole ? kConverted : ""),
                             stop));
        if (answer.failure) {
            return to_error(*answer.failure, Subject::item, kReading);
        }
        return parse_message(answer.body);
    };
    auto whole = read(true);
    const bool unconverted =
        !whole && (whole.error().code == Errc::corrupt || whole.error().code == Errc::unavailable);
    return unconverted ? read(false) : std::move(whole);
}

struct Attachments {
    std::vector<AttachmentEntry> entries;
    std::string refused;  ///< the code with which the service refused to list (more of) them
};

sdk::Result<Attachments> list_attachments(const Asking& ask, const std::stop_token& stop) {
    Attachments result;
    WalkGuard guard;
    const std::string first =
        ask.message_path + "/attachments?$select=" + std::string(kAttachmentFields);
    std::string target = first + std::string(kContentId);
    for (;;) {
        OPENARCHIVER_TRY(const GraphAnswer answer, ask(kListing, target, stop, kAttachmentPage));
        if (answer.failure) {
            if (answer.failure->status == 400 && target != first && result.entries.empty()) {
                target = first;
                continue;
            }
            result.refused = answer.failure->service_code();
            return result;
        }
        OPENARCHIVER_TRY(AttachmentPage page, parse_attachments(answer.body));
        std::ranges::move(page.attachments, std::back_inserter(result.entries));
        if (page.next_link.empty() || result.entries.size() > kMaxAttachments) {
            return result;
        }
        OPENARCHIVER_CHECK(guard.enter(page.next_link));
        OPENARCHIVER_TRY(target, follow_link(ask.graph.origin(), page.next_link));
    }
}

/// Text, or an attachment with its part's header.
struct Piece {
    std::string text;
    std::optional<AttachmentEntry> attachment;
};

/// The message's outline: everything but the bytes of its attachments.
std::deque<Piece> outline(const MessageDocument& document, Attachments attachments,
                          const std::string& item_id, std::string_view why) {
    const std::string digest = short_digest(item_id);
    const auto begin = [](std::string_view boundary) {
        return "\r\n--" + std::string(boundary) + "\r\n";
    };
    const auto end = [](std::string_view boundary) {
        return "\r\n--" + std::string(boundary) + "--\r\n";
    };
    const auto multipart = [](std::string_view kind, std::string_view boundary) {
        return "Content-Type: multipart/" + std::string(kind) + "; boundary=\"" +
               std::string(boundary) + "\"\r\n";
    };
    Base64Lines lines;
    const std::string body =
        write_text_part_headers(document.html) + lines.encode(document.body, true);

    std::deque<Piece> pieces;
    std::string head = write_message_headers(document, why);
    if (!attachments.refused.empty()) {
        head += "X-OpenArchiver-Missing: attachments (" + attachments.refused + ")\r\n";
    }
    std::vector<AttachmentEntry> shown_in_body;
    std::vector<AttachmentEntry> attached;
    for (AttachmentEntry& entry : attachments.entries) {
        const bool shown = document.html && entry.is_inline && !entry.content_id.empty();
        (shown ? shown_in_body : attached).push_back(std::move(entry));
    }
    const bool related = !shown_in_body.empty();
    const bool mixed = !attached.empty();
    const std::string outer = "=_mixed_" + digest;
    const std::string inner = "=_related_" + digest;
    const auto add = [&](std::vector<AttachmentEntry>& entries, const std::string& boundary) {
        for (AttachmentEntry& entry : entries) {
            pieces.push_back({begin(boundary), std::nullopt});
            pieces.push_back({{}, std::move(entry)});
        }
        pieces.push_back({end(boundary), std::nullopt});
    };
    if (mixed) {
        head += multipart("mixed", outer) + begin(outer);
    }
    if (related) {
        head += multipart("related", inner) + begin(inner);
    }
    pieces.push_back({head + body, std::nullopt});
    if (related) {
        add(shown_in_body, inner);
    }
    if (mixed) {
        add(attached, outer);
    }
    return pieces;
}

/// Writes the outline, and each attachment as it is read from the service.
class ReconstructionReader final : public sdk::ByteReader {
public:
    ReconstructionReader(Asking ask, std::deque<Piece> pieces, sdk::Metrics& metrics,
                         std::stop_token stop)
        : ask_(std::move(ask)),
          pieces_(std::move(pieces)),
          metrics_(metrics),
          stop_(std::move(stop)) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        while (position_ == text_.size()) {
            text_.clear();
            position_ = 0;
            if (open_) {
                OPENARCHIVER_CHECK(read_attachment());
            } else if (pieces_.empty()) {
                return std::size_t{0};
            } else {
                Piece piece = std::move(pieces_.front());
                pieces_.pop_front();
                text_ = std::move(piece.text);
                if (piece.attachment) {
                    OPENARCHIVER_CHECK(open_attachment(*piece.attachment));
                }
            }
        }
        const std::size_t count = std::min(buffer.size(), text_.size() - position_);
        std::copy_n(reinterpret_cast<const std::byte*>(text_.data()) + position_, count,
                    buffer.data());
        position_ += count;
        return count;
    }

private:
    sdk::Status open_attachment(const AttachmentEntry& attachment) {
        GraphRequest request;
        request.what = kAttachment;
        request.subject = Subject::item;
        request.target =
            ask_.message_path + "/attachments/" + percent_encode(attachment.id) + "/$value";
        GraphContent content;
        for (int attempt = 0; attempt < kAttachmentTries; ++attempt) {
            OPENARCHIVER_TRY(content, ask_.graph.open(ask_.mailbox, request, stop_));
            if (!content.failure || content.failure->status != 500) {
                break;
            }
        }
        if (content.failure) {
            sdk::Error error = to_error(*content.failure, Subject::item, kAttachment);
            const bool of_its_own = content.failure->status == 500 ||
                                    error.code == Errc::not_found ||
                                    error.code == Errc::unsupported || error.code == Errc::internal;
            if (!of_its_own) {
                return error;
            }
            text_ = write_missing_attachment(attachment, error.service_code);
            return {};
        }
        text_ = write_attachment_headers(attachment);
        encoded_ = attachment.kind != AttachmentEntry::Kind::item;
        lines_ = {};
        open_ = std::move(content);
        return {};
    }

    sdk::Status read_attachment() {
        std::array<std::byte, kReadBytes> buffer;  // NOLINT(*-member-init): filled by read()
        auto count = open_->response->read(buffer);
        if (!count) {
            open_->response->discard_connection();
            open_.reset();
            return failure(count.error().code,
                           std::string(kAttachment) + ": " + count.error().message);
        }
        metrics_.add("bytes_downloaded", *count);
        const std::string_view bytes(reinterpret_cast<const char*>(buffer.data()), *count);
        text_ = encoded_ ? lines_.encode(bytes, *count == 0) : std::string(bytes);
        if (*count == 0) {
            open_.reset();
        }
        return {};
    }

    const Asking ask_;
    std::deque<Piece> pieces_;
    sdk::Metrics& metrics_;
    const std::stop_token stop_;
    std::string text_;
    std::size_t position_ = 0;
    std::optional<GraphContent> open_;
    bool encoded_ = false;
    Base64Lines lines_;
};

}  // namespace

sdk::Result<std::unique_ptr<sdk::ByteReader>> reconstruct_message(
    GraphClient& graph, RequestLimiter& mailbox, sdk::Metrics& metrics,
    const std::string& account_id, const std::string& item_id, const sdk::Error& why,
    const std::stop_token& stop) {
    Asking ask{
        graph, mailbox,
        "/v1.0/users/" + percent_encode(account_id) + "/messages/" + percent_encode(item_id)};
    OPENARCHIVER_TRY(const MessageDocument document, read_document(ask, stop));
    OPENARCHIVER_TRY(Attachments attachments, list_attachments(ask, stop));
    const std::string code =
        why.service_code.empty() ? std::string(to_string(why.code)) : why.service_code;
    return std::make_unique<ReconstructionReader>(
        std::move(ask), outline(document, std::move(attachments), item_id, code), metrics, stop);
}

}  // namespace openarchiver::microsoft365
