#include "connection.hpp"

#include <algorithm>
#include <cstring>

#include "base64.hpp"
#include "scanner.hpp"

namespace openarchiver::imap {

namespace {

using sdk::Errc;

constexpr std::chrono::seconds kConnect{20};
/// For the first byte of an answer, and between its parts: searching a large folder takes servers
/// a while.
constexpr std::chrono::seconds kAnswer{120};
constexpr std::size_t kMaxQuoted = 1000;
/// Without LITERAL+, LITERAL- allows this much (RFC 7888 section 5).
constexpr std::size_t kSmallLiteral = 4096;
constexpr int kMaxChallenges = 4;

std::uint64_t number_of(std::string_view text) {
    Scanner scanner(text);
    return scanner.number();
}

std::uint32_t uid_number(std::string_view text) {
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(number_of(text), UINT32_MAX));
}

std::string mailbox_key(const std::string& name) {
    return equal_ignoring_case(name, "INBOX") ? "INBOX" : name;
}

/// RFC 8474 section 7; Gmail's are decimal numbers.
bool is_object_id(std::string_view id) {
    return !id.empty() && std::ranges::all_of(id, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
               c == '-' || c == '_';
    });
}

sdk::Error not_imap(const Endpoint& server) {
    return failure(Errc::unavailable, server.text() +
                                          " does not answer as an IMAP server does: check host, "
                                          "port and security");
}

}  // namespace

/// A command, with the answer to "what for". Strings become quoted ones or literals, whichever the
/// server takes.
class Connection::Command {
public:
    Command(const Connection& connection, std::string text, std::string_view what, Purpose purpose)
        : connection_(connection), parts_{std::move(text)}, what_(what), purpose_(purpose) {}

    Command& text(std::string_view text) {
        parts_.back() += text;
        return *this;
    }

    Command& string(std::string_view value) {
        const bool quotable = value.size() <= kMaxQuoted && std::ranges::all_of(value, [](char c) {
                                  return c >= 0x20 && c < 0x7F;
                              });
        if (quotable) {
            parts_.back() += '"';
            for (const char c : value) {
                parts_.back() += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
            }
            parts_.back() += '"';
            return *this;
        }
        const bool at_once = connection_.can("LITERAL+") ||
                             (connection_.can("LITERAL-") && value.size() <= kSmallLiteral);
        parts_.back() += "{" + std::to_string(value.size()) + (at_once ? "+}" : "}");
        if (at_once) {
            parts_.back() += "\r\n";
            parts_.back() += value;
        } else {
            parts_.emplace_back(value);
        }
        return *this;
    }

    /// All but the last end before a literal that the server has to ask for.
    [[nodiscard]] const std::vector<std::string>& parts() const { return parts_; }

    [[nodiscard]] sdk::Error refused(const StatusResponse& status) const {
        return refusal(status.condition, status.code, status.words, what_, purpose_);
    }

private:
    const Connection& connection_;
    std::vector<std::string> parts_;
    const std::string what_;
    const Purpose purpose_;
};

Shared::Shared(Settings parsed, const sdk::HostServices& services)
    : settings(std::move(parsed)), host(services), tls(settings.ca_file) {
    if (settings.oauth) {
        tokens = std::make_unique<TokenSource>(*settings.oauth, host, resolver, tls);
    }
}

sdk::Error Connection::broken(sdk::Error error) {
    usable_ = false;
    return error;
}

bool Connection::usable() const {
    return usable_ && !content_ && !reader_.has_more() && !stream_->is_stale();
}

ResponseReader::Source Connection::source(const std::stop_token& stop) {
    return
        [this, stop](std::span<std::byte> buffer) { return stream_->read(buffer, kAnswer, stop); };
}

sdk::Result<Response> Connection::next(const std::stop_token& stop, bool stop_at_content) {
    auto response = reader_.next(source(stop), stop_at_content);
    if (!response) {
        return broken(std::move(response.error()));
    }
    return response;
}

// Signing in

