#include "resolver.hpp"

#include <netdb.h>

#include <cstring>

#include "failure.hpp"

namespace openarchiver::imap {

namespace {

constexpr std::chrono::seconds kTimeToLive{60};

}  // namespace

Resolver::~Resolver() {
    // They write into entries_, which has to last until they are over.
    std::vector<std::jthread> workers;  // joined last, without the lock
    const std::lock_guard lock(mutex_);
    for (auto& [name, entry] : entries_) {
        workers.push_back(std::move(entry.worker));
    }
}

sdk::Result<std::vector<Address>> Resolver::resolve(const std::string& host, std::uint16_t port,
                                                    const std::stop_token& stop) {
    const std::string service = std::to_string(port);
    std::unique_lock lock(mutex_);
    Entry& entry = entries_[host + " " + service];
    if (!entry.addresses.empty() &&
        std::chrono::steady_clock::now() - entry.resolved_at < kTimeToLive) {
        return entry.addresses;
    }
    if (!entry.running) {
        entry.running = true;
        // A finished worker only has to be joined.
        entry.worker = std::jthread([this, host, service] { look_up(host, service); });
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

void Resolver::look_up(const std::string& host, const std::string& port) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICSERV;
    addrinfo* list = nullptr;
    const int code = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
    std::vector<Address> addresses;
    for (const addrinfo* entry = code == 0 ? list : nullptr; entry != nullptr;
         entry = entry->ai_next) {
        Address& address = addresses.emplace_back();
        std::memcpy(&address.storage, entry->ai_addr, entry->ai_addrlen);
        address.size = entry->ai_addrlen;
    }
    if (code == 0) {
        ::freeaddrinfo(list);
    }
    const std::lock_guard lock(mutex_);
    Entry& entry = entries_[host + " " + port];
    entry.addresses = std::move(addresses);
    entry.problem = code == 0 ? "no address" : ::gai_strerror(code);
    entry.resolved_at = std::chrono::steady_clock::now();
    entry.running = false;
    ++entry.lookups;
    changed_.notify_all();
}

}  // namespace openarchiver::imap
