#include "http/resolver.hpp"

#include <Poco/Exception.h>
#include <Poco/Net/DNS.h>
#include <Poco/Net/HostEntry.h>

#include "http/failure.hpp"

namespace openarchiver::http {

namespace {

constexpr std::chrono::seconds kTimeToLive{60};

}  // namespace

/// A worker looks its entry up once more at its end: all of them end before any entry goes.
Resolver::~Resolver() {
    std::vector<std::jthread> workers;
    const std::lock_guard lock(mutex_);
    for (auto& [host, entry] : entries_) {
        workers.push_back(std::move(entry.worker));
    }
}

sdk::Result<std::vector<Poco::Net::IPAddress>> Resolver::resolve(const std::string& host,
                                                                 std::stop_token stop) {
    if (host.ends_with(".localhost")) {
        // Never a question for name servers: https://www.rfc-editor.org/rfc/rfc6761#section-6.3
        return std::vector{Poco::Net::IPAddress("127.0.0.1"), Poco::Net::IPAddress("::1")};
    }
    if (Poco::Net::IPAddress literal; Poco::Net::IPAddress::tryParse(host, literal)) {
        return std::vector{literal};
    }
    std::unique_lock lock(mutex_);
    Entry& entry = entries_[host];
    const bool fresh = !entry.addresses.empty() &&
                       std::chrono::steady_clock::now() - entry.resolved_at < kTimeToLive;
    if (fresh) {
        return entry.addresses;
    }
    if (!entry.running) {
        entry.running = true;
        // A finished worker only has to be joined.
        entry.worker = std::jthread([this, host] { look_up(host); });
    }
    const std::uint64_t before = entry.lookups;
    if (!changed_.wait(lock, stop, [&] { return entry.lookups != before; })) {
        return cancelled();
    }
    if (entry.addresses.empty()) {
        return failure(sdk::Errc::unavailable, "the host name " + host + " can't be resolved (" +
                                                   entry.problem + "): check DNS and the network");
    }
    return entry.addresses;
}

void Resolver::look_up(const std::string& host) {
    std::vector<Poco::Net::IPAddress> addresses;
    std::string problem = "no address";
    try {
        const Poco::Net::HostEntry found = Poco::Net::DNS::resolve(host);
        addresses = found.addresses();
    } catch (const Poco::Exception& exception) {
        problem = exception.name();
    } catch (const std::exception& exception) {
        problem = exception.what();
    }
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[host];
    entry.addresses = std::move(addresses);
    entry.problem = std::move(problem);
    entry.resolved_at = std::chrono::steady_clock::now();
    entry.running = false;
    ++entry.lookups;
    changed_.notify_all();
}

}  // namespace openarchiver::http