sdk::Result<std::unique_ptr<Connection>> Connection::reach(Shared& shared,
                                                           const std::stop_token& stop) {
    const Settings& settings = shared.settings;
    OPENARCHIVER_TRY(auto stream,
                     Stream::connect(settings.server, shared.resolver, kConnect, stop));
    if (settings.security == Security::tls) {
        OPENARCHIVER_CHECK(stream->secure(shared.tls, kConnect, stop));
    }
    std::unique_ptr<Connection> connection(new Connection(shared, std::move(stream)));
    OPENARCHIVER_CHECK(connection->greet(stop));
    if (settings.security == Security::starttls) {
        if (connection->capabilities_.empty()) {
            OPENARCHIVER_CHECK(connection->ask_capabilities(stop));
        }
        if (!connection->can("STARTTLS")) {
            return failure(Errc::invalid_config,
                           settings.server.text() +
                               " does not offer STARTTLS: set security to tls (port 993)");
        }
        Command command(*connection, "STARTTLS", "to begin TLS", Purpose::other);
        OPENARCHIVER_CHECK(connection->execute(command, stop));
        if (connection->reader_.has_more()) {
            return failure(Errc::unavailable, "something was slipped in before TLS began");
        }
        OPENARCHIVER_CHECK(connection->stream_->secure(shared.tls, kConnect, stop));
        // What was said in the clear does not count (RFC 3501 section 6.2.1).
        connection->capabilities_.clear();
    }
    if (connection->capabilities_.empty()) {
        OPENARCHIVER_CHECK(connection->ask_capabilities(stop));
    }
    return connection;
}

sdk::Status Connection::greet(const std::stop_token& stop) {
    const Endpoint& server = shared_.settings.server;
    OPENARCHIVER_TRY(const Response response, next(stop));
    const auto greeting = parse_status_response(response.text);
    if (!greeting || greeting->tag != "*") {
        return not_imap(server);
    }
    if (greeting->condition == "BYE") {
        return refusal("BYE", greeting->code, greeting->words, "a connection", Purpose::other);
    }
    if (greeting->condition != "OK") {
        return failure(Errc::unsupported,
                       server.text() + " takes the connection for somebody's without a sign-in");
    }
    if (greeting->code == "CAPABILITY") {
        capabilities_ = parse_capabilities(greeting->argument);
    }
    return {};
}

sdk::Status Connection::ask_capabilities(const std::stop_token& stop) {
    Command command(*this, "CAPABILITY", "to tell what it can", Purpose::other);
    OPENARCHIVER_CHECK(execute(command, stop));
    if (!can("IMAP4REV1") && !can("IMAP4REV2")) {
        return not_imap(shared_.settings.server);
    }
    return {};
}

sdk::Status Connection::sign_in(const std::string& account, const std::stop_token& stop) {
    const std::set<std::string> before = capabilities_;
    sdk::Status status = authenticate(account, stop);
    if (!status && status.error().code == Errc::unauthenticated && shared_.tokens && usable_) {
        // The token was discarded: it may have been revoked before its time.
        status = authenticate(account, stop);
    }
    OPENARCHIVER_CHECK(status);
    if (capabilities_ == before) {
        OPENARCHIVER_CHECK(ask_capabilities(stop));
    }
    if (can("ID")) {
        Command command(*this, R"(ID ("name" "OpenArchiver"))", "to tell its name", Purpose::other);
        const auto told = execute(command, stop, [this](const Untagged& untagged) {
            if (untagged.kind == "ID") {
                server_name_ = parse_server_name(untagged.rest);
            }
        });
        if (!told && !usable_) {
            return told;
        }
    }
    settle_names();
    if (can("QRESYNC") && can("ENABLE") && stable_names_.message.empty()) {
        Command command(*this, "ENABLE QRESYNC", "to enable QRESYNC", Purpose::other);
        OPENARCHIVER_CHECK(execute(command, stop));
    }
    return {};
}

