#include "evidence/statement.hpp"

#include <span>
#include <vector>

#include "evidence/text.hpp"

namespace openarchiver::evidence {

using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

constexpr std::string_view kFirstLine = "openarchiver item 0";
constexpr std::string_view kExact = "exact";
constexpr std::string_view kReconstructed = "reconstructed";

Error malformed(std::string_view what) {
    return {Errc::invalid_argument, "the statement is malformed: " + std::string(what)};
}

}  // namespace

std::string to_text(const Statement& s) {
    std::string text(kFirstLine);
    const auto line = [&](std::string_view name, std::string_view value) {
        ((text += '\n') += name) += ' ';
        text += value;
    };
    line("archive", s.archive_id);
    line("source", percent_encoded(s.source));
    line("account", percent_encoded(s.account));
    line("item", percent_encoded(s.item));
    line("media_type", percent_encoded(s.media_type));
    line("content", archive::to_hex(s.content));
    line("size", std::to_string(s.size));
    line("received_at", s.received_at ? time_text(*s.received_at) : "unknown");
    line("archived_at", time_text(s.archived_at));
    line("fidelity", s.exact ? kExact : kReconstructed);
    text += '\n';
    return text;
}

Result<Statement> parse_statement(std::string_view text) {
    auto rest = text;
    if (take_line(rest) != kFirstLine) {
        return malformed("it does not begin with \"" + std::string(kFirstLine) + "\"");
    }
    Statement s;
    const auto plain = [&](std::string_view name, std::string& value) {
        const auto found = take_value(rest, name);
        const auto decoded = found ? percent_decoded(*found) : std::nullopt;
        value = decoded.value_or("");
        return decoded.has_value();
    };
    if (!plain("archive", s.archive_id) || !plain("source", s.source) ||
        !plain("account", s.account) || !plain("item", s.item) ||
        !plain("media_type", s.media_type)) {
        return malformed("a member is missing");
    }
    const auto content = archive::digest_from_hex(take_value(rest, "content").value_or(""));
    const auto size = number_from(take_value(rest, "size").value_or(""));
    const auto received = take_value(rest, "received_at").value_or("");
    const auto archived = time_from(take_value(rest, "archived_at").value_or(""));
    const auto fidelity = take_value(rest, "fidelity").value_or("");
    if (!content || !size || !archived) {
        return malformed("a member is missing");
    }
    s.content = *content;
    s.size = *size;
    s.received_at = time_from(received);
    s.archived_at = *archived;
    s.exact = fidelity == kExact;
    if (to_text(s) != text) {
        return malformed("it is not in the form in which it is written");
    }
    return s;
}

Digest commitment(const LeafSalt& salt, std::string_view statement) {
    std::vector<std::byte> entry(salt.begin(), salt.end());
    const auto bytes = std::as_bytes(std::span(statement.data(), statement.size()));
    entry.insert(entry.end(), bytes.begin(), bytes.end());
    return leaf_hash(entry);
}

}  // namespace openarchiver::evidence
