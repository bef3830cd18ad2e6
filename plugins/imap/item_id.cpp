#include "item_id.hpp"

#include "scanner.hpp"

namespace openarchiver::imap {

namespace {

constexpr char kByUid = 'U';

}  // namespace

char scheme_of(const StableNames& names) {
    if (names.message == "EMAILID") {
        return 'E';
    }
    if (names.message == "X-GM-MSGID") {
        return 'G';
    }
    return names.message == "X-GUID" ? 'D' : kByUid;
}

std::string stable_item_id(char scheme, std::string_view id) {
    return scheme + std::string(id);
}

std::string uid_item_id(std::uint32_t uid_validity, UidSet::Uid uid, std::string_view folder_id) {
    return kByUid + std::to_string(uid_validity) + "." + std::to_string(uid) + "." +
           std::string(folder_id);
}

std::optional<UidItem> parse_uid_item_id(std::string_view item_id) {
    Scanner scanner(item_id);
    UidItem item;
    scanner.expect(kByUid);
    item.uid_validity = static_cast<std::uint32_t>(scanner.number());
    scanner.expect('.');
    item.uid = static_cast<UidSet::Uid>(scanner.number());
    scanner.expect('.');
    item.folder_id = scanner.left();
    return scanner.failed() || item.uid == 0 || item.folder_id.empty() ? std::nullopt
                                                                       : std::optional(item);
}

}  // namespace openarchiver::imap
