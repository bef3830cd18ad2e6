// A provider that breaks the contract in the way that its configuration names.
#include <array>
#include <stdexcept>
#include <string>
#include <vector>

#include "sample.hpp"

namespace {

namespace sdk = openarchiver::sdk;

class GreedyReader final : public sdk::ByteReader {
public:
    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        return buffer.size() + 1;
    }
};

class ThrowingReader final : public sdk::ByteReader {
public:
    sdk::Result<std::size_t> read(std::span<std::byte>) override { throw 7; }
};

class Session final : public sdk::ProviderSession {
public:
    explicit Session(std::string_view fault) : fault_(fault) {}

    [[nodiscard]] sdk::SessionLimits limits() const override {
        fail_if("throws");
        return {0, 0};
    }

    sdk::Result<std::vector<sdk::Check>> check(std::stop_token) override {
        fail_if("throws");
        return std::vector<sdk::Check>{};
    }

    sdk::Result<sdk::Listing> discover(const std::optional<sdk::Cursor>&, sdk::AccountSink& sink,
                                       std::stop_token) override {
        fail_if("throws");
        for (int i = 0; i < 3; ++i) {
            // Goes on whatever the sink says.
            static_cast<void>(sink.account({"account-" + std::to_string(i), "", "", {}, ""}));
        }
        sdk::Listing listing;
        if (fault_ == "long cursor") {
            listing.cursor = sdk::Cursor{1, std::string(70000, 'c')};
        }
        return listing;
    }

    sdk::Result<sdk::Account> find_account(const std::string& id, std::stop_token) override {
        fail_if("throws");
        sdk::Account account;
        account.id = fault_ == "other account" ? id + "'s neighbour" : id;
        return account;
    }

    sdk::Result<sdk::FolderListing> list_folders(const std::string&,
                                                 const std::optional<sdk::Cursor>&,
                                                 sdk::FolderSink& sink, std::stop_token) override {
        fail_if("throws");
        sdk::Folder folder;
        folder.id = fault_ == "empty id" ? "" : "inbox";
        static_cast<void>(sink.folder(folder));
        return sdk::FolderListing{};
    }

    sdk::Status sync_folder(const std::string&, const std::string&,
                            const std::optional<sdk::Cursor>&, sdk::ItemSink& sink,
                            std::stop_token) override {
        fail_if("throws");
        sdk::Item item;
        for (int i = 0; i < 3; ++i) {
            item.id = fault_ == "empty id" && i == 1 ? "" : "item-" + std::to_string(i);
            static_cast<void>(sink.item(item));
        }
        static_cast<void>(
            sink.checkpoint({1, std::string(fault_ == "long cursor" ? 70000 : 4, 'c')}));
        return {};
    }

    sdk::Result<std::unique_ptr<sdk::ByteReader>> open_content(const std::string&,
                                                               const std::string&,
                                                               std::stop_token) override {
        fail_if("throws");
        if (fault_ == "null") {
            return std::unique_ptr<sdk::ByteReader>();
        }
        if (fault_ == "greedy") {
            return std::make_unique<GreedyReader>();
        }
        return std::make_unique<ThrowingReader>();
    }

    sdk::Result<std::unique_ptr<sdk::ByteReader>> reconstruct_content(
        const std::string& account, const std::string& item, const sdk::Error&,
        std::stop_token stop) override {
        return open_content(account, item, std::move(stop));
    }

    [[nodiscard]] std::optional<sdk::Timestamp> credentials_expire() const override {
        fail_if("throws");
        return std::nullopt;
    }

    sdk::Status probe(const std::string&, std::stop_token) override {
        fail_if("throws");
        return sdk::Error{sdk::Errc::rate_limited, "later"};
    }

    sdk::Result<sdk::Estimate> estimate(std::stop_token) override {
        fail_if("throws");
        sdk::Estimate estimate;
        estimate.accounts = fault_ == "boastful" ? 1 : 2;
        estimate.sampled_accounts = {3, 4};
        return estimate;
    }

private:
    void fail_if(std::string_view fault) const {
        if (fault_ == fault) {
            throw std::runtime_error("the plugin's own trouble");
        }
    }

    std::string fault_;
};

class Provider final : public sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override { return "{}"; }

    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open(std::string_view fault,
                                                            const sdk::HostServices&) override {
        if (fault == "open throws") {
            throw std::vector<int>{1};
        }
        if (fault == "open null") {
            return std::unique_ptr<sdk::ProviderSession>();
        }
        return std::make_unique<Session>(fault);
    }
};

class Misbehaving final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {"misbehaving", "1", "Misbehaving"};
    }

    [[nodiscard]] sdk::Provider* provider() override { return &provider_; }

private:
    Provider provider_;
};

}  // namespace

OPENARCHIVER_PLUGIN(Misbehaving);
