#include "notify/mail.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/DialogSocket.h>
#include <Poco/Net/MailMessage.h>
#include <Poco/Net/MailRecipient.h>
#include <Poco/Net/NetException.h>
#include <Poco/Net/SMTPClientSession.h>
#include <Poco/Net/SecureStreamSocket.h>
#include <Poco/Net/StreamSocket.h>
#include <Poco/Timespan.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <http/base64.hpp>
#include <http/resolver.hpp>
#include <http/tls_context.hpp>
#include <string>
#include <system_error>
#include <utility>

#include "files/file_descriptor.hpp"

namespace openarchiver::notify {

namespace {

using Poco::Net::StreamSocket;
using sdk::Errc;
using sdk::Error;

constexpr std::chrono::seconds kConnectTimeout{10};
const Poco::Timespan kTimeout(15, 0);
/// How long a connect may last before the stop token is looked at.
const Poco::Timespan kSlice(0, 250'000);

/// Poco's session on a socket of our own: with a time to connect, the host's name for server name
/// indication, and the certificate checked by our context.
class Session final : public Poco::Net::SMTPClientSession {
public:
    explicit Session(const StreamSocket& socket) : SMTPClientSession(socket) {}

    /// EHLO; what the server offers is remembered.
    void greet(const std::string& own_name) {
        offered_.clear();
        login(own_name, offered_);
        std::ranges::transform(offered_, offered_.begin(), [](char c) {
            return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
        });
    }

    [[nodiscard]] bool offers(std::string_view word) const {
        return offered_.find(word) != std::string::npos;
    }

    bool start_tls(const std::string& host, const Poco::Net::Context::Ptr& context) {
        std::string response;
        if (!isPositiveCompletion(sendCommand("STARTTLS", response))) {
            return false;
        }
        socket() = Poco::Net::SecureStreamSocket::attach(socket(), host, context);
        return true;
    }

    /// PLAIN (RFC 4616), or what older servers have; the status of the last reply.
    int authenticate(const std::string& user, const std::string& password) {
        std::string response;
        if (!offers("PLAIN") && offers("LOGIN")) {
            int status = sendCommand("AUTH LOGIN", response);
            for (const std::string& word : {user, password}) {
                if (isPositiveIntermediate(status)) {
                    status = sendCommand(http::encode_base64(word), response);
                }
            }
            return status;
        }
        const std::string words = std::string(1, '\0') + user + std::string(1, '\0') + password;
        return sendCommand("AUTH PLAIN", http::encode_base64(words), response);
    }

private:
    std::string offered_;
};

std::string place_of(const profile::Smtp& smtp) {
    return "the mail server " + smtp.host + ":" + std::to_string(smtp.port);
}

/// As Message-ID and EHLO take it.
std::string domain_of(const std::string& host) {
    const bool plain = !host.empty() && std::ranges::all_of(host, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.';
    });
    return plain ? host : "localhost";
}

sdk::Result<StreamSocket> connect(const Poco::Net::SocketAddress& address,
                                  const std::stop_token& stop) {
    StreamSocket socket;
    socket.connectNB(address);
    const auto until = std::chrono::steady_clock::now() + kConnectTimeout;
    constexpr int kAny = StreamSocket::SELECT_WRITE | StreamSocket::SELECT_ERROR;
    while (!socket.poll(kSlice, kAny)) {
        if (stop.stop_requested()) {
            return Error{Errc::cancelled, "stopped"};
        }
        if (std::chrono::steady_clock::now() >= until) {
            return Error{Errc::timed_out, "it does not answer"};
        }
    }
    if (const int code = socket.impl()->socketError(); code != 0) {
        return Error{Errc::unavailable, std::generic_category().message(code)};
    }
    socket.setBlocking(true);
    socket.setReceiveTimeout(kTimeout);
    socket.setSendTimeout(kTimeout);
    return socket;
}

sdk::Result<StreamSocket> connect(const profile::Smtp& smtp, const std::stop_token& stop) {
    http::Resolver resolver;
    OPENARCHIVER_TRY(const auto addresses, resolver.resolve(smtp.host, stop));
    Error last{Errc::unavailable, place_of(smtp) + " has no address"};
    for (const auto& address : addresses) {
        try {
            auto socket = connect(Poco::Net::SocketAddress(address, smtp.port), stop);
            if (socket || socket.error().code == Errc::cancelled) {
                return socket;
            }
            last = std::move(socket.error());
        } catch (const Poco::Exception& exception) {
            last = {Errc::unavailable, exception.displayText()};
        }
        last.message = place_of(smtp) + " can't be reached (" + last.message +
                       "): check host, port and firewalls";
    }
    return last;
}

void compose(Poco::Net::MailMessage& message, const profile::Smtp& smtp,
             const Notification& notification) {
    using Poco::Net::MailMessage;
    message.setSender(smtp.from);
    for (const std::string& address : smtp.to) {
        message.addRecipient({Poco::Net::MailRecipient::PRIMARY_RECIPIENT, address});
    }
    message.setSubject(
        MailMessage::encodeWord("[OpenArchiver] " + summary_of(notification), "UTF-8"));
    message.set("Message-ID", "<" + notification.id + "@" + domain_of(notification.host) + ">");
    message.set("Auto-Submitted", "auto-generated");  // RFC 3834: nobody answers it
    message.setContentType("text/plain; charset=UTF-8");
    message.setContent(mail_text(notification), MailMessage::ENCODING_QUOTED_PRINTABLE);
}

sdk::Status talk(Session& session, const profile::Smtp& smtp, const Notification& notification,
                 const Poco::Net::Context::Ptr& context) {
    const std::string own_name = domain_of(notification.host);
    session.greet(own_name);
    if (smtp.security == profile::Smtp::Security::starttls) {
        if (!session.offers("STARTTLS") || !session.start_tls(smtp.host, context)) {
            return Error{
                Errc::invalid_config,
                place_of(smtp) + " does not offer STARTTLS: set security to tls (port 465)"};
        }
        session.greet(own_name);  // what was offered before counts no more: RFC 3207, section 4.2
    }
    if (smtp.password) {
        OPENARCHIVER_TRY(const std::string password, plugin::resolve(*smtp.password));
        if (!session.offers("AUTH")) {
            return Error{Errc::invalid_config,
                         place_of(smtp) +
                             " takes no user and password: remove them from the "
                             "profile, or use another port"};
        }
        if (const int status = session.authenticate(smtp.username, password);
            status < 200 || status >= 300) {
            return Error{status >= 500 ? Errc::unauthenticated : Errc::unavailable,
                         place_of(smtp) + " refuses the user or the password (" +
                             std::to_string(status) + "): check username and password"};
        }
    }
    Poco::Net::MailMessage message;
    compose(message, smtp, notification);
    session.sendMessage(message);
    return {};
}

Error failed(const profile::Smtp& smtp, const Poco::Exception& exception) {
    if (const std::string problem = http::TlsContext::last_verification_problem();
        !problem.empty()) {
        return {Errc::unavailable, "the certificate of " + place_of(smtp) + " is not trusted (" +
                                       problem +
                                       "): if an authority of your own issues it, set "
                                       "ca_file"};
    }
    if (dynamic_cast<const Poco::TimeoutException*>(&exception) != nullptr) {
        return {Errc::timed_out, place_of(smtp) + " did not answer in time"};
    }
    if (dynamic_cast<const Poco::Net::SMTPException*>(&exception) != nullptr) {
        const bool refused = exception.code() >= 500;
        return {refused ? Errc::permission_denied : Errc::unavailable,
                place_of(smtp) + " refused the mail: " + exception.message()};
    }
    return {Errc::unavailable,
            "the connection to " + place_of(smtp) + " broke (" + exception.displayText() + ")"};
}

/// Breaks a connection off, whoever waits on it: by a descriptor of its own, as the session closes
/// the other one.
class BreakOff {
public:
    explicit BreakOff(const StreamSocket& socket)
        : descriptor_(::dup(static_cast<int>(socket.impl()->sockfd()))) {}

