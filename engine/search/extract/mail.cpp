#include "search/extract/mail.hpp"

#include <gmime/gmime.h>

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>

#include "search/extract/gmime_objects.hpp"
#include "search/words.hpp"

namespace openarchiver::search::extract {

namespace {

constexpr int kMaxReferences = 50;
constexpr std::size_t kMaxDecoded = std::size_t{64} << 20;

class Mail {
public:
    Mail(const wire::Request& request, MailSink& sink) : request_(request), sink_(sink) {}

    void read(std::string bytes) {
        // A few words without a header field are no message to the parser.
        constexpr std::size_t kFewWords = 1024;
        const std::string words = bytes.size() <= kFewWords ? bytes : std::string();
        const auto message = parsed(std::move(bytes));
        if (!message) {
            if (words.empty()) {
                sink_.gap(GapReason::failed, "");
            }
            line(Field::body, to_utf8(words, ""));
            return;
        }
        headers(*message, true);
        ids(*message);
        part(g_mime_message_get_mime_part(message.get()), 0, Field::body);
    }

private:
    void line(Field field, std::string_view text) {
        if (!text.empty()) {
            sink_.text(field, text);
            sink_.text(field, "\n");
        }
    }

    /// Of the message itself into their own fields, of one within it into its text.
    void headers(GMimeMessage& message, bool own) {
        const auto field = [&](Field wanted) { return own ? wanted : inner_; };
        constexpr std::array kAddresses{std::pair(GMIME_ADDRESS_TYPE_FROM, Field::from),
                                        std::pair(GMIME_ADDRESS_TYPE_SENDER, Field::from),
                                        std::pair(GMIME_ADDRESS_TYPE_REPLY_TO, Field::from),
                                        std::pair(GMIME_ADDRESS_TYPE_TO, Field::to),
                                        std::pair(GMIME_ADDRESS_TYPE_CC, Field::cc),
                                        std::pair(GMIME_ADDRESS_TYPE_BCC, Field::bcc)};
        std::string last;
        for (const auto& [type, wanted] : kAddresses) {
            InternetAddressList* list = g_mime_message_get_addresses(&message, type);
            if (list == nullptr || internet_address_list_length(list) == 0) {
                continue;
            }
            const GText text(internet_address_list_to_string(list, nullptr, FALSE));
            // Sender and Reply-To mostly say again what From says.
            if (std::exchange(last, std::string(view(text.get()))) != view(text.get())) {
                line(field(wanted), view(text.get()));
            }
        }
        line(field(Field::subject), view(g_mime_message_get_subject(&message)));
    }

    void ids(GMimeMessage& message) {
        if (const auto id = view(g_mime_message_get_message_id(&message)); !id.empty()) {
            sink_.message_id(id);
        }
        int left = kMaxReferences;
        for (const char* const name : {"In-Reply-To", "References"}) {
            const char* const value = g_mime_object_get_header(GMIME_OBJECT(&message), name);
            if (value == nullptr) {
                continue;
            }
            GMimeReferences* const references = g_mime_references_parse(nullptr, value);
            // The last ones are the nearest.
            for (int i = g_mime_references_length(references); i > 0 && left > 0; --i, --left) {
                sink_.reference(view(g_mime_references_get_message_id(references, i - 1)));
            }
            g_mime_references_free(references);
        }
    }

    void part(GMimeObject* object, int depth, Field field) {
        if (object == nullptr || depth > kMaxDepth || ++parts_ > kMaxParts) {
            if (object != nullptr && !std::exchange(cut_, true)) {
                sink_.gap(GapReason::too_large, "");
            }
            return;
        }
        if (GMIME_IS_MULTIPART_ENCRYPTED(object)) {
            sink_.gap(GapReason::encrypted, "");
        } else if (GMIME_IS_MULTIPART(object)) {
            multipart(*GMIME_MULTIPART(object), depth, field);
        } else if (GMIME_IS_MESSAGE_PART(object)) {
            nested(g_mime_message_part_get_message(GMIME_MESSAGE_PART(object)), depth, field);
        } else if (GMIME_IS_PART(object)) {
            leaf(*GMIME_PART(object), depth, field);
        }
    }

    void multipart(GMimeMultipart& multipart, int depth, Field field) {
        if (is_type(GMIME_OBJECT(&multipart), "multipart", "alternative")) {
            // What the alternatives have in common is searched once.
            auto outer = std::exchange(said_, {});
            const bool within_another = std::exchange(alternative_, true);
            children(multipart, depth, field);
            alternative_ = within_another;
            said_ = std::move(outer);
        } else {
            children(multipart, depth, field);
        }
    }

    void children(GMimeMultipart& multipart, int depth, Field field) {
        const int count = g_mime_multipart_get_count(&multipart);
        for (int i = 0; i < count; ++i) {
            part(g_mime_multipart_get_part(&multipart, i), depth + 1, field);
        }
    }

    void nested(GMimeMessage* message, int depth, Field field) {
        if (message == nullptr) {
            return;
        }
        const Field outer = std::exchange(inner_, field);
        headers(*message, false);
        part(g_mime_message_get_mime_part(message), depth + 1, field);
        inner_ = outer;
    }