void Connection::settle_names() {
    const bool is_dovecot = equal_ignoring_case(server_name_, "Dovecot");
    if (can("OBJECTID")) {
        stable_names_ = {.message = "EMAILID", .folder = "MAILBOXID"};
    } else if (can("X-GM-EXT-1")) {
        stable_names_ = {.message = "X-GM-MSGID", .folder = {}};
    } else if (is_dovecot) {
        stable_names_ = {.message = "X-GUID", .folder = "X-GUID"};
    }
    if (!shared_.settings.stable_ids) {
        stable_names_.message.clear();
    }
}

sdk::Status Connection::authenticate(const std::string& account, const std::stop_token& stop) {
    const Settings& settings = shared_.settings;
    sdk::Result<std::string> token = std::string();
    if (shared_.tokens) {
        token = shared_.tokens->get(stop);
    } else {
        token = shared_.host.secrets.get("/access_token");
    }
    if (!token && token.error().code != Errc::not_found) {
        return token.error();
    }
    if (token) {
        sdk::Status status;
        if (can("AUTH=XOAUTH2")) {
            status = sasl("XOAUTH2",
                          "user=" + account +
                              "\x01"
                              "auth=Bearer " +
                              *token + "\x01\x01",
                          stop);
        } else if (can("AUTH=OAUTHBEARER")) {  // RFC 7628
            status = sasl("OAUTHBEARER",
                          "n,a=" + account +
                              ",\x01"
                              "auth=Bearer " +
                              *token + "\x01\x01",
                          stop);
        } else {
            return failure(Errc::invalid_config,
                           "the server takes no access tokens (neither XOAUTH2 nor OAUTHBEARER): "
                           "configure a password");
        }
        if (!status && shared_.tokens && status.error().code == Errc::unauthenticated) {
            shared_.tokens->discard(*token);
        }
        return status;
    }
    OPENARCHIVER_TRY(const std::string password, shared_.host.secrets.get("/password"));
    const bool by_separator = settings.delegated() && !settings.master_separator.empty();
    const std::string user =
        by_separator ? account + settings.master_separator + settings.user : settings.user;
    const std::string authzid = settings.delegated() && !by_separator ? account : "";
    if (can("AUTH=PLAIN")) {
        return sasl("PLAIN",
                    authzid + std::string(1, '\0') + user + std::string(1, '\0') + password, stop);
    }
    if (!authzid.empty()) {
        return failure(Errc::invalid_config,
                       "the server has no AUTH=PLAIN, so that nobody can sign in for others: set "
                       "master_separator, or leave out accounts");
    }
    if (can("LOGINDISABLED")) {
        return failure(Errc::invalid_config,
                       "the server takes no password on this connection (LOGINDISABLED): set "
                       "security to tls or starttls, or configure an access token");
    }
    Command command(*this, "LOGIN ", "the sign-in", Purpose::signing_in);
    command.string(user).text(" ").string(password);
    return execute(command, stop);
}

sdk::Status Connection::sasl(const std::string& mechanism, const std::string& answer,
                             const std::stop_token& stop) {
    const std::string encoded = to_base64(answer);
    const bool at_once = can("SASL-IR");
    Command command(*this, "AUTHENTICATE " + mechanism + (at_once ? " " + encoded : ""),
                    "the sign-in", Purpose::signing_in);
    OPENARCHIVER_TRY(const std::string tag, send(command, stop));
    bool answered = at_once;
    for (int challenges = 0; challenges < kMaxChallenges;) {
        OPENARCHIVER_TRY(const Response response, next(stop));
        if (response.text.starts_with('+')) {
            // The second one tells why a token is refused, and wants an empty answer.
            const std::string reply = answered ? "\r\n" : encoded + "\r\n";
            answered = true;
            ++challenges;
            if (auto sent = stream_->write(reply, kAnswer, stop); !sent) {
                return broken(std::move(sent.error()));
            }
            continue;
        }
        OPENARCHIVER_TRY(const auto status, take(response, tag, {}));
        if (status) {
            return status->condition == "OK" ? sdk::Status() : command.refused(*status);
        }
    }
    return broken(not_imap(shared_.settings.server));
}

// Commands

