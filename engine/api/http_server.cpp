#include "api/http_server.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/Context.h>
#include <Poco/Net/HTTPRequestHandler.h>
#include <Poco/Net/HTTPRequestHandlerFactory.h>
#include <Poco/Net/HTTPServer.h>
#include <Poco/Net/HTTPServerParams.h>
#include <Poco/Net/HTTPServerRequest.h>
#include <Poco/Net/HTTPServerResponse.h>
#include <Poco/Net/SecureServerSocket.h>
#include <Poco/Net/ServerSocket.h>
#include <Poco/String.h>
#include <Poco/ThreadPool.h>
#include <Poco/URI.h>

#include <ostream>

#include "api/problem.hpp"

namespace openarchiver::api {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace net = Poco::Net;

namespace {

/// An idle connection keeps a thread: not for long, others wait for one.
constexpr long kIdleSeconds = 2;

class ToStream final : public sdk::ByteSink {
public:
    explicit ToStream(std::ostream& stream) : stream_(stream) {}

    Status write(std::span<const std::byte> bytes) override {
        stream_.write(reinterpret_cast<const char*>(bytes.data()),
                      static_cast<std::streamsize>(bytes.size()));
        stream_.flush();
        return stream_ ? Status() : Status(Error{Errc::unavailable, "the client went away"});
    }

private:
    std::ostream& stream_;
};

Request read(net::HTTPServerRequest& request) {
    Request read;
    read.method = request.getMethod();
    const Poco::URI uri(request.getURI());
    uri.getPathSegments(read.segments);
    for (auto& [name, value] : uri.getQueryParameters()) {
        read.query.emplace(std::move(name), std::move(value));
    }
    read.authorization = request.get("Authorization", "");
    read.if_none_match = request.get("If-None-Match", "");
    for (const auto& [name, value] : request) {
        read.fields.emplace_back(Poco::toLower(name), value);
    }
    read.query_text = uri.getRawQuery();
    read.client = request.clientAddress().host().toString();
    return read;
}

/// A client that still sends would not see the answer: so much more of a body is read and dropped.
constexpr std::size_t kMostDropped = 4U << 20;

/// Nothing: it is longer than it may be.
std::optional<std::string> read_body(net::HTTPServerRequest& request, std::size_t most) {
    std::string body;
    char piece[4096];
    auto& stream = request.stream();
    while (stream.read(piece, sizeof piece), stream.gcount() > 0) {
        body.append(piece, static_cast<std::size_t>(stream.gcount()));
        if (body.size() > most) {
            stream.ignore(kMostDropped);
            return std::nullopt;
        }
    }
    return body;
}

void send(const Response& response, bool head_only, net::HTTPServerResponse& out,
          const std::stop_token& stop) {
    out.setStatusAndReason(static_cast<net::HTTPResponse::HTTPStatus>(response.status));
    out.setContentType(response.content_type);
    out.set("X-Content-Type-Options", "nosniff");
    out.set("Cache-Control", "no-store");
    for (const auto& [name, value] : response.fields) {
        out.set(name, value);
    }
    if (response.stream && !head_only) {
        if (response.length) {
            out.setContentLength64(static_cast<Poco::Int64>(*response.length));
        } else {
            out.setChunkedTransferEncoding(true);
        }
        ToStream sink(out.send());
        if (!response.stream(sink, stop)) {
            throw Poco::IOException("the answer ended early");  // closes the connection
        }
        return;
    }
    out.setContentLength64(static_cast<Poco::Int64>(response.stream ? response.length.value_or(0)
                                                                    : response.body.size()));
    auto& stream = out.send();
    if (!head_only) {
        stream << response.body;
    }
}

class OneRequest final : public net::HTTPRequestHandler {
public:
    OneRequest(const HttpServer::Options& options, const HttpServer::Handler& handler,
               std::stop_token stop)
        : options_(options), handler_(handler), stop_(std::move(stop)) {}

