#include "api/jobs.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "archive/digest.hpp"
#include "archive/random.hpp"
#include "service/documents.hpp"

namespace openarchiver::api {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Result;

struct Jobs::Job {
    std::string id;
    std::string kind;
    std::string by;
    sdk::Timestamp started_at;
    sdk::Timestamp ended_at;
    json::object progress;
    std::optional<Result<json::object>> result;
    std::jthread thread;

    [[nodiscard]] json::object document() const {
        std::string_view status = "running";
        if (result) {
            status = *result                                   ? "done"
                     : result->error().code == Errc::cancelled ? "cancelled"
                                                               : "failed";
        }
        return {
            {"id", id},
            {"kind", kind},
            {"by", by},
            {"status", status},
            {"started_at", service::time_value(started_at)},
            {"ended_at", service::time_value(ended_at)},
            {"progress", progress},
            {"result", result && *result ? json::value(**result) : json::value()},
            {"error", result && !*result ? service::error_value(result->error()) : json::value()}};
    }
};

namespace {

void remove_files(const std::filesystem::path& folder) {
    std::error_code ignored;  // what stays goes when the service starts next
    std::filesystem::remove_all(folder, ignored);
}

}  // namespace

Jobs::Jobs(std::filesystem::path folder, const sdk::Clock& clock)
    : folder_(std::move(folder)), clock_(clock) {
    remove_files(folder_);
}

Jobs::~Jobs() {
    std::deque<std::shared_ptr<Job>> last;
    {
        const std::lock_guard lock(mutex_);
        last.swap(jobs_);
    }
    for (const auto& job : last) {
        job->thread.request_stop();
    }
    for (const auto& job : last) {
        job->thread.join();
    }
    remove_files(folder_);
}

Result<std::string> Jobs::start(std::string_view kind, const Credential& caller, Work work) {
    const std::lock_guard lock(mutex_);
    const auto running = std::ranges::count_if(jobs_, [](const auto& job) { return !job->result; });
    if (static_cast<std::size_t>(running) >= kAtOnce) {
        return Error{Errc::rate_limited,
                     "as many jobs as may run at a time do: wait for one of them, or remove it"};
    }
    if (jobs_.size() >= kKept) {
        const auto oldest =
            std::ranges::find_if(jobs_, [](const auto& job) { return job->result.has_value(); });
        remove_files(folder_ / (*oldest)->id);
        (*oldest)->thread.join();  // it has ended, but for returning
        jobs_.erase(oldest);
    }
    const auto job = std::make_shared<Job>();
    job->id = archive::to_hex(archive::random_bytes<8>());
    job->kind = kind;
    job->by = "api:" + caller.name;
    job->started_at = sdk::timestamp_of(clock_);
    // The job outlives its thread: it is joined before it goes.
    job->thread =
        std::jthread([this, &job = *job, work = std::move(work)](const std::stop_token& stop) {
            auto result = work(
                folder_ / job.id,
                [&](json::object progress) {
                    const std::lock_guard told(mutex_);
                    job.progress = std::move(progress);
                },
                stop);
            const std::lock_guard ended(mutex_);
            job.ended_at = sdk::timestamp_of(clock_);
            job.result = std::move(result);
        });
    jobs_.push_back(job);
    return job->id;
}

/// With mutex_ held.
std::shared_ptr<Jobs::Job> Jobs::seen(const std::string& id, const Credential& caller) {
    const auto found = std::ranges::find(jobs_, id, [](const auto& job) { return job->id; });
    if (found == jobs_.end()) {
        return nullptr;
    }
    const bool own = (*found)->by == "api:" + caller.name;
    const bool sees = (*found)->kind == "export" ? caller.role == Role::auditor
                                                 : may(caller.role, Right::observe);
    return own || sees ? *found : nullptr;
}

std::optional<json::object> Jobs::find(const std::string& id, const Credential& caller) {
    const std::lock_guard lock(mutex_);
    const auto job = seen(id, caller);
    return job ? std::optional(job->document()) : std::nullopt;
}

std::vector<json::object> Jobs::list(const Credential& caller) {
    const std::lock_guard lock(mutex_);
    std::vector<json::object> documents;
    for (const auto& job : jobs_) {
        if (seen(job->id, caller)) {
            documents.push_back(job->document());
        }
    }
    return documents;
}

std::optional<std::filesystem::path> Jobs::files_of(const std::string& id,
                                                    const Credential& caller) {
    const std::lock_guard lock(mutex_);
    const auto job = seen(id, caller);
    if (!job || job->kind != "export" || !job->result || !*job->result) {
        return std::nullopt;
    }
    return folder_ / id;
}

bool Jobs::remove(const std::string& id, const Credential& caller) {
    std::shared_ptr<Job> job;
    {
        const std::lock_guard lock(mutex_);
        job = seen(id, caller);
        if (!job || (job->kind == "verify" && job->by != "api:" + caller.name &&
                     !may(caller.role, Right::operate))) {
            return false;
        }
        std::erase(jobs_, job);
    }
    job->thread.request_stop();
    job->thread.join();
    remove_files(folder_ / id);
    return true;
}

}  // namespace openarchiver::api
