#include "outgoing.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <charconv>
#include <memory>

namespace graph_simulator {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

constexpr std::string_view kLoopback = "http://127.0.0.1:";

class Exchange : public std::enable_shared_from_this<Exchange> {
public:
    Exchange(asio::io_context& io, std::function<void(const Posted&)> done)
        : stream_(io), done_(std::move(done)) {}

    void start(const OutgoingPost& post, std::uint16_t port, const std::string& target) {
        request_.method(http::verb::post);
        request_.target(target);
        request_.version(11);
        request_.set(http::field::host, "127.0.0.1:" + std::to_string(port));
        request_.set(http::field::content_type, post.content_type);
        request_.set(http::field::connection, "close");
        request_.body() = post.body;
        request_.prepare_payload();
        stream_.expires_after(std::chrono::milliseconds(post.timeout_ms));
        stream_.async_connect(asio::ip::tcp::endpoint(asio::ip::address_v4::loopback(), port),
                              [self = shared_from_this()](error_code error) {
                                  if (error)
                                      return self->done_({});
                                  http::async_write(self->stream_, self->request_,
                                                    [self](error_code failed, std::size_t) {
                                                        if (failed)
                                                            return self->done_({});
                                                        self->read();
                                                    });
                              });
    }

private:
    void read() {
        http::async_read(stream_, buffer_, response_,
                         [self = shared_from_this()](error_code error, std::size_t) {
                             if (error)
                                 return self->done_({});
                             self->done_({static_cast<int>(self->response_.result_int()),
                                          std::string(self->response_[http::field::content_type]),
                                          self->response_.body()});
                         });
    }

    beast::tcp_stream stream_;
    std::function<void(const Posted&)> done_;
    http::request<http::string_body> request_;
    beast::flat_buffer buffer_;
    http::response<http::string_body> response_;
};

}  // namespace

void send_post(asio::io_context& io, const OutgoingPost& post,
               std::function<void(const Posted&)> done) {
    const std::string_view url = post.url;
    std::uint16_t port = 0;
    if (url.starts_with(kLoopback)) {
        const char* const first = url.data() + kLoopback.size();
        const auto [end, error] = std::from_chars(first, url.data() + url.size(), port);
        if (error == std::errc{} && end != url.data() + url.size() && *end == '/') {
            std::make_shared<Exchange>(io, std::move(done))
                ->start(post, port, std::string(end, url.data() + url.size()));
            return;
        }
    }
    asio::post(io, [done = std::move(done)] { done({}); });  // out of reach
}

}  // namespace graph_simulator