    void handleRequest(net::HTTPServerRequest& in, net::HTTPServerResponse& out) override {
        Response response;
        const bool head_only = in.getMethod() == "HEAD";
        try {
            Request request = read(in);
            if (head_only) {
                request.method = "GET";
            }
            const std::size_t most = options_.most_body(request);
            auto body = read_body(in, most);
            if (body) {
                request.body = std::move(*body);
                response = handler_(request, stop_);
            } else {
                out.setKeepAlive(false);
                response =
                    problem(413, "the body is larger than " + std::to_string(most / 1024) + " KiB");
            }
        } catch (const Poco::SyntaxException&) {
            response = problem(400, "the address of the request is malformed");
        }
        send(response, head_only, out, stop_);
    }

private:
    const HttpServer::Options& options_;
    const HttpServer::Handler& handler_;
    std::stop_token stop_;
};

class Requests final : public net::HTTPRequestHandlerFactory {
public:
    Requests(HttpServer::Options options, HttpServer::Handler handler, std::stop_token stop)
        : options_(std::move(options)), handler_(std::move(handler)), stop_(std::move(stop)) {}

    net::HTTPRequestHandler* createRequestHandler(const net::HTTPServerRequest&) override {
        return new OneRequest(options_, handler_, stop_);  // Poco deletes it
    }

private:
    const HttpServer::Options options_;
    const HttpServer::Handler handler_;
    const std::stop_token stop_;
};

net::ServerSocket listen(const HttpServer::Options& options) {
    const net::SocketAddress address(options.host, options.port);
    if (options.certificate.empty()) {
        return net::ServerSocket(address, HttpServer::kWaiting);
    }
    const net::Context::Params params = [&] {
        net::Context::Params given;
        given.privateKeyFile = options.key.string();
        given.certificateFile = options.certificate.string();
        given.verificationMode = net::Context::VERIFY_NONE;  // of clients: they have credentials
        return given;
    }();
    net::Context::Ptr context(new net::Context(net::Context::TLS_SERVER_USE, params));
    context->requireMinimumProtocol(net::Context::PROTO_TLSV1_2);
    return net::SecureServerSocket(address, HttpServer::kWaiting, context);
}

}  // namespace

std::string Request::value(const std::string& name) const {
    const auto [begin, end] = query.equal_range(name);
    return begin == end ? std::string() : std::prev(end)->second;
}

std::vector<std::string> Request::values(const std::string& name) const {
    std::vector<std::string> found;
    const auto [begin, end] = query.equal_range(name);
    for (auto one = begin; one != end; ++one) {
        found.push_back(one->second);
    }
    return found;
}

struct HttpServer::State {
    std::stop_source stop;
    Poco::ThreadPool threads{2, kThreads};
    std::unique_ptr<net::HTTPServer> server;
};

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::open(const Options& options, Handler handler) {
    try {
        auto state = std::make_unique<State>();
        const net::ServerSocket socket = listen(options);
        net::HTTPServerParams::Ptr params(new net::HTTPServerParams);
        params->setMaxThreads(kThreads);
        params->setMaxQueued(kWaiting);
        params->setTimeout(Poco::Timespan(static_cast<long>(kPatience.count()), 0));
        params->setKeepAliveTimeout(Poco::Timespan(kIdleSeconds, 0));
        // A thread without a connection may miss that the server stops, and is waited for.
        params->setThreadIdleTime(Poco::Timespan(kIdleSeconds, 0));
        params->setSoftwareVersion("OpenArchiver");
        state->server = std::make_unique<net::HTTPServer>(
            new Requests(options, std::move(handler), state->stop.get_token()), state->threads,
            socket, params);
        state->server->start();
        return std::unique_ptr<HttpServer>(new HttpServer(std::move(state)));
    } catch (const Poco::Exception& exception) {
        return Error{Errc::unavailable, "the HTTP API can't listen on " + options.host + ":" +
                                            std::to_string(options.port) + ": " +
                                            exception.displayText()};
    }
}

HttpServer::~HttpServer() {
    state_->stop.request_stop();
    state_->server->stopAll(true);
    state_->threads.joinAll();
}

std::uint16_t HttpServer::port() const {
    return state_->server->port();
}

}  // namespace openarchiver::api
