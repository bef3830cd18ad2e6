#include "server.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <csignal>
#include <cstdio>
#include <optional>
#include <type_traits>

#include "outgoing.hpp"
#include "text.hpp"
#include "time_text.hpp"

namespace graph_simulator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using tcp = asio::ip::tcp;
using boost::system::error_code;
using TlsStream = asio::ssl::stream<tcp::socket>;

// Graph refuses request bodies above 4 MB.
constexpr std::uint64_t kLargestBody = 4ULL << 20U;
constexpr std::uint32_t kLargestHead = 65536;

// The second a Date header shows changes rarely.
const std::string& date_line() {
    static std::int64_t second = 0;
    static std::string line;
    const std::int64_t now = now_seconds();
    if (now != second) {
        second = now;
        line = "Date: " + http_date(now) + "\r\n";
    }
    return line;
}

template <class Stream>
class Session : public std::enable_shared_from_this<Session<Stream>> {
public:
    static constexpr bool kTls = std::is_same_v<Stream, TlsStream>;

    Session(Stream&& stream, RequestHandler& handler, std::string scheme)
        : stream_(std::move(stream)), handler_(handler), scheme_(std::move(scheme)) {}

    void start() {
        if constexpr (kTls) {
            stream_.async_handshake(asio::ssl::stream_base::server,
                                    [self = this->shared_from_this()](error_code error) {
                                        if (!error)
                                            self->read();
                                    });
        } else {
            read();
        }
    }

private:
    tcp::socket& socket() {
        if constexpr (kTls)
            return stream_.next_layer();
        else
            return stream_;
    }

    void read() {
        parser_.emplace();
        parser_->body_limit(kLargestBody);
        parser_->header_limit(kLargestHead);
        http::async_read_header(stream_, buffer_, *parser_,
                                [self = this->shared_from_this()](error_code error, std::size_t) {
                                    if (error)
                                        return self->read_failed(error);
                                    self->read_body();
                                });
    }

    void read_body() {
        if (parser_->is_done())
            return dispatch();
        if (beast::iequals(parser_->get()[http::field::expect], "100-continue")) {
            out_ = "HTTP/1.1 100 Continue\r\n\r\n";
            asio::async_write(stream_, asio::buffer(out_),
                              [self = this->shared_from_this()](error_code error, std::size_t) {
                                  if (!error)
                                      self->read_rest();
                              });
            return;
        }
        read_rest();
    }

    void read_rest() {
        http::async_read(stream_, buffer_, *parser_,
                         [self = this->shared_from_this()](error_code error, std::size_t) {
                             if (error)
                                 return self->read_failed(error);
                             self->dispatch();
                         });
    }

    void read_failed(error_code error) {
        if (error == http::error::body_limit)
            return refuse(413, "RequestEntityTooLarge");
        // A connection that ends between requests ends silently.
        if (error.category() == http::make_error_code(http::error::bad_method).category() &&
            error != http::error::end_of_stream && error != http::error::partial_message) {
            refuse(400, "BadRequest");
        }
    }

    void refuse(int status, std::string_view code) {
        reply_ = Reply();
        reply_.status = status;
        reply_.close_connection = true;
        reply_.headers.set("Content-Type", "application/json");
        reply_.body = "{\"error\":{\"code\":\"" + std::string(code) +
                      "\",\"message\":\"The request could not be read.\"}}";
        write();
    }

    void dispatch() {
        auto message = parser_->release();
        Request request;
        request.method = std::string(message.method_string());
        request.target = std::string(message.target());
        for (const auto& field : message) {
            request.headers.add(std::string(field.name_string()), std::string(field.value()));
        }
        request.body = std::move(message.body());
        const std::string* host = request.headers.find("Host");
        if (host == nullptr)
            return refuse(400, "BadRequest");
        request.origin = scheme_ + "://" + *host;
        keep_alive_ = message.keep_alive();
        head_only_ = message.method() == http::verb::head;
        handler_.handle(std::move(request), [self = this->shared_from_this()](Reply&& reply) {
            self->reply_ = std::move(reply);
            self->write();
        });
    }

    void write() {
        body_sent_ = 0;
        const TransportFault& fault = reply_.fault;
        if (fault.before_head)
            return break_off();
        if (fault.pause_in_head_ms > 0)
            return pause_in_head();
        write_answer("HTTP/1.1 ");
    }

    // The first bytes of the head, and the rest only later.
    void pause_in_head() {
        out_ = "HTTP/1.1 ";
        asio::async_write(
            stream_, asio::buffer(out_),
            [self = this->shared_from_this()](error_code error, std::size_t) {
                if (error)
                    return self->finished(false);
                auto timer = std::make_shared<asio::steady_timer>(
                    self->stream_.get_executor(),
                    std::chrono::milliseconds(self->reply_.fault.pause_in_head_ms));
                timer->async_wait([self, timer](error_code) { self->write_answer(""); });
            });
    }

