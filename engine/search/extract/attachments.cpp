#include "search/extract/attachments.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "search/extract/gmime_objects.hpp"

namespace openarchiver::search::extract {

namespace {

struct FreeFormat {
    void operator()(GMimeFormatOptions* options) const { g_mime_format_options_free(options); }
};

class Attachments {
public:
    Attachments(std::uint32_t take, AttachmentSink& sink) : take_(take), sink_(sink) {}

    void read(std::string bytes) {
        const auto line = bytes.find("\n");
        crlf_ = line != std::string::npos && line > 0 && bytes[line - 1] == '\r';
        if (const auto message = parsed(std::move(bytes))) {
            part(g_mime_message_get_mime_part(message.get()), 0);
        }
    }

private:
    void part(GMimeObject* object, int depth) {
        if (object == nullptr) {
            return;
        }
        if (depth > kMaxDepth || ++parts_ > kMaxParts) {
            if (!std::exchange(cut_, true)) {
                sink_.cut();
            }
            return;
        }
        if (GMIME_IS_MULTIPART(object)) {
            auto* const multipart = GMIME_MULTIPART(object);
            const int count = g_mime_multipart_get_count(multipart);
            for (int i = 0; i < count; ++i) {
                part(g_mime_multipart_get_part(multipart, i), depth + 1);
            }
        } else if (GMIME_IS_MESSAGE_PART(object)) {
            message(*GMIME_MESSAGE_PART(object));
        } else if (GMIME_IS_PART(object) && !is_body(*GMIME_PART(object))) {
            leaf(*GMIME_PART(object));
        }
    }

    [[nodiscard]] bool wanted() {
        ++number_;
        return take_ == 0 || take_ == number_;
    }

    void message(GMimeMessagePart& attached) {
        GMimeMessage* const message = g_mime_message_part_get_message(&attached);
        if (message == nullptr || !wanted()) {
            return;
        }
        const Object<GMimeStream> stream(g_mime_stream_mem_new());
        const std::unique_ptr<GMimeFormatOptions, FreeFormat> format(g_mime_format_options_new());
        g_mime_format_options_set_newline_format(
            format.get(), crlf_ ? GMIME_NEWLINE_FORMAT_DOS : GMIME_NEWLINE_FORMAT_UNIX);
        g_mime_object_write_to_stream(GMIME_OBJECT(message), format.get(), stream.get());
        const char* const named =
            g_mime_object_get_content_disposition_parameter(GMIME_OBJECT(&attached), "filename");
        std::string name(view(named));
        const auto subject = view(g_mime_message_get_subject(message));
        if (name.empty() && !subject.empty()) {
            name = std::string(subject) + ".eml";
        }
        tell(GMIME_OBJECT(&attached), std::move(name), "message/rfc822", *stream);
    }

    void leaf(GMimePart& part) {
        GMimeDataWrapper* const content = g_mime_part_get_content(&part);
        if (!wanted()) {
            return;
        }
        const Object<GMimeStream> stream(g_mime_stream_mem_new());
        if (content != nullptr) {
            g_mime_data_wrapper_write_to_stream(content, stream.get());
        }
        auto* const object = GMIME_OBJECT(&part);
        GMimeContentType* const type = g_mime_object_get_content_type(object);
        const GText mime(type == nullptr ? nullptr : g_mime_content_type_get_mime_type(type));
        tell(object, std::string(view(g_mime_part_get_filename(&part))), lower(view(mime.get())),
             *stream);
    }

    void tell(GMimeObject* object, std::string name, std::string media_type, GMimeStream& stream) {
        const GByteArray* const bytes = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(&stream));
        sink_.entry({.number = number_,
                     .size = bytes->len,
                     .media_type = std::move(media_type),
                     .disposition = lower(view(g_mime_object_get_disposition(object))),
                     .content_id = std::string(view(g_mime_object_get_content_id(object))),
                     .name = std::move(name)});
        if (take_ != 0) {
            constexpr std::size_t kPiece = std::size_t{256} << 10;
            std::string_view rest(reinterpret_cast<const char*>(bytes->data), bytes->len);
            for (; !rest.empty(); rest.remove_prefix(std::min(kPiece, rest.size()))) {
                sink_.bytes(rest.substr(0, kPiece));
            }
        }
    }

    const std::uint32_t take_;
    AttachmentSink& sink_;
    std::uint32_t number_ = 0;
    int parts_ = 0;
    bool crlf_ = false;
    bool cut_ = false;
};

}  // namespace

void read_attachments(std::string message, std::uint32_t take, AttachmentSink& sink) {
    Attachments(take, sink).read(std::move(message));
}

}  // namespace openarchiver::search::extract
