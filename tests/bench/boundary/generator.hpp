#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <openarchiver/sdk/provider.hpp>
#include <string>
#include <utility>

/// A provider of generated messages, as fast as it can.
namespace openarchiver::bench {

class GeneratedReader final : public sdk::ByteReader {
public:
    GeneratedReader(std::uint64_t number, std::size_t size)
        : head_("From: ada@example.org\r\nTo: bob@example.org\r\nSubject: message " +
                std::to_string(number) + "\r\nMessage-ID: <" + std::to_string(number) +
                "@example.org>\r\nDate: Thu, 26 Nov 2026 05:00:00 +0000\r\n\r\n"),
          size_(std::max(size, head_.size())),
          state_(number * 2 + 1) {}

    sdk::Result<std::size_t> read(std::span<std::byte> buffer) override {
        const std::size_t count = std::min(buffer.size(), size_ - at_);
        for (std::size_t i = 0; i < count; ++i, ++at_) {
            if (at_ < head_.size()) {
                buffer[i] = static_cast<std::byte>(head_[at_]);
                continue;
            }
            state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
            const auto letter = static_cast<unsigned char>('a' + (state_ >> 60U));
            buffer[i] = static_cast<std::byte>(at_ % 76 == 0 ? '\n' : letter);
        }
        return count;
    }

private:
    std::string head_;
    std::size_t size_;
    std::size_t at_ = 0;
    std::uint64_t state_;
};

class GeneratingSession final : public sdk::ProviderSession {
public:
    GeneratingSession(std::uint64_t items, std::size_t size) : items_(items), size_(size) {}

    [[nodiscard]] sdk::SessionLimits limits() const override {
        return {.accounts_in_parallel = 1, .readers_per_account = 2};
    }

    sdk::Result<std::vector<sdk::Check>> check(std::stop_token) override {
        return std::vector<sdk::Check>();
    }

    sdk::Result<sdk::Listing> discover(const std::optional<sdk::Cursor>&, sdk::AccountSink& sink,
                                       std::stop_token) override {
        (void)sink.account({.id = "account", .address = "ada@example.org"});
        return sdk::Listing{};
    }

    sdk::Result<sdk::FolderListing> list_folders(const std::string&,
                                                 const std::optional<sdk::Cursor>&,
                                                 sdk::FolderSink& sink, std::stop_token) override {
        (void)sink.folder({.id = "folder", .display_name = "Inbox"});
        return sdk::FolderListing{};
    }

    sdk::Status sync_folder(const std::string&, const std::string&,
                            const std::optional<sdk::Cursor>&, sdk::ItemSink& sink,
                            std::stop_token stop) override {
        for (std::uint64_t i = 0; i < items_; ++i) {
            const bool stopped =
                sink.item({.id = std::to_string(i), .content_tag = "1"}) == sdk::Flow::stop ||
                (i % 1000 == 999 && sink.checkpoint({1, std::to_string(i)}) == sdk::Flow::stop);
            if (stopped || stop.stop_requested()) {
                return sdk::Error{sdk::Errc::cancelled, "stopped"};
            }
        }
        (void)sink.checkpoint({1, std::to_string(items_)});
        return {};
    }

    sdk::Result<std::unique_ptr<sdk::ByteReader>> open_content(const std::string&,
                                                               const std::string& item,
                                                               std::stop_token) override {
        return std::make_unique<GeneratedReader>(std::stoull(item), size_);
    }

    sdk::Status probe(const std::string&, std::stop_token) override { return {}; }

private:
    std::uint64_t items_;
    std::size_t size_;
};

}  // namespace openarchiver::bench
