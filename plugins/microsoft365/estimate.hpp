#pragma once

#include <functional>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/provider.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "graph/graph_client.hpp"
#include "graph/graph_documents.hpp"

namespace openarchiver::microsoft365 {

/// sdk::ProviderSession::estimate(): counts the folders of some mailboxes spread over all, asks for
/// the sizes of some messages in each, and reads a few to see how long that takes and how much
/// larger their MIME form is.
class Sampler {
public:
    using LimiterOf = std::function<RequestLimiter&(const std::string& account_id)>;

    Sampler(sdk::ProviderSession& session, GraphClient& graph, LimiterOf limiter_of,
            sdk::Clock& clock)
        : session_(session), graph_(graph), limiter_of_(std::move(limiter_of)), clock_(clock) {}

    sdk::Result<sdk::Estimate> run(const std::stop_token& stop);

private:
    /// Sums over what was looked at.
    struct Seen {
        std::vector<std::uint64_t> items_of_accounts;
        std::uint64_t listed = 0;  ///< messages whose size was told
        std::uint64_t listed_bytes = 0;
        std::uint64_t read = 0;  ///< ... that were read to the end
        std::uint64_t read_bytes = 0;
        std::uint64_t read_sizes = 0;  ///< the sizes told of those
        std::chrono::microseconds read_time{0};
        std::optional<sdk::Error> error;
    };

    sdk::Result<std::vector<std::string>> accounts(bool& complete, const std::stop_token& stop);
    void look_at(const std::string& account_id, const std::stop_token& stop);
    /// The messages of a folder, some of them read.
    void measure(const std::string& account_id, const std::string& folder_id,
                 const std::stop_token& stop);
    void read(const std::string& account_id, const SizeEntry& message, const std::stop_token& stop);

    sdk::ProviderSession& session_;
    GraphClient& graph_;
    LimiterOf limiter_of_;
    sdk::Clock& clock_;

    std::mutex mutex_;  // guards seen_
    Seen seen_;
};

}  // namespace openarchiver::microsoft365
