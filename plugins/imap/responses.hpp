#pragma once

#include <cstdint>
#include <map>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "uid_set.hpp"

/// What this program reads from responses. Each parse function gives nothing for a response of
/// another kind and for one that does not fit the grammar: servers send much that nobody asked for.
namespace openarchiver::imap {

/// `* OK [CODE argument] words`, or with a tag; of a continuation (`+ words`) the condition is "+".
struct StatusResponse {
    std::string tag;
    std::string condition;
    std::string code;
    std::string argument;
    std::string words;
};

/// `* LIST (\HasChildren \Sent) "/" name`
struct ListedMailbox {
    std::set<std::string> attributes;  // upper case, with the backslash
    std::string separator;             // empty: there is no hierarchy
    std::string name;
};

/// `* STATUS name (MESSAGES 5 ...)`, by upper case item.
struct MailboxStatus {
    std::string name;
    std::map<std::string, std::string> items;
};

/// `* 5 FETCH (...)`
struct FetchedMessage {
    UidSet::Uid uid = 0;
    std::optional<sdk::Timestamp> received_at;
    std::optional<std::uint64_t> size;
    /// EMAILID, X-GM-MSGID or X-GUID: what was asked for.
    std::string stable_id;
    /// X-GM-LABELS: names of mailboxes, and `\\Inbox` and the like for Gmail's own.
    std::vector<std::string> labels;
    /// BODY[], where it was no literal of its own; nothing inside: NIL.
    std::optional<std::optional<std::string>> content;
};

struct SearchResult {
    UidSet uids;
    std::optional<std::uint64_t> count;
};

std::optional<StatusResponse> parse_status_response(std::string_view text);
/// The words after `* CAPABILITY`, or of that response code's argument.
std::set<std::string> parse_capabilities(std::string_view words);

/// The first word of an untagged response, and what follows: "EXISTS" for `* 5 EXISTS`.
struct Untagged {
    std::string kind;
    std::uint64_t number = 0;
    std::string_view rest;
};

std::optional<Untagged> parse_untagged(std::string_view text);
std::optional<ListedMailbox> parse_list(std::string_view rest);
std::optional<MailboxStatus> parse_mailbox_status(std::string_view rest);
std::optional<FetchedMessage> parse_fetch(std::string_view rest);
std::optional<SearchResult> parse_search(std::string_view rest);
std::optional<SearchResult> parse_esearch(std::string_view rest);
std::optional<UidSet> parse_vanished(std::string_view rest);
/// The prefixes of the namespaces of other users and of shared mailboxes (RFC 2342).
std::optional<std::vector<std::string>> parse_foreign_namespaces(std::string_view rest);
/// The value of "name" in an ID response (RFC 2971).
std::string parse_server_name(std::string_view rest);
/// "26-Nov-2026 06:29:49 +0000"
std::optional<sdk::Timestamp> parse_date_time(std::string_view text);

}  // namespace openarchiver::imap
