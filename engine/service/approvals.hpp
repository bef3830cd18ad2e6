#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "profile/profile.hpp"
#include "service/deeds.hpp"
#include "service/person.hpp"

/// What one person asks for and another one has to approve (docs/retention.md, A second person).
namespace openarchiver::service {

/// Does the deed, in the name that it has; its document.
using CarryOut = std::function<sdk::Result<std::string>(const Deed& deed)>;

/// The requests that wait, in a file beside the catalog. Safe for concurrent use, also by several
/// processes: one request is decided at a time, and once. What goes wrong loses a request at worst,
/// which is asked for anew then.
class Approvals {
public:
    static constexpr std::chrono::days kExpireAfter{7};
    static constexpr std::size_t kMost = 1000;

    /// Refers to both.
    Approvals(const profile::Archive& archive, const sdk::Clock& clock);

    /// Does the deed, or, where the profile wants a second person, keeps the request for one: the
    /// deed's document, or {"request":{...}}. invalid_argument: it would be refused anyway, or
    /// waits already.
    sdk::Result<std::string> carry_out_or_ask(Deed deed, const Person& person,
                                              const CarryOut& carry_out, std::stop_token stop);

    /// {"approvals":[...]}, the oldest first.
    [[nodiscard]] sdk::Result<std::string> document() const;

    /// Does what was asked for, exactly: {"approved":{...},"result":{...}}. invalid_argument: no
    /// such request, the same person, or what it is about has changed since, which ends it.
    sdk::Result<std::string> approve(const std::string& id, const Person& person,
                                     const CarryOut& carry_out, std::stop_token stop);

    /// Ends it: {"refused":{...}}. Who asked may do so, too.
    sdk::Result<std::string> refuse(const std::string& id, const std::string& reason);

private:
    using Requests = std::vector<boost::json::object>;

    [[nodiscard]] sdk::Result<bool> needed(const Deed& deed) const;
    sdk::Result<std::string> ask(const Deed& deed, const Person& person, std::stop_token stop);
    [[nodiscard]] sdk::Result<boost::json::object> scope_of(const Deed& deed,
                                                            const std::stop_token& stop) const;
    /// Those that have not expired.
    [[nodiscard]] sdk::Result<Requests> read() const;
    [[nodiscard]] sdk::Status write(const Requests& requests) const;
    [[nodiscard]] sdk::Error unwritten() const;

    const profile::Archive& archive_;
    const sdk::Clock& clock_;
    std::filesystem::path file_;
    std::filesystem::path lock_file_;
};

}  // namespace openarchiver::service
