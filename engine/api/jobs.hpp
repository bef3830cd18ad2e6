#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "api/access_control.hpp"

/// Tasks that outlast a request: exports and verifications. They live as long as the service.
namespace openarchiver::api {

class Jobs {
public:
    /// Running at a time, and kept at all: the oldest that ended goes first.
    static constexpr std::size_t kAtOnce = 2;
    static constexpr std::size_t kKept = 20;

    /// What a job may tell while it runs, and with what it ends. May be called from any thread.
    using Tell = std::function<void(boost::json::object progress)>;
    using Work = std::function<sdk::Result<boost::json::object>(
        const std::filesystem::path& folder, const Tell& tell, std::stop_token stop)>;

    /// Removes what jobs of an earlier process left in `folder`. The clock outlives the jobs.
    Jobs(std::filesystem::path folder, const sdk::Clock& clock);
    /// Stops them, and waits.
    ~Jobs();
    Jobs(const Jobs&) = delete;
    Jobs& operator=(const Jobs&) = delete;

    /// Begins a job, whose folder is made when the work makes it. rate_limited: as many as may run
    /// do.
    sdk::Result<std::string> start(std::string_view kind, const Credential& caller, Work work);
    /// {"id","kind","by","status","started_at","ended_at","progress","result","error"}; nothing:
    /// there is none that the caller may see. Who holds an account sees the own ones.
    [[nodiscard]] std::optional<boost::json::object> find(const std::string& id,
                                                          const Credential& caller);
    [[nodiscard]] std::vector<boost::json::object> list(const Credential& caller);
    /// The folder of an export that is done.
    [[nodiscard]] std::optional<std::filesystem::path> files_of(const std::string& id,
                                                                const Credential& caller);
    /// Stops a job and removes what it wrote. False: there is none that the caller may remove: the
    /// own ones, of exports an auditor all, of verifications who may begin some.
    bool remove(const std::string& id, const Credential& caller);

private:
    struct Job;
    [[nodiscard]] std::shared_ptr<Job> seen(const std::string& id, const Credential& caller);

    const std::filesystem::path folder_;
    const sdk::Clock& clock_;
    std::mutex mutex_;                       // guards jobs_, and what is in them but their threads
    std::deque<std::shared_ptr<Job>> jobs_;  // shared with their threads
};

}  // namespace openarchiver::api
