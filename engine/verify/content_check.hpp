#pragma once

#include <functional>
#include <memory>
#include <stop_token>

#include "archive/archive.hpp"
#include "verify/catalog_check.hpp"
#include "verify/inventory.hpp"
#include "verify/report.hpp"

namespace openarchiver::verify {

[[nodiscard]] bool belongs_to(const std::optional<Part>& part, const archive::Digest& pack);

/// Whether the service has replaced a pack since the log was read: then its contents are elsewhere,
/// and it may have been removed.
using ReplacedMeanwhile = std::function<bool(const archive::Digest& pack)>;

/// Reads every content back that a replayed catalog names, in the order in which they lie in packs,
/// on as many threads as there are processors (four at most). The findings are the same whichever
/// thread read what.
class ContentCheck {
public:
    /// The replayed catalog must be closed. All references outlive the object.
    static sdk::Result<std::unique_ptr<ContentCheck>> open(archive::Archive& archive,
                                                           const ReplayedCatalog& catalog,
                                                           const Inventory& inventory,
                                                           ReplacedMeanwhile replaced,
                                                           Report& report);
    ~ContentCheck();
    ContentCheck(const ContentCheck&) = delete;
    ContentCheck& operator=(const ContentCheck&) = delete;

    /// How many packs the log names.
    sdk::Result<std::uint64_t> count();
    /// Checks the packs that belong to the report's part; `progress` is called now and then, by one
    /// thread at a time.
    sdk::Status run(const std::function<void()>& progress, std::stop_token stop);
    /// Whether every content and part is in a pack that the log has; asked of a log that is whole.
    sdk::Status check_places();
    /// Whether the log names this pack.
    [[nodiscard]] bool names(const archive::Digest& pack) const;

private:
    struct State;
    explicit ContentCheck(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace openarchiver::verify
