#pragma once

#include <chrono>
#include <memory>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <stop_token>
#include <string>

namespace openarchiver::archive {

/// The right to write to an archive, as an object in its store (`lease`), so that a second engine
/// is refused wherever it runs and whatever catalog it uses. Renewed in the background; taken over
/// at once from a dead process of this host, and from another host when it was not renewed for a
/// minute by our clock, and is not while we watch it.
class Lease {
public:
    static constexpr std::chrono::seconds kRenewEvery{15};
    static constexpr std::chrono::seconds kStaleAfter{60};

    /// already_exists: held by another engine; the message names host and process. unsupported: the
    /// store can't keep two engines apart.
    static sdk::Result<std::unique_ptr<Lease>> acquire(
        sdk::ObjectStore& store, sdk::Clock& clock, std::stop_token stop,
        std::chrono::milliseconds renew_every = kRenewEvery);
    /// Gives the lease back.
    ~Lease();
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;

    /// False once somebody else took it, and while it could not be renewed for so long that
    /// somebody else may: writing must end.
    [[nodiscard]] bool held() const;

private:
    struct State;
    explicit Lease(std::unique_ptr<State> state);

    std::unique_ptr<State> state_;
};

}  // namespace openarchiver::archive