sdk::Result<std::string> Connection::send(Command& command, const std::stop_token& stop) {
    if (!usable_) {
        return failure(Errc::unavailable, "the connection is broken");
    }
    shared_.host.metrics.add("requests", 1);
    const std::string tag = "A" + std::to_string(++tags_);
    const std::vector<std::string>& parts = command.parts();
    for (std::size_t i = 0; i < parts.size(); ++i) {
        if (i > 0) {
            // The server has to ask for the literal.
            for (;;) {
                OPENARCHIVER_TRY(const Response response, next(stop));
                if (response.text.starts_with('+')) {
                    break;
                }
                OPENARCHIVER_TRY(const auto status, take(response, tag, {}));
                if (status) {
                    return broken(command.refused(*status));
                }
            }
        }
        if (auto sent =
                stream_->write((i == 0 ? tag + " " : "") + parts[i] + "\r\n", kAnswer, stop);
            !sent) {
            return broken(std::move(sent.error()));
        }
    }
    return tag;
}

sdk::Status Connection::execute(Command& command, const std::stop_token& stop,
                                const Handler& handler) {
    OPENARCHIVER_TRY(const std::string tag, send(command, stop));
    for (;;) {
        OPENARCHIVER_TRY(const Response response, next(stop));
        OPENARCHIVER_TRY(const auto status, take(response, tag, handler));
        if (!status) {
            continue;
        }
        if (status->condition == "OK") {
            return {};
        }
        sdk::Error error = command.refused(*status);
        if (error.code == Errc::rate_limited) {
            shared_.host.metrics.add("throttled", 1);
        }
        return error;
    }
}

sdk::Result<std::optional<StatusResponse>> Connection::take(const Response& response,
                                                            const std::string& tag,
                                                            const Handler& handler) {
    auto status = parse_status_response(response.text);
    if (status && status->condition == "+") {
        return std::optional<StatusResponse>();
    }
    if (status) {
        if (status->code == "CAPABILITY") {
            capabilities_ = parse_capabilities(status->argument);
        } else if (mailbox_ && status->code == "UIDVALIDITY") {
            mailbox_->uid_validity = uid_number(status->argument);
        } else if (mailbox_ && status->code == "UIDNEXT") {
            mailbox_->uid_next = uid_number(status->argument);
        } else if (mailbox_ && status->code == "HIGHESTMODSEQ") {
            mailbox_->highest_modseq = number_of(status->argument);
        } else if (mailbox_ && status->code == "UIDNOTSTICKY") {
            mailbox_->uids_last = false;
        }
        if (status->tag == tag) {
            return status;
        }
        if (status->condition == "BYE") {
            return broken(refusal("BYE", status->code, status->words, "to go on", Purpose::other));
        }
        return std::optional<StatusResponse>();
    }
    const auto untagged = parse_untagged(response.text);
    if (!untagged) {
        return broken(not_imap(shared_.settings.server));
    }
    if (untagged->kind == "CAPABILITY") {
        capabilities_ = parse_capabilities(untagged->rest);
    } else if (mailbox_ && untagged->kind == "EXISTS") {
        mailbox_->messages = untagged->number;
    }
    if (handler) {
        handler(*untagged);
    }
    return std::optional<StatusResponse>();
}

sdk::Status Connection::noop(const std::stop_token& stop) {
    Command command(*this, "NOOP", "to answer", Purpose::other);
    return execute(command, stop);
}

sdk::Result<bool> Connection::idle(std::chrono::milliseconds patience,
                                   const std::stop_token& stop) {
    bool news = false;
    const Handler notice = [&news](const Untagged& untagged) {
        news = news || untagged.kind == "EXISTS" || untagged.kind == "EXPUNGE" ||
               untagged.kind == "VANISHED";
    };
    const auto deadline = std::chrono::steady_clock::now() + patience;
    Command command(*this, "IDLE", "to tell of news", Purpose::other);
    OPENARCHIVER_TRY(const std::string tag, send(command, stop));
    for (bool idling = false, done = false;;) {
        if (idling && !done && !reader_.has_more()) {
            const auto left = std::chrono::ceil<std::chrono::milliseconds>(
                deadline - std::chrono::steady_clock::now());
            bool more = false;
            if (!news && left > std::chrono::milliseconds(0)) {
                auto waited = stream_->wait_for_input(left, stop);
                if (!waited) {
                    return broken(std::move(waited.error()));
                }
                more = *waited;
            }
            if (!more) {
                done = true;
                if (auto sent = stream_->write("DONE\r\n", kAnswer, stop); !sent) {
                    return broken(std::move(sent.error()));
                }
            }
        }
        OPENARCHIVER_TRY(const Response response, next(stop));
        if (response.text.starts_with('+')) {
            idling = true;
            continue;
        }
        OPENARCHIVER_TRY(const auto status, take(response, tag, notice));
        if (status) {
            return status->condition == "OK" ? sdk::Result<bool>(news) : command.refused(*status);
        }
    }
}

