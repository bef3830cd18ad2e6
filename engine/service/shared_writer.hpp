#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <utility>

#include "access/access.hpp"
#include "pipeline/committer.hpp"
#include "service/forwarding_vault.hpp"

namespace openarchiver::service {

/// The one writer of the archive and its committer, shared by the runs of all sources. After a
/// failure of either the archive is opened anew, once nobody uses the old one any more: it then
/// knows again what the log says. Safe for concurrent use.
class SharedWriter {
public:
    using Open =
        std::function<sdk::Result<std::unique_ptr<access::ArchiveWriter>>(std::stop_token)>;

    /// Nothing is opened before the first use(). `clock` and what `open` refers to outlive it.
    SharedWriter(Open open, sdk::Clock& clock, std::shared_ptr<spdlog::logger> log);
    ~SharedWriter();
    SharedWriter(const SharedWriter&) = delete;
    SharedWriter& operator=(const SharedWriter&) = delete;

    /// Keeps the archive open.
    class Use {
    public:
        explicit Use(SharedWriter& owner) : owner_(&owner) {}

        Use(Use&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}

        Use& operator=(Use&&) = delete;
        ~Use();

        [[nodiscard]] access::ArchiveWriter& archive() const { return *owner_->archive_; }

        [[nodiscard]] pipeline::Committer& committer() const { return *owner_->committer_; }

    private:
        SharedWriter* owner_;
    };

    /// Opens the archive if it is not, or not in order. cancelled: `stop`.
    sdk::Result<Use> use(std::stop_token stop);

    /// Waits until nobody uses the archive, closes it and opens it by `open` instead. When that
    /// fails, the next use() tries the usual way.
    sdk::Status reopen(const Open& open, std::stop_token stop);

    /// Makes everything durable that was put before; nothing to do where nothing is open.
    sdk::Status flush(std::stop_token stop);

    /// Only while nobody uses it.
    void close();

    /// For sessions of sources, which outlive an opening.
    [[nodiscard]] plugin::SecretVault& vault() { return vault_; }

private:
    [[nodiscard]] bool in_order() const;
    sdk::Status open_with(const Open& open, std::unique_lock<std::mutex>& lock,
                          std::stop_token stop);

    const Open open_;
    sdk::Clock& clock_;
    std::shared_ptr<spdlog::logger> log_;  // as spdlog wants it
    ForwardingVault vault_;

    std::mutex mutex_;  // guards everything below
    std::condition_variable_any changed_;
    std::size_t users_ = 0;
    bool opening_ = false;
    std::unique_ptr<access::ArchiveWriter> archive_;
    std::unique_ptr<pipeline::Committer> committer_;
};

}  // namespace openarchiver::service
