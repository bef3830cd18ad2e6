#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "failure.hpp"
#include "resolver.hpp"
#include "response_reader.hpp"
#include "responses.hpp"
#include "settings.hpp"
#include "stream.hpp"
#include "tls_context.hpp"
#include "token_source.hpp"
#include "uid_set.hpp"

namespace openarchiver::imap {

/// What all connections of a session share.
struct Shared {
    Shared(Settings parsed, const sdk::HostServices& services);

    const Settings settings;
    const sdk::HostServices host;
    Resolver resolver;
    TlsContext tls;
    std::unique_ptr<TokenSource> tokens;  // null: no OAuth
};

/// An opened mailbox.
struct Mailbox {
    std::string name;
    std::uint32_t uid_validity = 0;
    /// 0: the server does not tell.
    std::uint32_t uid_next = 0;
    std::uint64_t messages = 0;
    /// 0: no CONDSTORE here.
    std::uint64_t highest_modseq = 0;
    /// False: UIDs are others in each session (UIDNOTSTICKY, RFC 4315).
    bool uids_last = true;
};

/// How the server names messages and folders for good.
struct StableNames {
    /// FETCH item and SEARCH key: "EMAILID" (RFC 8474), "X-GM-MSGID", "X-GUID"; empty: it does not.
    std::string message;
    /// STATUS item: "MAILBOXID", "X-GUID".
    std::string folder;
};

/// A message that is being read.
struct OpenContent {
    std::string tag;
    std::string head;   ///< of the response, up to the literal
    std::string whole;  ///< where it came as no literal
    std::size_t at = 0;
    bool literal = false;
    UidSet::Uid uid = 0;
};

/// One IMAP connection, used by one thread at a time. After an error other than a refusal it is
/// broken and of no further use.
class Connection {
public:
    /// Up to the greeting and within TLS: unavailable, timed_out, invalid_config, cancelled.
    static sdk::Result<std::unique_ptr<Connection>> reach(Shared& shared,
                                                          const std::stop_token& stop);
    /// unauthenticated, permission_denied, and as above.
    sdk::Status sign_in(const std::string& account, const std::stop_token& stop);

    [[nodiscard]] bool usable() const;

    [[nodiscard]] bool can(const std::string& capability) const {
        return capabilities_.contains(capability);
    }

    [[nodiscard]] const std::set<std::string>& capabilities() const { return capabilities_; }

    [[nodiscard]] const std::string& server_name() const { return server_name_; }

    [[nodiscard]] const StableNames& stable_names() const { return stable_names_; }

    [[nodiscard]] const std::optional<Mailbox>& mailbox() const { return mailbox_; }

    sdk::Status noop(const std::stop_token& stop);
    /// Waits for news of the open mailbox (IDLE, RFC 2177): true where a message came or left,
    /// false where none did within `patience`.
    sdk::Result<bool> idle(std::chrono::milliseconds patience, const std::stop_token& stop);
    /// Opens a mailbox for reading only. not_found where there is none.
    sdk::Result<Mailbox> examine(const std::string& name, const std::stop_token& stop);

    struct Listing {
        std::vector<ListedMailbox> mailboxes;
        std::map<std::string, MailboxStatus> statuses;  // by name; may lack some
        std::vector<std::string> foreign_prefixes;
    };

    sdk::Result<Listing> list(const std::stop_token& stop);

    /// UIDs from `first` to `last` (0: the end) in the open mailbox.
    sdk::Result<UidSet> search(UidSet::Uid first, UidSet::Uid last, const std::stop_token& stop);
    sdk::Result<std::uint64_t> count(UidSet::Uid first, UidSet::Uid last,
                                     const std::stop_token& stop);
    /// The UID of a message by its stable id.
    sdk::Result<UidSet> find(const std::string& stable_id, const std::stop_token& stop);
    /// What has left since a mod-sequence (QRESYNC, RFC 7162); possibly more than was there.
    sdk::Result<UidSet> vanished(UidSet::Uid last, std::uint64_t since_modseq,
                                 const std::stop_token& stop);

    struct Descriptions {
        std::vector<FetchedMessage> messages;
        /// The server refused, perhaps because of one message of them.
        std::optional<sdk::Error> refused;
    };

    sdk::Result<Descriptions> describe(const UidSet& uids, const std::stop_token& stop);

    /// Asks for the exact bytes of a message; read_content() gives them, 0 only at their end. After
    /// it the connection can be used again.
    sdk::Status begin_content(UidSet::Uid uid, const std::stop_token& stop);
    sdk::Result<std::size_t> read_content(std::span<std::byte> buffer, const std::stop_token& stop);

private:
    class Command;
    using Handler = std::function<void(const Untagged&)>;

    Connection(Shared& shared, std::unique_ptr<Stream> stream)
        : shared_(shared), stream_(std::move(stream)) {}

    sdk::Status greet(const std::stop_token& stop);
    sdk::Status ask_capabilities(const std::stop_token& stop);
    sdk::Status authenticate(const std::string& account, const std::stop_token& stop);
    sdk::Status sasl(const std::string& mechanism, const std::string& answer,
                     const std::stop_token& stop);
    void settle_names();

    sdk::Result<std::string> send(Command& command, const std::stop_token& stop);
    sdk::Status execute(Command& command, const std::stop_token& stop, const Handler& handler = {});
    /// Handles what may come at any time. The tagged answer, once it comes.
    sdk::Result<std::optional<StatusResponse>> take(const Response& response,
                                                    const std::string& tag, const Handler& handler);
    sdk::Result<Response> next(const std::stop_token& stop, bool stop_at_content = false);
    sdk::Status end_of_content(const std::stop_token& stop);
    [[nodiscard]] ResponseReader::Source source(const std::stop_token& stop);
    sdk::Error broken(sdk::Error error);

    Shared& shared_;
    std::unique_ptr<Stream> stream_;
    ResponseReader reader_;
    std::set<std::string> capabilities_;
    std::string server_name_;
    StableNames stable_names_;
    std::optional<Mailbox> mailbox_;
    std::uint64_t tags_ = 0;
    bool usable_ = true;

    std::optional<OpenContent> content_;
};

}  // namespace openarchiver::imap