    void write_answer(std::string_view begin) {
        const TransportFault& fault = reply_.fault;
        const bool chunked = reply_.stream != nullptr && !fault.short_by;
        out_ = begin;
        out_ += std::to_string(reply_.status) + " ";
        out_ += reason_phrase(reply_.status);
        out_ += "\r\n";
        if (reply_.headers.find("Date") == nullptr)
            out_ += date_line();
        for (const Header& header : reply_.headers.list()) {
            out_ += header.name;
            out_ += ": ";
            out_ += header.value;
            out_ += "\r\n";
        }
        if (reply_.close_connection || !keep_alive_)
            out_ += "Connection: close\r\n";
        if (chunked) {
            out_ += "Transfer-Encoding: chunked\r\n\r\n";
        } else {
            const std::uint64_t length =
                reply_.stream != nullptr ? reply_.stream_size.value_or(0) : reply_.body.size();
            if (reply_.status != 204 && reply_.status / 100 != 1) {
                out_ += "Content-Length: " + std::to_string(length) + "\r\n";
            }
            out_ += "\r\n";
            if (fault.short_by)
                limit_ = length - std::min(length, *fault.short_by);
        }
        chunked_ = chunked;
        if (fault.end != TransportFault::End::None)
            limit_ = fault.after_bytes;
        else if (!fault.short_by)
            limit_ = UINT64_MAX;
        if (head_only_)
            limit_ = 0;
        if (reply_.stream != nullptr && !head_only_)
            return send_part();
        out_.append(reply_.body, 0,
                    static_cast<std::size_t>(std::min<std::uint64_t>(reply_.body.size(), limit_)));
        body_sent_ = std::min<std::uint64_t>(reply_.body.size(), limit_);
        send_last();
    }

    // Appends the next part of a streamed body to what is waiting, and sends it.
    void send_part() {
        const std::size_t size = std::max<std::uint32_t>(reply_.chunk_size, 1);
        bool ended = false;
        // Small chunks share one write.
        while (out_.size() < 65536 && !ended) {
            part_.resize(size);
            std::size_t got = 0;
            while (got < size) {
                const std::size_t more = reply_.stream->read(part_.data() + got, size - got);
                if (more == 0)
                    break;
                got += more;
            }
            const std::uint64_t room = limit_ - body_sent_;
            const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(got, room));
            if (chunked_ && got > 0 && take > 0) {
                // A cut inside a chunk leaves its announced length unfulfilled.
                std::array<char, 20> line{};
                const int length = std::snprintf(line.data(), line.size(), "%zx\r\n", got);
                out_.append(line.data(), static_cast<std::size_t>(length));
            }
            out_.append(part_, 0, take);
            body_sent_ += take;
            if (chunked_ && take == got && got > 0)
                out_ += "\r\n";
            if (body_sent_ >= limit_)
                ended = true;
            else if (got < size) {
                if (chunked_ && reply_.fault.end == TransportFault::End::None)
                    out_ += "0\r\n\r\n";
                ended = true;
            }
        }
        if (ended)
            return send_last();
        asio::async_write(stream_, asio::buffer(out_),
                          [self = this->shared_from_this()](error_code error, std::size_t) {
                              if (error)
                                  return self->finished(false);
                              self->out_.clear();
                              self->send_part();
                          });
    }

    void send_last() {
        if (reply_.fault.end != TransportFault::End::Stall && reply_.before_last_write) {
            reply_.before_last_write();
        }
        asio::async_write(stream_, asio::buffer(out_),
                          [self = this->shared_from_this()](error_code error, std::size_t) {
                              if (error)
                                  return self->finished(false);
                              self->sent();
                          });
    }

    void sent() {
        const TransportFault& fault = reply_.fault;
        if (fault.end != TransportFault::End::None)
            return break_off();
        const bool complete = !fault.short_by || *fault.short_by == 0;
        const bool close =
            reply_.close_connection || !keep_alive_ || !complete || fault.close_silently;
        finished(complete);
        if (close)
            close_gently();
        else
            read();
    }

    void break_off() {
        switch (reply_.fault.end) {
            case TransportFault::End::Stall:
                return wait_for_disconnect();
            case TransportFault::End::Reset: {
                finished(false);
                error_code ignored;
                socket().set_option(asio::socket_base::linger(true, 0), ignored);
                socket().close(ignored);
                return;
            }
            case TransportFault::End::Close:
            case TransportFault::End::None:
                break;
        }
        finished(false);
        close_gently();
    }

    // Holds the connection, and the mailbox's place, until the client gives up.
    void wait_for_disconnect() {
        socket().async_wait(
            tcp::socket::wait_read, [self = this->shared_from_this()](error_code error) {
                char byte = 0;
                error_code peek;
                if (!error) {
                    const std::size_t got = self->socket().receive(asio::buffer(&byte, 1), 0, peek);
                    if (!peek && got > 0)
                        return self->wait_for_disconnect();
                }
                self->finished(false);
            });
    }

    void finished(bool complete) {
        const auto done = std::move(reply_.done);
        const std::uint64_t bytes = body_sent_;
        reply_ = Reply();
        if (done)
            done(bytes, complete);
    }

    void close_gently() {
        if constexpr (kTls) {
            stream_.async_shutdown([self = this->shared_from_this()](error_code) {
                error_code ignored;
                self->socket().shutdown(tcp::socket::shutdown_both, ignored);
                self->socket().close(ignored);
            });
        } else {
            error_code ignored;
            socket().shutdown(tcp::socket::shutdown_send, ignored);
            linger();
        }
    }

    // Reads until the client closes too: closing with unread input would send a reset.
    void linger() {
        part_.resize(4096);
        stream_.async_read_some(asio::buffer(part_),
                                [self = this->shared_from_this()](error_code error, std::size_t) {
                                    if (!error)
                                        self->linger();
                                });
    }

    Stream stream_;
    RequestHandler& handler_;
    std::string scheme_;
    beast::flat_buffer buffer_;
    std::optional<http::request_parser<http::string_body>> parser_;
    Reply reply_;
    std::string out_;
    std::string part_;
    std::uint64_t body_sent_ = 0;
    std::uint64_t limit_ = UINT64_MAX;
    bool chunked_ = false;
    bool keep_alive_ = true;
    bool head_only_ = false;
};

}  // namespace

