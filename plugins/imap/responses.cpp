#include "responses.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

#include "scanner.hpp"

namespace openarchiver::imap {

namespace {

std::optional<int> digits(std::string_view text) {
    int value = 0;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    return error == std::errc() && at == end && value >= 0 ? std::optional(value) : std::nullopt;
}

std::optional<UidSet::Uid> uid_of(std::uint64_t number) {
    return number > 0 && number <= std::numeric_limits<UidSet::Uid>::max()
               ? std::optional(static_cast<UidSet::Uid>(number))
               : std::nullopt;
}

}  // namespace

std::optional<StatusResponse> parse_status_response(std::string_view text) {
    StatusResponse response;
    if (text.starts_with('+')) {
        response.condition = "+";
        response.words = text.size() > 2 ? text.substr(2) : "";
        return response;
    }
    Scanner scanner(text);
    response.tag = scanner.string().value_or("");
    scanner.spaces();
    if (scanner.at_end()) {
        return std::nullopt;
    }
    response.condition = scanner.word();
    constexpr std::array<std::string_view, 5> kConditions = {"OK", "NO", "BAD", "BYE", "PREAUTH"};
    if (std::ranges::find(kConditions, response.condition) == kConditions.end()) {
        return std::nullopt;
    }
    scanner.spaces();
    std::string_view left = scanner.left();
    if (left.starts_with('[')) {
        const std::size_t end = left.find(']');
        const std::string_view code = left.substr(1, end == std::string_view::npos ? end : end - 1);
        const std::size_t space = code.find(' ');
        response.code = upper(code.substr(0, space));
        response.argument = space == std::string_view::npos ? "" : code.substr(space + 1);
        left.remove_prefix(std::min(left.size(), code.size() + 2));
        left.remove_prefix(std::min(left.find_first_not_of(' '), left.size()));
    }
    response.words = left;
    return response;
}

std::set<std::string> parse_capabilities(std::string_view words) {
    std::set<std::string> capabilities;
    Scanner scanner(words);
    scanner.spaces();
    while (!scanner.at_end()) {
        capabilities.insert(scanner.word());
        scanner.spaces();
    }
    capabilities.erase("");
    return capabilities;
}

std::optional<Untagged> parse_untagged(std::string_view text) {
    Scanner scanner(text);
    if (!scanner.accept('*')) {
        return std::nullopt;
    }
    scanner.spaces();
    Untagged untagged;
    const std::string_view left = scanner.left();
    if (!left.empty() && left.front() >= '0' && left.front() <= '9') {
        untagged.number = scanner.number();
        scanner.spaces();
    }
    if (scanner.at_end()) {
        return std::nullopt;
    }
    untagged.kind = scanner.word();
    scanner.spaces();
    untagged.rest = scanner.left();
    return scanner.failed() ? std::nullopt : std::optional(untagged);
}

std::optional<ListedMailbox> parse_list(std::string_view rest) {
    Scanner scanner(rest);
    ListedMailbox mailbox;
    scanner.expect('(');
    scanner.list([&] { mailbox.attributes.insert(scanner.word()); });
    scanner.spaces();
    mailbox.separator = scanner.string().value_or("");
    scanner.spaces();
    // An atom as it is, even where it is NIL: a mailbox may be called so.
    const std::string_view left = scanner.left();
    mailbox.name = scanner.string().value_or(std::string(left.substr(0, 3)));
    return scanner.failed() || mailbox.name.empty() ? std::nullopt : std::optional(mailbox);
}

std::optional<MailboxStatus> parse_mailbox_status(std::string_view rest) {
    Scanner scanner(rest);
    MailboxStatus status;
    status.name = scanner.string().value_or(std::string(rest.substr(0, 3)));
    scanner.spaces();
    scanner.expect('(');
    scanner.list([&] {
        const std::string item = scanner.word();
        scanner.spaces();
        const bool bracketed = scanner.accept('(');  // MAILBOXID (F123), RFC 8474
        status.items[item] = scanner.string().value_or("");
        if (bracketed) {
            scanner.expect(')');
        }
    });
    return scanner.failed() ? std::nullopt : std::optional(status);
}

std::optional<FetchedMessage> parse_fetch(std::string_view rest) {
    Scanner scanner(rest);
    FetchedMessage message;
    scanner.expect('(');
    scanner.list([&] {
        const std::string item = scanner.word();
        scanner.spaces();
        if (item == "UID") {
            message.uid = uid_of(scanner.number()).value_or(0);
        } else if (item == "RFC822.SIZE") {
            message.size = scanner.number();
        } else if (item == "INTERNALDATE") {
            message.received_at = parse_date_time(scanner.string().value_or(""));
        } else if (item == "EMAILID" || item == "X-GM-MSGID" || item == "X-GUID") {
            const bool bracketed = scanner.accept('(');
            message.stable_id = scanner.string().value_or("");
            if (bracketed) {
                scanner.expect(')');
            }
        } else if (item == "X-GM-LABELS") {
            scanner.expect('(');
            scanner.list([&] { message.labels.push_back(scanner.string().value_or("")); });
        } else if (item == "BODY[]") {
            message.content = scanner.string();
        } else {
            scanner.skip();
        }
    });
    return scanner.failed() ? std::nullopt : std::optional(message);
}

std::optional<SearchResult> parse_search(std::string_view rest) {
    Scanner scanner(rest);
    SearchResult result;
    scanner.spaces();
    while (!scanner.at_end() && !scanner.left().starts_with('(')) {  // (MODSEQ 5), RFC 7162
        if (const auto uid = uid_of(scanner.number())) {
            result.uids.add(*uid);
        }
        scanner.spaces();
    }
    return scanner.failed() ? std::nullopt : std::optional(result);
}

std::optional<SearchResult> parse_esearch(std::string_view rest) {
    Scanner scanner(rest);
    SearchResult result;
    scanner.spaces();
    if (scanner.left().starts_with('(')) {  // (TAG "a1")
        scanner.skip();
        scanner.spaces();
    }
    while (!scanner.at_end()) {
        const std::string item = scanner.word();
        scanner.spaces();
        if (item == "UID") {
            continue;
        }
        if (item == "ALL") {
            const auto uids = UidSet::parse(scanner.string().value_or("?"));
            if (!uids) {
                return std::nullopt;
            }
            result.uids = *uids;
        } else if (item == "COUNT") {
            result.count = scanner.number();
        } else {
            scanner.skip();
        }
        scanner.spaces();
    }
    return scanner.failed() ? std::nullopt : std::optional(result);
}

std::optional<UidSet> parse_vanished(std::string_view rest) {
    Scanner scanner(rest);
    if (scanner.left().starts_with('(')) {  // (EARLIER)
        scanner.skip();
        scanner.spaces();
    }
    const auto text = scanner.string();
    return text ? UidSet::parse(*text) : std::nullopt;
}

std::optional<std::vector<std::string>> parse_foreign_namespaces(std::string_view rest) {
    Scanner scanner(rest);
    std::vector<std::string> prefixes;
    for (int kind = 0; kind < 3; ++kind) {
        scanner.spaces();
        if (!scanner.accept('(')) {
            scanner.skip();  // NIL
            continue;
        }
        scanner.list([&] {
            scanner.expect('(');
            const std::string prefix = scanner.string().value_or("");
            if (kind > 0 && !prefix.empty()) {
                prefixes.push_back(prefix);
            }
            scanner.list([&] { scanner.skip(); });
        });
    }
    return scanner.failed() ? std::nullopt : std::optional(prefixes);
}

std::string parse_server_name(std::string_view rest) {
    Scanner scanner(rest);
    std::string name;
    if (scanner.accept('(')) {
        scanner.list([&] {
            const std::string key = scanner.string().value_or("");
            scanner.spaces();
            const std::string value = scanner.string().value_or("");
            if (equal_ignoring_case(key, "name")) {
                name = value;
            }
        });
    }
    return scanner.failed() ? std::string() : name;
}

std::optional<sdk::Timestamp> parse_date_time(std::string_view text) {
    // date-time = DQUOTE date-day-fixed "-" date-month "-" date-year SP time SP zone DQUOTE
    constexpr std::string_view kMonths = "JANFEBMARAPRMAYJUNJULAUGSEPOCTNOVDEC";
    if (text.size() != 26 || text[2] != '-' || text[6] != '-' || text[11] != ' ' ||
        text[14] != ':' || text[17] != ':' || text[20] != ' ') {
        return std::nullopt;
    }
    const auto day = digits(text[0] == ' ' ? text.substr(1, 1) : text.substr(0, 2));
    const std::size_t month = kMonths.find(upper(text.substr(3, 3)));
    const auto year = digits(text.substr(7, 4));
    const auto hours = digits(text.substr(12, 2));
    const auto minutes = digits(text.substr(15, 2));
    const auto seconds = digits(text.substr(18, 2));
    const auto zone_hours = digits(text.substr(22, 2));
    const auto zone_minutes = digits(text.substr(24, 2));
    if (!day || month == std::string_view::npos || month % 3 != 0 || !year || !hours || !minutes ||
        !seconds || !zone_hours || !zone_minutes) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date(std::chrono::year(*year),
                                           std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
                                           std::chrono::day(static_cast<unsigned>(*day)));
    if (!date.ok()) {
        return std::nullopt;
    }
    const auto offset = std::chrono::hours(*zone_hours) + std::chrono::minutes(*zone_minutes);
    const auto local = std::chrono::sys_days(date) + std::chrono::hours(*hours) +
                       std::chrono::minutes(*minutes) + std::chrono::seconds(*seconds);
    return sdk::Timestamp(text[21] == '-' ? local + offset : local - offset);
}

}  // namespace openarchiver::imap
