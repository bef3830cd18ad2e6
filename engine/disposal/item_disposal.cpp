#include "disposal/item_disposal.hpp"

#include <tuple>

#include "archive/digest.hpp"
#include "archive/random.hpp"

namespace openarchiver::disposal {

using sdk::Status;

namespace {

constexpr std::size_t kItems = 5000;

}  // namespace

DisposableItem disposable(const std::vector<catalog::VersionRecord>& versions) {
    DisposableItem item;
    for (const auto& version : versions) {
        item.source = version.source;
        item.account = version.account;
        item.id = version.item;
        item.ref = version.ref;
        item.last_version = static_cast<std::uint64_t>(version.version);
        ++item.versions;
        item.bytes += version.size;
    }
    return item;
}

Status ItemDisposal::add(const DisposableItem& item, std::stop_token stop) {
    open_.refs.push_back(item.ref);
    open_.versions += item.versions;
    open_.bytes += item.bytes;
    items_[{item.source, item.account}].items.push_back({item.id, item.last_version});
    return open_.refs.size() < kItems ? Status() : finish(std::move(stop));
}

Status ItemDisposal::finish(std::stop_token stop) {
    if (open_.refs.empty()) {
        return {};
    }
    open_.id = archive::to_hex(archive::random_bytes<8>());
    const auto at = sdk::timestamp_of(clock_);
    std::vector<pipeline::Entry> entries;
    for (auto& [account, items] : items_) {
        items.disposal = open_.id;
        pipeline::Entry entry;
        std::tie(entry.source, entry.account) = account;
        entry.event = {at, std::move(items)};
        entries.push_back(std::move(entry));
    }
    pipeline::Entry disposal;
    disposal.event = {at, std::exchange(open_, why_)};
    entries.insert(entries.begin(), std::move(disposal));
    items_.clear();
    return committer_.put_together(std::move(entries), std::move(stop));
}

}  // namespace openarchiver::disposal
