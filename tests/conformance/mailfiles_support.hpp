#pragma once

#include <filesystem>
#include <map>
#include <openarchiver/testkit/host_fixture.hpp>
#include <openarchiver/testkit/provider_checks.hpp>
#include <optional>
#include <string>
#include <vector>

/// A source of mail files, and what the provider tells of it.
namespace openarchiver::tests {

sdk::Provider& mailfiles();

struct Mail {
    testkit::HostFixture host;
    std::filesystem::path folder = host.profile_folder() / "mail";
    std::string config = R"({"paths": ["mail"], "settle_seconds": 0})";

    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open();
    testkit::ProviderFixture fixture(std::vector<testkit::UpstreamChange> changes);
};

class Accounts final : public sdk::AccountSink {
public:
    sdk::Flow account(const sdk::Account& account) override {
        ids.push_back(account.id);
        return sdk::Flow::proceed;
    }

    std::vector<std::string> ids;
};

class Folders final : public sdk::FolderSink {
public:
    sdk::Flow folder(const sdk::Folder& folder) override {
        by_id[folder.id] = folder;
        return sdk::Flow::proceed;
    }

    sdk::Flow folder_removed(std::string_view) override { return sdk::Flow::proceed; }

    std::map<std::string, sdk::Folder> by_id;
};

class Items final : public sdk::ItemSink {
public:
    sdk::Flow item(const sdk::Item& item) override {
        ids.push_back(item.id);
        items.push_back(item);
        return sdk::Flow::proceed;
    }

    sdk::Flow item_left(std::string_view) override { return sdk::Flow::proceed; }

    sdk::Flow item_failed(std::string_view id, const sdk::Error& error) override {
        failed[std::string(id)] = error.message;
        return sdk::Flow::proceed;
    }

    sdk::Flow checkpoint(const sdk::Cursor& cursor) override {
        last = cursor;
        return sdk::Flow::proceed;
    }

    std::vector<std::string> ids;
    std::vector<sdk::Item> items;
    std::map<std::string, std::string> failed;
    std::optional<sdk::Cursor> last;
};

/// These fail the test where the provider fails.
std::map<std::string, sdk::Folder> folders_of(sdk::ProviderSession& session,
                                              const std::string& account);
void list_into(Items& sink, sdk::ProviderSession& session, const std::string& account,
               const std::string& folder);
std::vector<std::string> items_of(sdk::ProviderSession& session, const std::string& account,
                                  const std::string& folder);
std::string read_item(sdk::ProviderSession& session, const std::string& account,
                      const std::string& item);

}  // namespace openarchiver::tests