// Folders

sdk::Result<Connection::Listing> Connection::list(const std::stop_token& stop) {
    if (mailbox_) {
        // STATUS of the open mailbox may be as old as its opening (RFC 3501 section 6.3.10). CLOSE
        // removes nothing from one that was opened by EXAMINE.
        mailbox_.reset();
        Command close(*this, can("UNSELECT") ? "UNSELECT" : "CLOSE", "to close a folder",
                      Purpose::other);
        OPENARCHIVER_CHECK(execute(close, stop));
    }
    Listing listing;
    const bool with_status = can("LIST-STATUS");
    const std::string items = "MESSAGES UIDNEXT UIDVALIDITY" +
                              (stable_names_.folder.empty() ? "" : " " + stable_names_.folder);
    std::string text = R"(LIST "" "*")";
    if (can("LIST-EXTENDED") || can("IMAP4REV2")) {
        std::string wanted = can("SPECIAL-USE") ? "SPECIAL-USE" : "";
        if (with_status) {
            wanted += (wanted.empty() ? "" : " ") + ("STATUS (" + items + ")");
        }
        text += wanted.empty() ? "" : " RETURN (" + wanted + ")";
    }
    const auto take_answer = [&](const Untagged& untagged) {
        if (untagged.kind == "LIST") {
            if (auto mailbox = parse_list(untagged.rest)) {
                listing.mailboxes.push_back(std::move(*mailbox));
            }
        } else if (untagged.kind == "STATUS") {
            if (auto status = parse_mailbox_status(untagged.rest)) {
                std::string key = mailbox_key(status->name);
                listing.statuses.insert_or_assign(std::move(key), std::move(*status));
            }
        } else if (untagged.kind == "NAMESPACE") {
            listing.foreign_prefixes =
                parse_foreign_namespaces(untagged.rest).value_or(std::vector<std::string>());
        }
    };
    if (can("NAMESPACE")) {
        Command command(*this, "NAMESPACE", "to list its namespaces", Purpose::other);
        OPENARCHIVER_CHECK(execute(command, stop, take_answer));
    }
    Command command(*this, text, "to list the folders", Purpose::other);
    OPENARCHIVER_CHECK(execute(command, stop, take_answer));
    if (!with_status && !stable_names_.folder.empty()) {
        for (const ListedMailbox& mailbox : listing.mailboxes) {
            if (mailbox.attributes.contains("\\NOSELECT") ||
                mailbox.attributes.contains("\\NONEXISTENT")) {
                continue;
            }
            Command status(*this, "STATUS ", "to tell of a folder", Purpose::mailbox);
            status.string(mailbox.name).text(" (" + items + ")");
            if (auto told = execute(status, stop, take_answer); !told && !usable_) {
                return told.error();
            }
        }
    }
    return listing;
}

sdk::Result<Mailbox> Connection::examine(const std::string& name, const std::stop_token& stop) {
    if (name.find('\0') != std::string::npos) {
        return failure(Errc::not_found, "a folder is gone");
    }
    Command command(*this, "EXAMINE ", "to open a folder", Purpose::mailbox);
    command.string(name);
    if (can("CONDSTORE") || can("QRESYNC")) {
        command.text(" (CONDSTORE)");
    }
    mailbox_ = Mailbox{.name = name};
    const sdk::Status opened = execute(command, stop);
    if (!opened) {
        mailbox_.reset();
        return opened.error();
    }
    if (mailbox_->uid_validity == 0) {
        sdk::Error error =
            failure(Errc::unsupported, "the server opens a folder without telling UIDVALIDITY");
        mailbox_.reset();
        return error;
    }
    return *mailbox_;
}

