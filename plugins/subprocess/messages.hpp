#pragma once

#include <boost/json/object.hpp>
#include <openarchiver/sdk/provider.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What programs answer, in the words of docs/subprocess-provider.md. Errors of the parse functions
/// are internal, and name the member that is wrong; members that nobody knows are passed over.
namespace openarchiver::subprocess {

/// Pages go on while there is a `more`.
struct AccountPage {
    std::vector<sdk::Account> accounts;
    std::optional<std::string> more;
};

struct FolderPage {
    std::vector<sdk::Folder> folders;
    sdk::AccountState state = sdk::AccountState::available;
    std::string reason;
    std::optional<std::string> more;
};

struct ItemPage {
    std::vector<sdk::Item> items;
    std::vector<std::string> left;
    std::vector<std::pair<std::string, sdk::Error>> failed;
    std::optional<std::string> cursor;
    std::optional<std::string> more;

    [[nodiscard]] bool empty() const { return items.empty() && left.empty() && failed.empty(); }
};

sdk::Result<AccountPage> parse_accounts(const boost::json::object& result);
sdk::Result<FolderPage> parse_folders(const boost::json::object& result);
sdk::Result<ItemPage> parse_items(const boost::json::object& result);
sdk::Result<std::vector<sdk::Check>> parse_checks(const boost::json::object& result);
/// An error as a program tells it: {"code": ..., "message": ..., "retry_after": seconds}.
sdk::Status parse_error(const boost::json::value& value, sdk::Error& into);

/// RFC 3339, to the millisecond.
std::optional<sdk::Timestamp> parse_time(std::string_view text);

}  // namespace openarchiver::subprocess
