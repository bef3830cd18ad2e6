#include "verify/inventory.hpp"

#include <algorithm>
#include <string_view>
#include <utility>

#include "archive/archive.hpp"
#include "archive/pack.hpp"
#include "archive/segment.hpp"
#include "evidence/object_keys.hpp"

namespace openarchiver::verify {

namespace {

constexpr std::string_view kPackPrefix = "packs/";

class InventorySink final : public sdk::ObjectListSink {
public:
    explicit InventorySink(Inventory& inventory) : inventory_(inventory) {}

    bool object(const sdk::ObjectInfo& info) override {
        const std::string_view key = info.key;
        if (key == "archive" || key == "keyring" || key == "lease" ||
            key == archive::kUnfinishedCopyKey || archive::parse_segment_key(key) ||
            evidence::is_evidence(key)) {
            return true;
        }
        if (key.starts_with(kPackPrefix)) {
            const auto id = archive::digest_from_hex(key.substr(key.rfind('/') + 1));
            if (id && archive::pack_key(*id) == key) {
                inventory_.packs.push_back({*id, info.size, info.modified_at});
                return true;
            }
        }
        ++inventory_.foreign_count;
        if (inventory_.foreign.size() < Inventory::kMaxForeign) {
            inventory_.foreign.emplace_back(key);
        }
        return true;
    }

private:
    Inventory& inventory_;
};

}  // namespace

const StoredPack* Inventory::find(const archive::Digest& id) const {
    const auto at = std::ranges::lower_bound(packs, id, {}, &StoredPack::id);
    return at != packs.end() && at->id == id ? &*at : nullptr;
}

sdk::Result<Inventory> take_inventory(sdk::ObjectStore& store, std::stop_token stop) {
    Inventory inventory;
    InventorySink sink(inventory);
    OPENARCHIVER_CHECK(store.list("", "", sink, std::move(stop)));
    std::ranges::sort(inventory.packs, {}, &StoredPack::id);
    return inventory;
}

}  // namespace openarchiver::verify
