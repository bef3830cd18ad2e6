#include "mime.hpp"

#include "bytes.hpp"
#include "text.hpp"

namespace graph_simulator {
namespace {

constexpr int kMaxDepth = 20;

std::string decode_quoted_printable(std::string_view text, bool underscore_is_space) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '_' && underscore_is_space) {
            out.push_back(' ');
        } else if (text[i] != '=') {
            out.push_back(text[i]);
        } else if (text.substr(i + 1, 2) == "\r\n") {
            i += 2;
        } else if (text.substr(i + 1, 1) == "\n") {
            i += 1;
        } else if (const auto byte =
                       percent_decode("%" + std::string(text.substr(i + 1, 2)), false)) {
            out += *byte;
            i += 2;
        } else {
            out.push_back('=');
        }
    }
    return out;
}

std::string decode_words(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        const auto start = text.find("=?");
        const auto mark = start == std::string_view::npos ? start : text.find('?', start + 2);
        const auto coded = mark == std::string_view::npos ? mark : text.find('?', mark + 1);
        const auto end = coded == std::string_view::npos ? coded : text.find("?=", coded + 1);
        if (end == std::string_view::npos)
            return out + std::string(text);
        out += text.substr(0, start);
        const std::string_view coding = text.substr(mark + 1, coded - mark - 1);
        const std::string_view body = text.substr(coded + 1, end - coded - 1);
        out += iequals(coding, "B") ? base64_decode_lenient(body)
                                    : decode_quoted_printable(body, true);
        text.remove_prefix(end + 2);
    }
    return out;
}

struct Entity {
    std::string_view head;
    std::string_view body;
};

Entity divide(std::string_view text) {
    const auto crlf = text.find("\r\n\r\n");
    const auto lf = text.find("\n\n");
    if (crlf != std::string_view::npos && crlf < lf) {
        return {text.substr(0, crlf + 2), text.substr(crlf + 4)};
    }
    if (lf != std::string_view::npos)
        return {text.substr(0, lf + 1), text.substr(lf + 2)};
    return {text, {}};
}

// The unfolded value of a field, or nothing.
std::string field(std::string_view head, std::string_view name) {
    std::string value;
    bool inside = false;
    for (std::string_view line : split(head, '\n')) {
        if (!line.empty() && line.back() == '\r')
            line.remove_suffix(1);
        if (!line.empty() && (line[0] == ' ' || line[0] == '\t')) {
            if (inside)
                value += " " + std::string(trim(line));
            continue;
        }
        if (inside)
            break;
        const auto colon = line.find(':');
        if (colon != std::string_view::npos && iequals(trim(line.substr(0, colon)), name)) {
            value = trim(line.substr(colon + 1));
            inside = true;
        }
    }
    return value;
}

std::string parameter(std::string_view value, std::string_view name) {
    const std::string folded = lower(value);
    std::size_t at = 0;
    while ((at = folded.find(name, at)) != std::string::npos) {
        const std::size_t after = at + name.size();
        if (after < folded.size() && folded[after] == '=' && at > 0 &&
            (folded[at - 1] == ' ' || folded[at - 1] == ';' || folded[at - 1] == '\t')) {
            std::string_view rest = value.substr(after + 1);
            if (!rest.empty() && rest[0] == '"') {
                rest.remove_prefix(1);
                return std::string(rest.substr(0, rest.find('"')));
            }
            return std::string(trim(rest.substr(0, rest.find(';'))));
        }
        at = after;
    }
    return {};
}

void collect(std::string_view text, int depth, std::vector<MimePart>& parts) {
    const Entity entity = divide(text);
    const std::string type = field(entity.head, "Content-Type");
    const std::string boundary = parameter(type, "boundary");
    if (depth < kMaxDepth && istarts_with(type, "multipart/") && !boundary.empty()) {
        const std::string mark = "--" + boundary;
        auto start = entity.body.find(mark);
        while (start != std::string_view::npos) {
            start += mark.size();
            if (entity.body.substr(start, 2) == "--")
                return;
            start = entity.body.find('\n', start);
            if (start == std::string_view::npos)
                return;
            ++start;
            const auto next = entity.body.find("\n" + mark, start == 0 ? 0 : start - 1);
            std::string_view part = entity.body.substr(
                start, next == std::string_view::npos ? next : (next < start ? 0 : next - start));
            if (!part.empty() && part.back() == '\r')
                part.remove_suffix(1);
            collect(part, depth + 1, parts);
            start = next == std::string_view::npos ? next : next + 1;
        }
        return;
    }
    MimePart part;
    part.type = lower(trim(std::string_view(type).substr(0, type.find(';'))));
    if (part.type.empty())
        part.type = "text/plain";
    const std::string disposition = field(entity.head, "Content-Disposition");
    part.disposition = lower(trim(std::string_view(disposition).substr(0, disposition.find(';'))));
    part.name = decode_words(parameter(disposition, "filename"));
    if (part.name.empty())
        part.name = decode_words(parameter(type, "name"));
    part.content_id = field(entity.head, "Content-ID");
    part.encoding = lower(field(entity.head, "Content-Transfer-Encoding"));
    part.body = entity.body;
    parts.push_back(std::move(part));
}

}  // namespace

std::string MimePart::decoded() const {
    if (encoding == "base64")
        return base64_decode_lenient(body);
    if (encoding == "quoted-printable")
        return decode_quoted_printable(body, false);
    return std::string(body);
}

bool MimePart::is_attachment() const {
    return disposition == "attachment" || (!name.empty() && disposition != "inline") ||
           (!type.starts_with("text/") && disposition != "inline" && content_id.empty());
}

MailHeader read_header(std::string_view mail) {
    const std::string_view head = divide(mail).head;
    MailHeader out;
    const std::string from = decode_words(field(head, "From"));
    const auto open = from.rfind('<');
    if (open != std::string::npos) {
        out.from_name = trim(std::string_view(from).substr(0, open));
        out.from_address = from.substr(open + 1, from.find('>', open) - open - 1);
        if (out.from_name.size() > 1 && out.from_name.front() == '"') {
            out.from_name = out.from_name.substr(1, out.from_name.rfind('"') - 1);
        }
    } else {
        out.from_address = from;
    }
    out.to = decode_words(field(head, "To"));
    out.subject = decode_words(field(head, "Subject"));
    out.message_id = field(head, "Message-ID");
    out.content_type = lower(field(head, "Content-Type"));
    return out;
}

std::vector<std::pair<std::string, std::string>> read_fields(std::string_view mail) {
    std::vector<std::pair<std::string, std::string>> fields;
    for (std::string_view line : split(divide(mail).head, '\n')) {
        if (!line.empty() && line.back() == '\r')
            line.remove_suffix(1);
        if (!line.empty() && (line[0] == ' ' || line[0] == '\t')) {
            if (!fields.empty())
                fields.back().second += " " + std::string(trim(line));
            continue;
        }
        if (const auto colon = line.find(':'); colon != std::string_view::npos) {
            fields.emplace_back(trim(line.substr(0, colon)), trim(line.substr(colon + 1)));
        }
    }
    return fields;
}

std::vector<MimePart> read_parts(std::string_view mail) {
    std::vector<MimePart> parts;
    collect(mail, 0, parts);
    return parts;
}

}  // namespace graph_simulator
