#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "disposal/retention.hpp"
#include "service/audit.hpp"
#include "service/control_server.hpp"
#include "service/deeds.hpp"
#include "service/documents.hpp"
#include "service/shared_writer.hpp"
#include "service/source_runner.hpp"
#include "service/sync_request.hpp"

/// The headless engine service: runs every source on its schedule and answers verbs on the control
/// socket.
namespace openarchiver::service {

class Service {
public:
    struct Options {
        /// The profile that it starts with; kept, as everything in it may be referred to.
        profile::Profile profile;
        const plugin::PluginHost& plugins;
        std::shared_ptr<spdlog::logger> log;  // as spdlog wants it
        sdk::Clock& clock;
        /// What people must know about a new archive.
        std::function<void(std::string_view)> announce;
        /// Ends the process with success: calls into plugins did not come back in time.
        std::function<void()> abandoned;
        /// Opens what else answers for the service, once it serves; held until it stops. May be
        /// empty.
        std::function<sdk::Result<std::shared_ptr<void>>(Service&)> open_front = {};
    };

    explicit Service(Options options);
    ~Service();
    Service(const Service&) = delete;
    Service& operator=(const Service&) = delete;

    /// Serves until `stop`; an error is what kept it from starting.
    sdk::Status run(std::stop_token stop);

    /// Asks run() to read the profile anew. From any thread.
    void reload();

    // For who answers for the running service; from any thread.

    using Tell = ControlServer::Tell;
    /// As on the control socket.
    Answer answer(const ControlRequest& request, const Tell& tell);

    /// What `status` answers there, JSON text.
    [[nodiscard]] std::string live_document() { return answer_status().document; }

    /// Has a source run a pass soon, and does not wait for it. not_found: no such source.
    sdk::Status request_sync(const std::string& source, pipeline::SyncOptions options);
    /// Hands a notification to the provider of a source, which proves it. not_found: no such
    /// source; unsupported: it takes none; permission_denied: it is not from the service;
    /// rate_limited, unavailable: later.
    sdk::Result<sdk::WebhookAnswer> webhook(const std::string& source,
                                            const sdk::WebhookRequest& request,
                                            const std::stop_token& stop);

    // Sources beyond the profile: durable and in use on return. permission_denied: the profile says
    // otherwise. `by` is who wants it.

    /// Makes a source, or changes it: its first run, or the next, begins at once. Secrets are
    /// literal or, of one that is there, sealed.
    sdk::Status define_source(const profile::Source& source, const std::string& by);
    /// Of a source that the API made; what was archived of it stays. not_found: there is none.
    sdk::Status remove_source(const std::string& id, const std::string& by);
    /// Of any source. A run that goes on ends soon. not_found: there is none.
    sdk::Status pause_source(const std::string& id, bool paused, const std::string& by);
    /// What `source check` does, of a source that need not be there yet.
    sdk::Result<std::vector<sdk::Check>> check_source(const profile::Source& source,
                                                      std::stop_token stop);

    /// Tries all failed items again, in a pass of every source that is not paused; does not wait.
    sdk::Status retry_failures();

    /// What everybody who answers for the service writes down.
    [[nodiscard]] AuditJournal& audit() { return audit_; }

    /// Refers to the profile that is in use now, which stays.
    [[nodiscard]] access::Context context();

    void announce(std::string_view text) { options_.announce(text); }

private:
    using Runners = std::vector<std::unique_ptr<SourceRunner>>;

    void serve(const std::stop_token& stop);
    void visit_witnesses(const std::stop_token& stop);
    /// Takes what people did into the log.
    void follow_audit(const std::stop_token& stop);
    /// Of what is due by approved policies, once a day; then the store's locks are brought in step.
    void dispose_daily(const std::stop_token& stop);
    bool wait_for_hold(const std::stop_token& stop, std::chrono::steady_clock::time_point until);
    sdk::Result<disposal::RetentionEffect> apply_retention(const disposal::ApplyRequest& request,
                                                           const std::stop_token& stop);
    /// The store's, with policies and holds.
    sdk::Status keep_locks(const std::stop_token& stop);
    void log_problems(const std::vector<profile::Problem>& problems) const;
    void read_profile_anew();
    /// Writes down what became of a source, and goes by it.
    sdk::Status change_sources(catalog::EventBody event);
    /// Gives a profile the sources that the archive keeps.
    void take_kept_sources(profile::Profile& profile);
    /// With mutex_ held.
    void apply_sources(const profile::Profile& next);
    [[nodiscard]] std::unique_ptr<SourceRunner> take(Runners& runners, std::string_view id);

    Answer answer_status();
    Answer answer_sync(const ControlRequest& request, const Tell& tell);
    Answer answer_accept(const ControlRequest& request);
    Answer answer_hold(const ControlRequest& request);
    Answer answer_source(const ControlRequest& request);
    Answer answer_rebuild(const ControlRequest& request, const Tell& tell);
    /// What may need a second person, and that one's decision.
    Answer answer_deed(const ControlRequest& request);
    Answer answer_approval(const ControlRequest& request);
    sdk::Result<std::string> carry_out(const Deed& deed);
    /// Reopens the archive by `open` while no source runs.
    sdk::Status reopen_paused(const SharedWriter::Open& open);
    sdk::Result<SyncResult> sync(const SyncRequest& request, const Tell& tell);
    sdk::Status request_retries(const std::vector<std::string>& sources);

    Options options_;
    const sdk::Timestamp started_at_;
    std::stop_token stop_;
    /// Every profile that was in use: the open archive and the sources refer to theirs.
    std::deque<profile::Profile> profiles_;
    SharedWriter writer_;
    AuditJournal audit_;

    std::mutex change_mutex_;    // one reload or rebuild at a time; taken before mutex_
    std::mutex disposal_mutex_;  // a hold comes before a disposal or after it
    std::mutex locks_mutex_;     // guards what follows
    bool locks_wanted_ = false;  // before the day is over
    std::condition_variable_any locks_wake_;
    std::mutex mutex_;  // guards everything below, and profiles_
    std::condition_variable_any changed_;
    bool reload_wanted_ = false;
    Runners runners_;
    /// Of sources that were removed, until their last run has ended.
    Runners leaving_;
};

}  // namespace openarchiver::service
