#pragma once

#include <cstdint>
#include <map>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "catalog/event.hpp"
#include "pipeline/committer.hpp"

namespace openarchiver::disposal {

/// An item with all its versions.
struct DisposableItem {
    std::string source;
    std::string account;
    std::string id;
    std::string ref;
    std::uint64_t last_version = 0;
    std::uint64_t versions = 0;
    std::uint64_t bytes = 0;
};

[[nodiscard]] DisposableItem disposable(const std::vector<catalog::VersionRecord>& versions);

/// Disposes of items, so many at a time that each disposal is one segment.
class ItemDisposal {
public:
    /// `why` has cause, policy, reason and by.
    ItemDisposal(pipeline::Committer& committer, const sdk::Clock& clock, catalog::Disposal why)
        : committer_(committer), clock_(clock), why_(std::move(why)), open_(why_) {}

    sdk::Status add(const DisposableItem& item, std::stop_token stop);
    /// Everything added is disposed of, and durable.
    sdk::Status finish(std::stop_token stop);

private:
    pipeline::Committer& committer_;
    const sdk::Clock& clock_;
    const catalog::Disposal why_;
    catalog::Disposal open_;
    std::map<std::pair<std::string, std::string>, catalog::ItemsDisposed> items_;  // by account
};

}  // namespace openarchiver::disposal
