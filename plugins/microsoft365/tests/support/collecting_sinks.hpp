#pragma once

#include <functional>
#include <map>
#include <openarchiver/sdk/provider.hpp>
#include <set>
#include <string>
#include <vector>

namespace openarchiver::microsoft365::test {

class Accounts final : public sdk::AccountSink {
public:
    sdk::Flow account(const sdk::Account& account) override {
        all.push_back(account);
        return sdk::Flow::proceed;
    }

    std::vector<sdk::Account> all;
};

class Folders final : public sdk::FolderSink {
public:
    sdk::Flow folder(const sdk::Folder& folder) override {
        all[folder.id] = folder;
        return sdk::Flow::proceed;
    }

    sdk::Flow folder_removed(std::string_view id) override {
        removed.emplace(id);
        return sdk::Flow::proceed;
    }

    /// The folder of that well-known or display name.
    [[nodiscard]] const sdk::Folder* find(std::string_view name) const {
        for (const auto& [id, folder] : all) {
            if (folder.well_known_name == name || folder.display_name == name) {
                return &folder;
            }
        }
        return nullptr;
    }

    std::map<std::string, sdk::Folder> all;
    std::set<std::string> removed;
};

class Items final : public sdk::ItemSink {
public:
    sdk::Flow item(const sdk::Item& item) override {
        all.push_back(item);
        if (on_item) {
            on_item(item);
        }
        return sdk::Flow::proceed;
    }

    sdk::Flow item_left(std::string_view id) override {
        left.emplace_back(id);
        return sdk::Flow::proceed;
    }

    sdk::Flow item_failed(std::string_view id, const sdk::Error&) override {
        failed.emplace_back(id);
        return sdk::Flow::proceed;
    }

    sdk::Flow checkpoint(const sdk::Cursor& cursor) override {
        cursors.push_back(cursor);
        return stop_at_checkpoint ? sdk::Flow::stop : sdk::Flow::proceed;
    }

    void clear() {
        all.clear();
        left.clear();
        failed.clear();
        cursors.clear();
    }

    [[nodiscard]] std::set<std::string> ids() const {
        std::set<std::string> result;
        for (const sdk::Item& one : all) {
            result.insert(one.id);
        }
        return result;
    }

    std::vector<sdk::Item> all;
    std::vector<std::string> left;
    std::vector<std::string> failed;
    std::vector<sdk::Cursor> cursors;
    std::function<void(const sdk::Item&)> on_item;
    bool stop_at_checkpoint = false;
};

/// All bytes of a reader, or its error.
inline sdk::Result<std::string> read_all(sdk::ByteReader& reader) {
    std::string content;
    std::byte buffer[8192];
    for (;;) {
        OPENARCHIVER_TRY(const std::size_t count, reader.read(buffer));
        if (count == 0) {
            return content;
        }
        content.append(reinterpret_cast<const char*>(buffer), count);
    }
}

}  // namespace openarchiver::microsoft365::test
