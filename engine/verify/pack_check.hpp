#pragma once

#include <cstdint>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <vector>

#include "archive/archive.hpp"
#include "verify/catalog_check.hpp"
#include "verify/inventory.hpp"

namespace openarchiver::verify {

/// Whether an error says that what is stored is damaged; others end the verify.
[[nodiscard]] bool is_damage(sdk::Errc code);

/// A content that a replayed catalog names.
struct PlacedContent {
    std::int64_t key = 0;
    std::uint64_t size = 0;
    std::uint32_t frame = 0;
};

/// A part as one of its holders can read it.
struct HeldPart {
    std::int64_t key = 0;
    archive::Digest id{};
    archive::StoredPart stored;
    archive::AccountKey account;
};

/// What came of reading a pack back, and every content in it.
struct PackResult {
    struct Failed {
        std::int64_t content = 0;
        sdk::Error error;
    };

    bool present = true;         ///< in the store's listing; if not, nothing was read
    sdk::Status object;          ///< the pack as an object; damage only
    std::vector<Failed> failed;  ///< contents, in their order in the pack; damage only
    std::uint64_t contents = 0;  ///< that came back
    std::uint64_t bytes = 0;     ///< of these
    std::uint64_t forgotten = 0;

    [[nodiscard]] bool clean() const { return present && object && failed.empty(); }
};

/// Reads packs back, one after another. For one thread; several work side by side, each with a
/// connection of its own.
class PackCheck {
public:
    /// All references outlive the object.
    static sdk::Result<std::unique_ptr<PackCheck>> open(archive::Archive& archive,
                                                        const ReplayedCatalog& catalog,
                                                        const Inventory& inventory);
    ~PackCheck();
    PackCheck(const PackCheck&) = delete;
    PackCheck& operator=(const PackCheck&) = delete;

    sdk::Result<PackResult> check(const archive::PackInfo& pack, std::stop_token stop);

    /// The contents of a pack, in their order in it.
    sdk::Result<std::vector<PlacedContent>> contents(const archive::Digest& pack);
    /// The parts in a pack that somebody can still read.
    sdk::Result<std::vector<HeldPart>> parts(const archive::PackInfo& pack);
    /// Whether the content's account was forgotten.
    [[nodiscard]] bool forgotten(const archive::PackInfo& pack, const PlacedContent& content) const;

private:
    struct State;
    explicit PackCheck(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace openarchiver::verify