    void operator()() const { (void)::shutdown(descriptor_.get(), SHUT_RDWR); }

private:
    files::FileDescriptor descriptor_;
};

}  // namespace

sdk::Status send_mail(const profile::Smtp& smtp, const Notification& notification,
                      const std::stop_token& stop) {
    http::TlsContext tls(smtp.host, smtp.ca_file);
    Poco::Net::Context::Ptr context;
    if (smtp.security != profile::Smtp::Security::none) {
        OPENARCHIVER_TRY(context, tls.get());
    }
    OPENARCHIVER_TRY(StreamSocket plain, connect(smtp, stop));
    const BreakOff break_off(plain);
    const std::stop_callback<std::function<void()>> on_stop(stop, [&break_off] { break_off(); });
    http::TlsContext::clear_verification_problem();
    try {
        const StreamSocket socket =
            smtp.security == profile::Smtp::Security::tls
                ? Poco::Net::SecureStreamSocket::attach(plain, smtp.host, context)
                : plain;
        Session session(socket);
        try {
            sdk::Status sent = talk(session, smtp, notification, context);
            if (!sent) {
                break_off();  // or the session would take its leave, and wait for an answer
            }
            return sent;
        } catch (const Poco::Exception&) {
            break_off();
            throw;
        }
    } catch (const Poco::Exception& exception) {
        return failed(smtp, exception);
    }
}

}  // namespace openarchiver::notify
