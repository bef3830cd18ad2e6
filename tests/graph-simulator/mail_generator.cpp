#include "mail_generator.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "bytes.hpp"
#include "text.hpp"
#include "time_text.hpp"

namespace graph_simulator {
namespace {

constexpr std::array<std::string_view, 24> kGiven = {
    "Anna", "Bo",    "Carla", "Dieter", "Elif",  "Frank", "Grete", "Hugo",
    "Ines", "Jonas", "Katja", "Lars",   "Marta", "Nils",  "Olga",  "Pavel",
    "Ruth", "Sven",  "Tanja", "Uwe",    "Vera",  "Wanda", "Xaver", "Yara"};
constexpr std::array<std::string_view, 24> kFamily = {
    "Kos",    "Lind",  "Moreau", "Novak", "Okafor",  "Petrov", "Quist",  "Rossi",
    "Sato",   "Tamm",  "Ulrich", "Vidal", "Weber",   "Young",  "Zeman",  "Adler",
    "Berger", "Costa", "Dubois", "Egger", "Fischer", "Garcia", "Hansen", "Ito"};
constexpr std::array<std::string_view, 8> kDomains = {
    "fabrikam.example", "northwind.example", "adatum.example",     "litware.example",
    "tailspin.example", "wingtip.example",   "newsletter.example", "tickets.example"};
constexpr std::array<std::string_view, 48> kWords = {
    "the",      "report",  "and",     "please", "review",   "attached", "meeting", "to",
    "invoice",  "of",      "project", "in",     "schedule", "delivery", "with",    "customer",
    "contract", "we",      "budget",  "for",    "quarter",  "on",       "travel",  "is",
    "approval", "order",   "this",    "number", "change",   "request",  "from",    "support",
    "ticket",   "that",    "release", "will",   "team",     "by",       "date",    "supplier",
    "be",       "payment", "draft",   "as",     "version",  "comments", "you",     "today"};
constexpr std::array<std::string_view, 12> kTopics = {"Quarterly report",
                                                      "Invoice",
                                                      "Meeting on Thursday",
                                                      "Gr\xC3\xBC\xC3\x9F"
                                                      "e aus M\xC3\xBCnchen",
                                                      "Order confirmation",
                                                      "Re: Contract draft",
                                                      "Project status",
                                                      "Travel request",
                                                      "\xE8\xAD\xB0\xE4\xBA\x8B\xE9\x8C\xB2",
                                                      "Your ticket",
                                                      "Weekly digest",
                                                      "Rechnung f\xC3\xBCr September"};

constexpr std::size_t kLineLength = 72;
constexpr std::size_t kBase64Line = 76;
constexpr std::uint64_t kSharedFiles = 40;

bool is_ascii(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::string encoded_word(std::string_view text) {
    return is_ascii(text) ? std::string(text) : "=?utf-8?B?" + base64_encode(text) + "?=";
}

std::uint64_t base64_size(std::uint64_t characters) {
    return characters + 2 * ((characters + kBase64Line - 1) / kBase64Line);
}

// The number of base64 characters (a multiple of 4) whose lines fit into `room` bytes.
std::uint64_t base64_characters(std::uint64_t room) {
    std::uint64_t characters = room / (kBase64Line + 2) * kBase64Line;
    const std::uint64_t left = room % (kBase64Line + 2);
    if (left > 6)
        characters += (left - 2) / 4 * 4;
    return characters;
}

class PlanBuilder {
public:
    void literal(std::string text) {
        if (!plan_.segments.empty() && plan_.segments.back().kind == Segment::Kind::Literal) {
            plan_.segments.back().text += text;
            plan_.segments.back().length += text.size();
        } else {
            const std::uint64_t length = text.size();
            plan_.segments.push_back({Segment::Kind::Literal, std::move(text), 0, length});
        }
    }

    void words(std::uint64_t seed, std::uint64_t length) {
        plan_.segments.push_back(
            {Segment::Kind::Words, {}, seed, std::max<std::uint64_t>(length, 2)});
    }

    void base64(std::uint64_t seed, std::uint64_t characters) {
        if (characters == 0)
            return;
        plan_.segments.push_back({Segment::Kind::Base64, {}, seed, base64_size(characters)});
    }

    std::uint64_t size() const {
        std::uint64_t total = 0;
        for (const Segment& segment : plan_.segments) total += segment.length;
        return total;
    }

    MailPlan finish() {
        plan_.size = size();
        return std::move(plan_);
    }

private:
    MailPlan plan_;
};

class PlanSource : public BodySource {
public:
    explicit PlanSource(MailPlan plan) : plan_(std::move(plan)) { enter(); }

    std::size_t read(char* out, std::size_t room) override {
        std::size_t written = 0;
        while (written < room) {
            if (line_at_ == line_.size() && !next_line())
                break;
            const std::size_t take = std::min(room - written, line_.size() - line_at_);
            std::memcpy(out + written, line_.data() + line_at_, take);
            line_at_ += take;
            written += take;
        }
        return written;
    }

private:
    void enter() {
        if (index_ < plan_.segments.size()) {
            left_ = plan_.segments[index_].length;
            random_ = Random(plan_.segments[index_].seed);
        }
    }

    bool next_line() {
        line_at_ = 0;
        line_.clear();
        while (index_ < plan_.segments.size() && left_ == 0) {
            ++index_;
            enter();
        }
        if (index_ >= plan_.segments.size())
            return false;
        Segment& segment = plan_.segments[index_];
        switch (segment.kind) {
            case Segment::Kind::Literal:
                line_ = std::move(segment.text);
                break;
            case Segment::Kind::Words:
                word_line();
                break;
            case Segment::Kind::Base64:
                base64_lines();
                break;
        }
        left_ -= line_.size();
        return true;
    }

    // Never leaves a single byte over, which could not hold a line end.
    void word_line() {
        while (line_.size() < kLineLength - 12) {
            const std::uint64_t word = random_.next();
            line_ += kWords[word % kWords.size()];
            if ((word >> 60U) == 0)
                line_.push_back('.');
            line_.push_back(' ');
        }
        line_.pop_back();
        if (line_.size() + 2 >= left_)
            line_.resize(left_ - 2, '.');
        else if (line_.size() + 3 == left_)
            line_.push_back('.');
        line_ += "\r\n";
    }

    void base64_lines() {
        static constexpr std::string_view kAlphabet =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        std::uint64_t lines = 0;
        while (left_ > line_.size() && lines++ < 100) {
            const std::uint64_t room = left_ - line_.size();
            auto count = static_cast<std::size_t>(std::min<std::uint64_t>(kBase64Line, room - 2));
            const std::size_t start = line_.size();
            line_.resize(start + count + 2);
            char* at = line_.data() + start;
            for (; count >= 10; count -= 10, at += 10) {
                std::uint64_t word = random_.next();
                for (int i = 0; i < 10; ++i, word >>= 6U) at[i] = kAlphabet[word & 63U];
            }
            std::uint64_t word = random_.next();
            for (; count > 0; --count, ++at, word >>= 6U) *at = kAlphabet[word & 63U];
            at[0] = '\r';
            at[1] = '\n';
        }
    }

    MailPlan plan_;
    std::size_t index_ = 0;
    std::uint64_t left_ = 0;
    Random random_{0};
    std::string line_;
    std::size_t line_at_ = 0;
};

std::string tag(Random& random) {
    std::string digits = guid_from(random);
    digits.erase(std::remove(digits.begin(), digits.end(), '-'), digits.end());
    return digits;
}

std::string host_name(Random& random) {
    return "PR0" + std::to_string(random.below(9)) + "MB" +
           std::to_string(1000 + random.below(9000)) + ".eurprd05.prod.outlook.example";
}

void write_headers(PlanBuilder& out, Random& random, const MailRequest& request,
                   const Envelope& envelope) {
    std::string text;
    if (!request.draft) {
        const int hops = 2 + static_cast<int>(random.below(3));
        for (int hop = 0; hop < hops; ++hop) {
            text += "Received: from " + host_name(random) +
                    " (2603:10a6:" + std::to_string(random.below(90) + 10) +
                    "::" + std::to_string(random.below(99)) + ")\r\n by " + host_name(random) +
                    " with HTTPS; " + mail_date(request.received - hop) + "\r\n";
        }
        text += "Authentication-Results: spf=pass (sender IP is 192.0.2." +
                std::to_string(random.below(250) + 1) + ")\r\n smtp.mailfrom=" +
                envelope.from_address.substr(envelope.from_address.find('@') + 1) +
                "; dkim=pass (signature was verified);dmarc=pass action=none\r\n";
        if (random.below(2) == 0) {
            text +=
                "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; s=selector1;\r\n"
                " h=From:Date:Subject:Message-ID:Content-Type:MIME-Version; b=";
            for (int line = 0; line < 4; ++line) {
                std::string bytes;
                for (int i = 0; i < 6; ++i) {
                    const std::uint64_t word = random.next();
                    bytes.append(reinterpret_cast<const char*>(&word), sizeof(word));
                }
                text += "\r\n " + base64_encode(bytes);
            }
            text += "\r\n";
        }
    }
    text += "From: " + encoded_word(envelope.from_name) + " <" + envelope.from_address + ">\r\n";
    text += "To: " + encoded_word(envelope.to_name) + " <" + envelope.to_address + ">\r\n";
    if (random.below(4) == 0) {
        const std::string other = person_name(random.below(500));
        text += "CC: " + other + " <" + lower(other.substr(0, other.find(' '))) + "@" +
                std::string(kDomains[random.below(kDomains.size())]) + ">\r\n";
    }
    text += "Subject: " + encoded_word(envelope.subject) + "\r\n";
    text += "Date: " + mail_date(envelope.sent) + "\r\n";
    text += "Message-ID: " + envelope.message_id + "\r\n";
    if (!envelope.in_reply_to.empty()) {
        text += "In-Reply-To: " + envelope.in_reply_to + "\r\nReferences: " + envelope.in_reply_to +
                "\r\n";
    }
    if (!request.draft) {
        text +=
            "Accept-Language: en-US, de-DE\r\nContent-Language: en-US\r\n"
            "X-MS-Has-Attach: " +
            std::string(envelope.attachments ? "yes" : "") +
            "\r\nX-MS-Exchange-Organization-SCL: " + std::to_string(random.below(3)) +
            "\r\nX-MS-TNEF-Correlator:\r\n";
    }
    text += "MIME-Version: 1.0\r\n";
    out.literal(std::move(text));
}

void text_part(PlanBuilder& out, Random& random, std::uint64_t length) {
    out.literal(
        "Content-Type: text/plain; charset=\"utf-8\"\r\n"
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        "Gr=C3=BC=C3=9Fe,\r\n\r\n");
    out.words(random.next(), length);
}

void html_part(PlanBuilder& out, Random& random, std::uint64_t length) {
    out.literal(
        "Content-Type: text/html; charset=\"us-ascii\"\r\n"
        "Content-Transfer-Encoding: 7bit\r\n\r\n"
        "<html><head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html\">\r\n"
        "<style>\r\np.MsoNormal, li.MsoNormal { margin: 0cm; font-size: 11.0pt;\r\n"
        " font-family: \"Calibri\", sans-serif; }\r\n</style></head>\r\n"
        "<body lang=\"EN-US\">\r\n");
    while (length > 0) {
        const std::uint64_t part = std::min<std::uint64_t>(length, 600 + random.below(900));
        out.literal("<p class=\"MsoNormal\"><span lang=\"EN-US\">\r\n");
        out.words(random.next(), part);
        out.literal("</span></p>\r\n");
        length -= part;
    }
    out.literal("</body></html>\r\n");
}

void alternative(PlanBuilder& out, Random& random, std::uint64_t length) {
    const std::string boundary = "_000_" + tag(random) + "_";
    out.literal("Content-Type: multipart/alternative;\r\n boundary=\"" + boundary + "\"\r\n\r\n--" +
                boundary + "\r\n");
    text_part(out, random, length / 3 + 60);
    out.literal("\r\n--" + boundary + "\r\n");
    html_part(out, random, length);
    out.literal("\r\n--" + boundary + "--\r\n");
}

struct FileType {
    std::string_view extension;
    std::string_view type;
};

constexpr std::array<FileType, 5> kFileTypes = {
    {{"pdf", "application/pdf"},
     {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
     {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
     {"png", "image/png"},
     {"zip", "application/zip"}}};

void attachment(PlanBuilder& out, std::uint64_t seed, std::uint64_t characters) {
    Random random(seed);
    const FileType& file = kFileTypes[random.below(kFileTypes.size())];
    const std::string name = std::string(kWords[random.below(kWords.size())]) + "-" +
                             std::to_string(random.below(1000)) + "." + std::string(file.extension);
    out.literal("Content-Type: " + std::string(file.type) + "; name=\"" + name + "\"\r\n" +
                "Content-Description: " + name + "\r\n" +
                "Content-Disposition: attachment; filename=\"" + name +
                "\"; size=" + std::to_string(characters / 4 * 3) +
                "\r\nContent-Transfer-Encoding: base64\r\n\r\n");
    out.base64(random.next(), characters);
}

// Log-normal with the given median, in bytes.
std::uint64_t spread(Random& random, double median, double sigma, double most) {
    const double normal = std::sqrt(-2.0 * std::log(1.0 - random.unit())) *
                          std::cos(6.283185307179586 * random.unit());
    return static_cast<std::uint64_t>(std::min(median * std::exp(sigma * normal), most));
}

void mixed(PlanBuilder& out, Random& random) {
    const std::string boundary = "_004_" + tag(random) + "_";
    out.literal("Content-Type: multipart/mixed;\r\n boundary=\"" + boundary + "\"\r\n\r\n--" +
                boundary + "\r\n");
    alternative(out, random, spread(random, 2500, 0.8, 60000));
    const int files = 1 + static_cast<int>(random.below(3));
    for (int i = 0; i < files; ++i) {
        out.literal("\r\n--" + boundary + "\r\n");
        // Some files are sent to many people: the archive should store those once.
        const bool shared = random.below(4) == 0;
        const std::uint64_t seed = shared ? mix(77, random.below(kSharedFiles)) : random.next();
        Random sizes(seed);
        attachment(out, seed, spread(sizes, 60000, 1.1, 6e6) / 4 * 4);
    }
    out.literal("\r\n--" + boundary + "--\r\n");
}

MailPlan exact(PlanBuilder&& head, const MailRequest& request, Random& random) {
    const std::string boundary = "_004_" + tag(random) + "_";
    head.literal("Content-Type: multipart/mixed;\r\n boundary=\"" + boundary + "\"\r\n\r\n--" +
                 boundary + "\r\nContent-Type: text/plain; charset=\"us-ascii\"\r\n\r\n");
    const std::string middle = "\r\n--" + boundary +
                               "\r\nContent-Type: application/octet-stream; name=\"large.bin\"\r\n"
                               "Content-Disposition: attachment; filename=\"large.bin\"\r\n"
                               "Content-Transfer-Encoding: base64\r\n\r\n";
    const std::string end = "\r\n--" + boundary + "--\r\n";
    const std::uint64_t fixed = head.size() + middle.size() + end.size();
    const std::uint64_t room = request.exact_size > fixed ? request.exact_size - fixed : 0;
    constexpr std::uint64_t kLeastWords = 2;
    const std::uint64_t characters = room > kLeastWords ? base64_characters(room - kLeastWords) : 0;
    const std::uint64_t encoded = characters == 0 ? 0 : base64_size(characters);
    head.words(random.next(), room - std::min(room, encoded));
    head.literal(middle);
    head.base64(random.next(), characters);
    head.literal(end);
    return head.finish();
}

}  // namespace

std::string person_name(std::uint64_t index) {
    const std::uint64_t family = (index + index / kGiven.size()) % kFamily.size();
    return std::string(kGiven[index % kGiven.size()]) + " " + std::string(kFamily[family]);
}

Envelope make_envelope(const MailRequest& request) {
    Random random(mix(request.seed, 1));
    Envelope envelope;
    const std::string other = person_name(random.below(500));
    const std::string domain(kDomains[random.below(kDomains.size())]);
    const std::string address = lower(other.substr(0, other.find(' '))) + "." +
                                lower(other.substr(other.find(' ') + 1)) + "@" + domain;
    const bool own = request.sent_by_owner || request.draft;
    envelope.from_name = own ? request.owner_name : other;
    envelope.from_address = own ? request.owner_address : address;
    envelope.to_name = own ? other : request.owner_name;
    envelope.to_address = own ? address : request.owner_address;
    envelope.subject = std::string(kTopics[random.below(kTopics.size())]) + " " +
                       std::to_string(1000 + random.below(9000));
    envelope.message_id =
        "<" + tag(random).substr(0, 28) + "@" + (own ? "contoso.example" : "mail." + domain) + ">";
    if (random.below(3) == 0) {
        envelope.in_reply_to = "<" + std::to_string(random.next()) + "@mail." + domain + ">";
    }
    envelope.sent = request.received - 5;
    envelope.attachments = request.exact_size != 0 || random.below(100) < 18;
    return envelope;
}

MailPlan make_mail(const MailRequest& request) {
    const Envelope envelope = make_envelope(request);
    Random random(mix(request.seed, 2));
    PlanBuilder out;
    write_headers(out, random, request, envelope);
    if (request.exact_size != 0)
        return exact(std::move(out), request, random);
    if (envelope.attachments) {
        mixed(out, random);
    } else if (const std::uint64_t kind = random.below(10); kind < 2) {
        text_part(out, random, spread(random, 1500, 0.9, 40000));
    } else if (kind < 3) {
        html_part(out, random, spread(random, 24000, 0.6, 200000));
    } else {
        alternative(out, random, spread(random, 5200, 0.8, 150000));
    }
    return out.finish();
}

std::unique_ptr<BodySource> open_mail(MailPlan plan) {
    return std::make_unique<PlanSource>(std::move(plan));
}

}  // namespace graph_simulator
