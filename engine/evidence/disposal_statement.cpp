#include "evidence/disposal_statement.hpp"

#include "evidence/text.hpp"

namespace openarchiver::evidence {

using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

constexpr std::string_view kFirstLine = "openarchiver disposal 0";

}  // namespace

Digest digest_of_refs(std::span<const std::string> refs) {
    std::string lines;
    for (const auto& ref : refs) {
        (lines += ref) += '\n';
    }
    return archive::sha256(lines);
}

std::string to_text(const DisposalStatement& s) {
    std::string text(kFirstLine);
    const auto line = [&](std::string_view name, std::string_view value) {
        ((text += '\n') += name) += ' ';
        text += value;
    };
    line("archive", s.archive_id);
    line("disposal", percent_encoded(s.disposal));
    line("cause", percent_encoded(s.cause));
    line("policy", percent_encoded(s.policy));
    line("reason", percent_encoded(s.reason));
    line("by", percent_encoded(s.by));
    line("items", std::to_string(s.items));
    line("versions", std::to_string(s.versions));
    line("bytes", std::to_string(s.bytes));
    line("refs", archive::to_hex(s.refs));
    line("disposed_at", time_text(s.disposed_at));
    text += '\n';
    return text;
}

Result<DisposalStatement> parse_disposal_statement(std::string_view text) {
    auto rest = text;
    (void)take_line(rest);
    DisposalStatement s;
    bool whole = true;
    const auto value = [&](std::string_view name) {
        const auto found = take_value(rest, name);
        whole = whole && found;
        return found.value_or("");
    };
    const auto plain = [&](std::string_view name) {
        const auto decoded = percent_decoded(value(name));
        whole = whole && decoded;
        return decoded.value_or("");
    };
    const auto number = [&](std::string_view name) {
        const auto read = number_from(value(name));
        whole = whole && read;
        return read.value_or(0);
    };
    s.archive_id = plain("archive");
    s.disposal = plain("disposal");
    s.cause = plain("cause");
    s.policy = plain("policy");
    s.reason = plain("reason");
    s.by = plain("by");
    s.items = number("items");
    s.versions = number("versions");
    s.bytes = number("bytes");
    const auto refs = archive::digest_from_hex(value("refs"));
    const auto at = time_from(value("disposed_at"));
    if (refs && at) {
        s.refs = *refs;
        s.disposed_at = *at;
    }
    if (!whole || to_text(s) != text) {
        return Error{Errc::invalid_argument,
                     "the statement is malformed: it is not in the form in which it is written"};
    }
    return s;
}

bool is_disposal_statement(std::string_view text) {
    return text.starts_with(kFirstLine);
}

}  // namespace openarchiver::evidence