struct Server::Impl {
    asio::io_context io{1};
    asio::ssl::context tls{asio::ssl::context::tls_server};
    std::optional<tcp::acceptor> plain;
    std::optional<tcp::acceptor> secure;
    asio::signal_set signals{io, SIGTERM, SIGINT};

    std::uint16_t open(std::optional<tcp::acceptor>& acceptor, std::uint16_t port) {
        acceptor.emplace(io, tcp::endpoint(asio::ip::address_v4::loopback(), port));
        return acceptor->local_endpoint().port();
    }

    void accept_plain(RequestHandler& handler) {
        plain->async_accept([this, &handler](error_code error, tcp::socket socket) {
            if (error == asio::error::operation_aborted)
                return;
            if (!error) {
                error_code ignored;
                socket.set_option(tcp::no_delay(true), ignored);
                std::make_shared<Session<tcp::socket>>(std::move(socket), handler, "http")->start();
            }
            accept_plain(handler);
        });
    }

    void accept_secure(RequestHandler& handler) {
        secure->async_accept([this, &handler](error_code error, tcp::socket socket) {
            if (error == asio::error::operation_aborted)
                return;
            if (!error) {
                error_code ignored;
                socket.set_option(tcp::no_delay(true), ignored);
                std::make_shared<Session<TlsStream>>(TlsStream(std::move(socket), tls), handler,
                                                     "https")
                    ->start();
            }
            accept_secure(handler);
        });
    }
};

Server::Server() : impl_(std::make_unique<Impl>()) {
    std::signal(SIGPIPE, SIG_IGN);
    impl_->signals.async_wait([this](error_code error, int) {
        if (!error)
            impl_->io.stop();
    });
}

Server::~Server() = default;

std::uint16_t Server::listen_http(std::uint16_t port, RequestHandler& handler) {
    const std::uint16_t used = impl_->open(impl_->plain, port);
    impl_->accept_plain(handler);
    return used;
}

std::uint16_t Server::listen_https(std::uint16_t port, const std::string& certificate_pem,
                                   const std::string& key_pem, RequestHandler& handler) {
    asio::ssl::context& tls = impl_->tls;
    tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 |
                    asio::ssl::context::no_tlsv1_1);
    tls.use_certificate_chain(asio::buffer(certificate_pem));
    tls.use_private_key(asio::buffer(key_pem), asio::ssl::context::pem);
    const std::uint16_t used = impl_->open(impl_->secure, port);
    impl_->accept_secure(handler);
    return used;
}

void Server::run() {
    impl_->io.run();
}

void Server::after(std::int64_t milliseconds, std::function<void()> action) {
    if (milliseconds <= 0) {
        asio::post(impl_->io, std::move(action));
        return;
    }
    auto timer =
        std::make_shared<asio::steady_timer>(impl_->io, std::chrono::milliseconds(milliseconds));
    timer->async_wait([timer, action = std::move(action)](error_code error) {
        if (!error)
            action();
    });
}

void Server::post(const OutgoingPost& post, std::function<void(const Posted&)> done) {
    send_post(impl_->io, post, std::move(done));
}

void Server::stop() {
    // Later, so that the answer to the request that asked for it still goes out.
    after(50, [this] { impl_->io.stop(); });
}

}  // namespace graph_simulator
