#include "service.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

// A service of files, to have something that works. `ROOT/journal` has a line for each change,
//
//     SEQUENCE ACCOUNT FOLDER ITEM REVISION      (REVISION "-": the item left the folder)
//
// and `ROOT/ACCOUNT/ITEM.REVISION` the content.
namespace @IDENTIFIER@ {

struct Service::Entry {
    std::string account;
    std::string folder;
    Change change;
};

namespace {

sdk::Error unavailable(const std::filesystem::path& file) {
    return {.code = sdk::Errc::unavailable, .message = "can't read " + file.string()};
}

sdk::Error not_found(const std::string& what) {
    return {.code = sdk::Errc::not_found, .message = "the service has no such " + what};
}

void add_once(std::vector<std::string>& names, const std::string& name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) {
        names.push_back(name);
    }
}

}  // namespace

sdk::Result<std::vector<Service::Entry>> Service::journal() const {
    std::ifstream lines(root_ / "journal");
    if (!lines) {
        return unavailable(root_ / "journal");
    }
    std::vector<Entry> entries;
    std::string line;
    while (std::getline(lines, line)) {
        std::istringstream words(line);
        Entry entry;
        std::string revision;
        if (words >> entry.change.sequence >> entry.account >> entry.folder >> entry.change.item >>
            revision) {
            entry.change.left = revision == "-";
            entry.change.revision = entry.change.left ? 0 : std::stoull(revision);
            entries.push_back(std::move(entry));
        }
    }
    return entries;
}

sdk::Result<std::vector<std::string>> Service::accounts() const {
    OPENARCHIVER_TRY(const std::vector<Entry> entries, journal());
    std::vector<std::string> names;
    for (const Entry& entry : entries) {
        add_once(names, entry.account);
    }
    return names;
}

sdk::Result<std::vector<std::string>> Service::folders(const std::string& account) const {
    OPENARCHIVER_TRY(const std::vector<Entry> entries, journal());
    std::vector<std::string> names;
    for (const Entry& entry : entries) {
        if (entry.account == account) {
            add_once(names, entry.folder);
        }
    }
    if (names.empty()) {
        return not_found("account");
    }
    return names;
}

sdk::Result<std::vector<Change>> Service::changes(const std::string& account,
                                                  const std::string& folder,
                                                  std::uint64_t sequence) const {
    OPENARCHIVER_TRY(const std::vector<Entry> entries, journal());
    std::map<std::string, Change> newest;
    bool found = false;
    for (const Entry& entry : entries) {
        if (entry.account == account && entry.folder == folder) {
            found = true;
            newest[entry.change.item] = entry.change;
        }
    }
    if (!found) {
        return not_found("folder");
    }
    if (sequence > 0 && (entries.empty() || entries.front().change.sequence > sequence)) {
        return sdk::Error{.code = sdk::Errc::cursor_expired,
                          .message = "the service no longer knows what changed since then"};
    }
    std::vector<Change> changes;
    for (const auto& [item, change] : newest) {
        if (change.sequence > sequence && !(change.left && sequence == 0)) {
            changes.push_back(change);
        }
    }
    std::sort(changes.begin(), changes.end(),
              [](const Change& a, const Change& b) { return a.sequence < b.sequence; });
    return changes;
}

sdk::Result<std::string> Service::content(const std::string& account,
                                          const std::string& item) const {
    OPENARCHIVER_TRY(const std::vector<Entry> entries, journal());
    std::uint64_t revision = 0;
    for (const Entry& entry : entries) {
        if (entry.account == account && entry.change.item == item) {
            revision = std::max(revision, entry.change.revision);
        }
    }
    if (revision == 0) {
        return not_found("item");
    }
    const auto file = root_ / account / (item + "." + std::to_string(revision));
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        return sdk::Error{.code = sdk::Errc::corrupt,
                          .message = "the service has lost the content of an item"};
    }
    std::ostringstream bytes;
    bytes << stream.rdbuf();
    return bytes.str();
}

}  // namespace @IDENTIFIER@