// Messages

sdk::Result<UidSet> Connection::search(UidSet::Uid first, UidSet::Uid last,
                                       const std::stop_token& stop) {
    SearchResult found;
    Command command(*this,
                    std::string("UID SEARCH ") + (can("ESEARCH") ? "RETURN (ALL) " : "") + "UID " +
                        std::to_string(first) + ":" + (last == 0 ? "*" : std::to_string(last)),
                    "to list the messages of a folder", Purpose::other);
    bool understood = true;
    OPENARCHIVER_CHECK(execute(command, stop, [&](const Untagged& untagged) {
        if (untagged.kind == "SEARCH" || untagged.kind == "ESEARCH") {
            auto result = untagged.kind == "SEARCH" ? parse_search(untagged.rest)
                                                    : parse_esearch(untagged.rest);
            understood = understood && result.has_value();
            found = std::move(result).value_or(SearchResult());
        }
    }));
    if (!understood) {
        return broken(failure(Errc::unavailable, "the server lists messages in a way of its own"));
    }
    // "5:*" is the last message even where its UID is 3.
    return found.uids.within(first, last == 0 ? UINT32_MAX : last);
}

sdk::Result<std::uint64_t> Connection::count(UidSet::Uid first, UidSet::Uid last,
                                             const std::stop_token& stop) {
    if (first > last) {
        return std::uint64_t{0};
    }
    if (!can("ESEARCH")) {
        OPENARCHIVER_TRY(const UidSet uids, search(first, last, stop));
        return uids.count();
    }
    std::uint64_t count = 0;
    Command command(
        *this,
        "UID SEARCH RETURN (COUNT) UID " + std::to_string(first) + ":" + std::to_string(last),
        "to count the messages of a folder", Purpose::other);
    OPENARCHIVER_CHECK(execute(command, stop, [&](const Untagged& untagged) {
        if (untagged.kind == "ESEARCH") {
            const auto result = parse_esearch(untagged.rest);
            count = result ? result->count.value_or(0) : 0;
        }
    }));
    return count;
}

sdk::Result<UidSet> Connection::find(const std::string& stable_id, const std::stop_token& stop) {
    UidSet found;
    Command command(*this, "UID SEARCH " + stable_names_.message + " ", "to find a message",
                    Purpose::other);
    if (stable_names_.message == "X-GUID") {
        command.string(stable_id);
    } else if (is_object_id(stable_id)) {
        command.text(stable_id);
    } else {
        return found;
    }
    OPENARCHIVER_CHECK(execute(command, stop, [&](const Untagged& untagged) {
        if (untagged.kind == "SEARCH") {
            found = parse_search(untagged.rest).value_or(SearchResult()).uids;
        }
    }));
    return found;
}

sdk::Result<UidSet> Connection::vanished(UidSet::Uid last, std::uint64_t since_modseq,
                                         const std::stop_token& stop) {
    UidSet gone;
    if (last == 0) {
        return gone;
    }
    Command command(*this,
                    "UID FETCH 1:" + std::to_string(last) + " (UID) (CHANGEDSINCE " +
                        std::to_string(since_modseq) + " VANISHED)",
                    "to tell what left a folder", Purpose::other);
    OPENARCHIVER_CHECK(execute(command, stop, [&](const Untagged& untagged) {
        if (untagged.kind == "VANISHED") {
            if (const auto uids = parse_vanished(untagged.rest)) {
                gone = uids->within(1, last);
            }
        }
    }));
    return gone;
}

