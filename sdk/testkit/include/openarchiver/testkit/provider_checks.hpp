#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <openarchiver/sdk/provider.hpp>
#include <openarchiver/testkit/conformance.hpp>
#include <openarchiver/testkit/host_fixture.hpp>
#include <string>
#include <vector>

namespace openarchiver::testkit {

/// What a change upstream does to the items of the source.
enum class Effect : std::uint8_t {
    item_added,       ///< one item more
    item_removed,     ///< one item fewer
    item_moved,       ///< the same items with the same tags, one in another folder
    item_changed,     ///< the same items, one with another content tag
    item_placed,      ///< the same items with the same tags, one in a further folder as well
    item_broken,      ///< one item can't be delivered any more, for a reason of its own
    cursors_expired,  ///< the service no longer knows its earlier cursors; the same items
    outage,           ///< the service refuses or breaks off every request
    silence,          ///< the service takes requests and does not answer
    nothing,  ///< the same items with the same tags in the same folders: a flag, a read mark
};

/// A change that a test can make upstream, behind the provider's back.
struct UpstreamChange {
    /// "a message is moved to another folder".
    std::string name;
    Effect effect = Effect::nothing;
    std::function<void()> apply;
};

/// The provider under test, with a source that has accounts, folders and items.
struct ProviderFixture {
    /// Opens a session on the same source each time.
    std::function<sdk::Result<std::unique_ptr<sdk::ProviderSession>>()> open;
    /// May be empty; each is applied at most once.
    std::vector<UpstreamChange> changes = {};
    /// What the sessions log to, and what must never be found there.
    CapturingLogger* logger = nullptr;
    std::vector<std::string> secrets = {};
    /// Well-formed ids of items, folders and accounts that the source does not have.
    std::vector<std::string> unknown_items = {"no-such-id"};
    std::vector<std::string> unknown_folders = {"no-such-id"};
    std::vector<std::string> unknown_accounts = {"no-such-id"};
};

/// What the contract in sdk/provider.hpp promises, as checks.
[[nodiscard]] std::vector<ConformanceCheck> provider_checks(const ProviderFixture& fixture);

}  // namespace openarchiver::testkit