    static std::string decoded(GMimePart& part) {
        GMimeDataWrapper* const content = g_mime_part_get_content(&part);
        if (content == nullptr) {
            return {};
        }
        GMimeStream* const stream = g_mime_stream_mem_new();
        const Object<GMimeStream> owner(stream);
        g_mime_data_wrapper_write_to_stream(content, stream);
        const GByteArray* const bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(stream));
        return {reinterpret_cast<const char*>(bytes->data),
                std::min<std::size_t>(bytes->len, kMaxDecoded)};
    }

    std::string content(GMimePart& part) {
        std::string bytes = decoded(part);
        if (const auto index = wire::marked_part(bytes); index >= 0) {
            return sink_.part(static_cast<std::uint32_t>(index));
        }
        return bytes;
    }

    void leaf(GMimePart& part, int depth, Field field) {
        auto* const object = GMIME_OBJECT(&part);
        if (is_body(part)) {
            body(part, field);
            return;
        }
        const std::string name(view(g_mime_part_get_filename(&part)));
        const auto disposition = lower(view(g_mime_object_get_disposition(object)));
        const bool shown =
            disposition == "inline" || !view(g_mime_part_get_content_id(&part)).empty();
        const bool image = is_type(object, "image", "*");
        if (!(shown && image)) {
            sink_.has_attachment();
        }
        line(Field::filename, name);
        const std::uint32_t number = attachments_++;
        if (!request_.attachments || number < request_.first_attachment) {
            return;
        }
        sink_.attachment(number, name);
        attachment(part, name, depth);
    }

    void body(GMimePart& part, Field field) {
        if (sink_.full(field)) {
            return;
        }
        const auto charset =
            view(g_mime_object_get_content_type_parameter(GMIME_OBJECT(&part), "charset"));
        const std::string bytes = content(part);
        const std::string text = is_type(GMIME_OBJECT(&part), "text", "html")
                                     ? html_text(bytes, charset)
                                     : to_utf8(bytes, charset);
        if (alternative_) {
            unsaid(field, text);
        } else {
            line(field, text);
        }
    }

    /// The lines that have a word which the earlier alternatives don't have.
    void unsaid(Field field, const std::string& text) {
        const bool first = said_.empty();
        std::string_view rest = text;
        std::unordered_set<std::size_t> words;
        while (!rest.empty()) {
            const auto end = std::min(rest.find('\n'), rest.size() - 1) + 1;
            const auto current = rest.substr(0, end);
            rest.remove_prefix(end);
            bool fresh = false;
            for_each_word(current, WordsOf::text, [&](const Word& word) {
                const auto hash = std::hash<std::string_view>()(word.folded);
                fresh = !said_.contains(hash) || fresh;
                words.insert(hash);
                return true;
            });
            if (first || fresh) {
                sink_.text(field, current);
            }
        }
        sink_.text(field, "\n");
        said_.merge(words);
    }

    void attachment(GMimePart& part, const std::string& name, int depth) {
        auto* const object = GMIME_OBJECT(&part);
        if (is_type(object, "image", "*") || is_type(object, "audio", "*") ||
            is_type(object, "video", "*") || is_type(object, "application", "pgp-signature") ||
            is_type(object, "application", "pkcs7-signature") ||
            is_type(object, "application", "x-pkcs7-signature")) {
            return;
        }
        if (is_type(object, "application", "pkcs7-mime") ||
            is_type(object, "application", "x-pkcs7-mime")) {
            const auto kind =
                lower(view(g_mime_object_get_content_type_parameter(object, "smime-type")));
            sink_.gap(kind == "signed-data" ? GapReason::unsupported : GapReason::encrypted, name);
            return;
        }
        if (sink_.full(Field::attachment)) {
            sink_.gap(GapReason::too_large, name);
            return;
        }
        GMimeContentType* const type = g_mime_object_get_content_type(object);
        const GText mime(type == nullptr ? nullptr : g_mime_content_type_get_mime_type(type));
        const auto media_type = lower(view(mime.get()));
        if (media_type == "message/rfc822" || lower(name).ends_with(".eml")) {
            const auto message = parsed(content(part));
            nested(message.get(), depth + 1, Field::attachment);
            return;
        }
        if (!is_document(media_type, name)) {
            sink_.gap(GapReason::unsupported, name);
            return;
        }
        document_text(content(part), media_type, name,
                      view(g_mime_object_get_content_type_parameter(object, "charset")), sink_);
    }

    const wire::Request request_;
    MailSink& sink_;
    int parts_ = 0;
    bool cut_ = false;
    std::uint32_t attachments_ = 0;
    Field inner_ = Field::body;  // where headers of messages within it go
    bool alternative_ = false;
    std::unordered_set<std::size_t> said_;
};

}  // namespace

void read_mail(std::string message, const wire::Request& request, MailSink& sink) {
    Mail(request, sink).read(std::move(message));
}

}  // namespace openarchiver::search::extract