sdk::Result<Connection::Descriptions> Connection::describe(const UidSet& uids,
                                                           const std::stop_token& stop) {
    Descriptions descriptions;
    Command command(*this,
                    "UID FETCH " + uids.text() + " (UID INTERNALDATE RFC822.SIZE" +
                        (stable_names_.message.empty() ? "" : " " + stable_names_.message) +
                        (can("X-GM-EXT-1") ? " X-GM-LABELS)" : ")"),
                    "to describe messages", Purpose::message);
    auto status = execute(command, stop, [&](const Untagged& untagged) {
        if (untagged.kind != "FETCH") {
            return;
        }
        if (auto message = parse_fetch(untagged.rest);
            message && uids.contains(message->uid) && message->size) {
            descriptions.messages.push_back(std::move(*message));
        }
    });
    if (!status) {
        const Errc code = status.error().code;
        if (!usable_ || sdk::is_retryable(code) || code == Errc::cancelled) {
            return status.error();
        }
        descriptions.refused = std::move(status.error());
    }
    return descriptions;
}

sdk::Status Connection::begin_content(UidSet::Uid uid, const std::stop_token& stop) {
    Command command(*this, "UID FETCH " + std::to_string(uid) + " (UID BODY.PEEK[])", "a message",
                    Purpose::message);
    OPENARCHIVER_TRY(std::string tag, send(command, stop));
    std::optional<std::optional<std::string>> whole;
    for (;;) {
        OPENARCHIVER_TRY(Response response, next(stop, true));
        if (response.content_size) {
            OpenContent& content = content_.emplace();
            content.tag = std::move(tag);
            content.head = std::move(response.text);
            content.literal = true;
            content.uid = uid;
            return {};
        }
        OPENARCHIVER_TRY(const auto status, take(response, tag, [&](const Untagged& untagged) {
                             const auto message = untagged.kind == "FETCH"
                                                      ? parse_fetch(untagged.rest)
                                                      : std::nullopt;
                             if (message && message->uid == uid && message->content) {
                                 whole = message->content;
                             }
                         }));
        if (!status) {
            continue;
        }
        if (status->condition != "OK") {
            sdk::Error error = command.refused(*status);
            if (error.code == Errc::rate_limited) {
                shared_.host.metrics.add("throttled", 1);
            }
            return error;
        }
        if (!whole) {
            return failure(Errc::not_found, "a message is gone");
        }
        if (!*whole) {
            return failure(Errc::corrupt, "the server has no content for a message (NIL)");
        }
        content_.emplace().whole = std::move(**whole);
        return {};
    }
}

sdk::Result<std::size_t> Connection::read_content(std::span<std::byte> buffer,
                                                  const std::stop_token& stop) {
    if (!content_) {
        return std::size_t{0};
    }
    OpenContent& content = *content_;
    if (!content.literal) {
        const std::size_t count = std::min(buffer.size(), content.whole.size() - content.at);
        std::memcpy(buffer.data(), content.whole.data() + content.at, count);
        content.at += count;
        if (count == 0) {
            content_.reset();
        }
        return count;
    }
    auto count = reader_.read_literal(source(stop), buffer);
    if (!count) {
        return broken(std::move(count.error()));
    }
    if (*count > 0) {
        shared_.host.metrics.add("bytes_downloaded", *count);
        return *count;
    }
    OPENARCHIVER_CHECK(end_of_content(stop));
    return std::size_t{0};
}

sdk::Status Connection::end_of_content(const std::stop_token& stop) {
    auto rest = reader_.rest(source(stop));
    if (!rest) {
        return broken(std::move(rest.error()));
    }
    const std::string whole = content_->head + "\"\"" + rest->text;
    const auto untagged = parse_untagged(whole);
    const auto message = untagged ? parse_fetch(untagged->rest) : std::nullopt;
    if (!message || message->uid != content_->uid) {
        return broken(failure(Errc::unavailable, "the server sent another message than asked for"));
    }
    for (;;) {
        OPENARCHIVER_TRY(const Response response, next(stop));
        OPENARCHIVER_TRY(const auto status, take(response, content_->tag, {}));
        if (!status) {
            continue;
        }
        content_.reset();
        if (status->condition == "OK") {
            return {};
        }
        // What came may lack its end.
        sdk::Error error = refusal(status->condition, status->code, status->words,
                                   "the end of a message", Purpose::message);
        return error;
    }
}

}  // namespace openarchiver::imap
