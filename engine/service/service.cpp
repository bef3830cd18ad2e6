#include "service/service.hpp"

#include <spdlog/logger.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <chrono>
#include <openarchiver/sdk/abi.hpp>
#include <openarchiver/sdk/deadline.hpp>
#include <utility>

#include "disposal/store_locks.hpp"
#include "service/accept_failures.hpp"
#include "service/approvals.hpp"
#include "service/disposal_requests.hpp"
#include "service/head_witnesses.hpp"
#include "service/index_filling.hpp"
#include "service/members.hpp"
#include "service/rebuild.hpp"
#include "service/reload.hpp"
#include "service/status_notifications.hpp"
#include "service/stop_deadline.hpp"

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Errc;
using sdk::Error;
using sdk::Status;

namespace {

using namespace std::chrono_literals;

constexpr auto kTellEvery = 200ms;
/// How often it is looked whether there is a head to publish or to timestamp.
constexpr auto kWitnessesEvery = 2s;
constexpr std::chrono::seconds kWitnessesAfterFailure =
    60s;                                          // of the archive, which the sources report
constexpr std::chrono::seconds kAuditEvery = 2s;  // then the journal is empty again
constexpr auto kDisposalEvery = 24h;
/// What is left of the ten seconds that a stop may take.
constexpr auto kLastFlush = 1500ms;
constexpr auto kTimeForWebhook = 10s;

Answer failed(Origin origin, const Error& error) {
    return {.exit_code = exit_code(origin, error.code), .document = {}, .error = error};
}

std::string host_name() {
    std::array<char, 256> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

Service::Service(Options options)
    : options_(std::move(options)),
      started_at_(sdk::timestamp_of(options_.clock)),
      profiles_({options_.profile}),
      writer_(
          [this](std::stop_token stop) {
              return access::ArchiveWriter::open(context(), options_.announce, std::move(stop));
          },
          options_.clock, options_.log),
      audit_(options_.profile.archive.catalog_path) {}

Service::~Service() = default;

access::Context Service::context() {
    const std::lock_guard lock(mutex_);
    return {.profile = profiles_.back(),
            .plugins = options_.plugins,
            .log = options_.log,
            .clock = options_.clock};
}

void Service::reload() {
    const std::lock_guard lock(mutex_);
    reload_wanted_ = true;
    changed_.notify_all();
}

Status Service::run(std::stop_token stop) {
    stop_ = stop;
    spdlog::logger& log = *options_.log;
    // Everything below may block in the storage backend or in a provider, also on its way out.
    const StopDeadline deadline(stop, kStopWithin, [&] {
        run_at_most(kLastFlush, [this](std::stop_token late) { (void)writer_.flush(late); });
        log.warn(
            "OA-1004 stopped without waiting any longer for calls that did not come back; "
            "everything "
            "archived is safe");
        options_.abandoned();
    });
    if (auto opened = writer_.use(stop); !opened) {
        return opened.error();
    }
    {
        // They may have come with a catalog that was made anew just now.
        profile::Profile profile = context().profile;
        take_kept_sources(profile);
        const std::lock_guard lock(mutex_);
        profiles_.push_back(std::move(profile));
    }
    log_problems(profile::check_secrets(context().profile));
    const auto catalog_folder = context().profile.archive.catalog_path;
    OPENARCHIVER_TRY(
        auto server,
        ControlServer::open(catalog_folder,
                            [this](const ControlRequest& request, const Tell& tell,
                                   const std::stop_token&) { return answer(request, tell); }));
    std::shared_ptr<void> front;
    if (options_.open_front) {
        OPENARCHIVER_TRY(front, options_.open_front(*this));
    }
    {
        const std::lock_guard lock(mutex_);
        apply_sources(profiles_.back());
        log.info("OA-1001 serving: pid={} sources={} catalog={}", ::getpid(), runners_.size(),
                 catalog_folder.string());
    }
    {
        const std::jthread witnesses([this](const std::stop_token& own) { visit_witnesses(own); });
        const std::jthread audit([this](const std::stop_token& own) { follow_audit(own); });
        const std::jthread disposal([this](const std::stop_token& own) { dispose_daily(own); });
        const std::jthread index(
            [this](const std::stop_token& own) { follow_catalog(context(), writer_, own); });
        const std::jthread notifications(
            [this](const std::stop_token& own) { notify_targets(*this, own); });
        serve(stop);
    }
    log.info("OA-1002 stopping");
    front.reset();
    Runners last;
    {
        const std::lock_guard lock(mutex_);
        last = std::move(runners_);
        runners_.clear();
        std::ranges::move(leaving_, std::back_inserter(last));
        leaving_.clear();
    }
    for (const auto& runner : last) {
        runner->request_stop();
    }
    server.reset();
    last.clear();
    writer_.close();
    log.info("OA-1003 stopped; everything archived is safe");
    return {};
}

void Service::serve(const std::stop_token& stop) {
    while (true) {
        {
            std::unique_lock lock(mutex_);
            if (!changed_.wait(lock, stop, [this] { return reload_wanted_; })) {
                return;
            }
            reload_wanted_ = false;
        }
        read_profile_anew();
    }
}

void Service::visit_witnesses(const std::stop_token& stop) {
    HeadWitnesses witnesses(context());
    std::mutex mutex;
    std::condition_variable_any wait;
    std::chrono::seconds pause = kWitnessesEvery;
    while (witnesses.any() && !stop.stop_requested()) {
        {
            const auto use = writer_.use(stop);
            if (use) {
                witnesses.visit(use->archive().archive(), stop);
            }
            pause = use ? kWitnessesEvery : kWitnessesAfterFailure;
        }
        std::unique_lock lock(mutex);
        wait.wait_for(lock, stop, pause, [] { return false; });
    }
}

void Service::follow_audit(const std::stop_token& stop) {
    std::mutex mutex;
    std::condition_variable_any wait;
    while (!stop.stop_requested()) {
        const Status taken = [&]() -> Status {
            if (audit_.empty()) {
                return {};
            }
            OPENARCHIVER_TRY(const auto use, writer_.use(stop));
            return audit_.move_into(use.committer(), stop);
        }();
        if (!taken && taken.error().code != Errc::cancelled) {
            options_.log->error("OA-1014 audit: {}", taken.error().message);
        }
        std::unique_lock lock(mutex);
        wait.wait_for(lock, stop, taken ? kAuditEvery : kWitnessesAfterFailure,
                      [] { return false; });
    }
}

void Service::dispose_daily(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
        const auto next = std::chrono::steady_clock::now() + kDisposalEvery;
        if (!context().profile.archive.retention.empty()) {
            const auto effect = apply_retention({.approve = {}, .by = "the service"}, stop);
            std::uint64_t items = 0;
            for (const auto& of_policy : effect ? effect->policies : decltype(effect->policies)()) {
                items += of_policy.due_items;
            }
            if (effect) {
                options_.log->info("OA-4001 retention: items disposed of: {}", items);
            } else if (effect.error().code != Errc::cancelled) {
                options_.log->warn("OA-4002 retention: {}", effect.error().message);
            }
        }
        do {
            if (const Status kept = keep_locks(stop);
                !kept && kept.error().code != Errc::cancelled) {
                options_.log->error("OA-4003 the store's locks were not brought in step: {}",
                                    kept.error().message);
            }
        } while (wait_for_hold(stop, next));
    }
}

/// True when one was placed meanwhile: the store takes it over at once.
bool Service::wait_for_hold(const std::stop_token& stop,
                            std::chrono::steady_clock::time_point until) {
    std::unique_lock lock(locks_mutex_);
    return locks_wake_.wait_until(lock, stop, until,
                                  [this] { return std::exchange(locks_wanted_, false); });
}

Status Service::keep_locks(const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto use, writer_.use(stop));
    const std::lock_guard lock(disposal_mutex_);
    return disposal::keep_locks({.policies = context().profile.archive.retention,
                                 .archive = use.archive(),
                                 .committer = use.committer(),
                                 .clock = options_.clock,
                                 .log = options_.log},
                                stop);
}

sdk::Result<disposal::RetentionEffect> Service::apply_retention(
    const disposal::ApplyRequest& request, const std::stop_token& stop) {
    OPENARCHIVER_TRY(const auto use, writer_.use(stop));
    const std::lock_guard lock(disposal_mutex_);
    return disposal::apply_retention(context().profile.archive.retention, request, use.archive(),
                                     use.committer(), options_.clock, stop);
}

void Service::log_problems(const std::vector<profile::Problem>& problems) const {
    for (const profile::Problem& problem : problems) {
        const bool error = problem.severity == profile::Severity::error;
        options_.log->log(error ? spdlog::level::err : spdlog::level::warn, "OA-1005 profile: {}",
                          profile::to_text(problem));
    }
}

void Service::read_profile_anew() {
    const std::lock_guard change(change_mutex_);
    spdlog::logger& log = *options_.log;
    const profile::Profile& current = context().profile;
    profile::ProfileResult loaded = profile::load_profile(current.file, &options_.plugins);
    log_problems(loaded.problems);
    if (!loaded.profile) {
        log.error("OA-1006 the profile was not reloaded: it has errors; going on with the old one");
        return;
    }
    const auto reasons = reasons_to_restart(current, *loaded.profile, options_.plugins);
    for (const std::string& reason : reasons) {
        log.error("OA-1007 the profile was not reloaded: {}", reason);
    }
    if (!reasons.empty()) {
        log.error("OA-1008 restart the service to apply the change; going on with the old profile");
        return;
    }
    take_kept_sources(*loaded.profile);
    log_problems(profile::check_secrets(*loaded.profile));
    const std::lock_guard lock(mutex_);
    profiles_.push_back(std::move(*loaded.profile));
    apply_sources(profiles_.back());
    log.info("OA-1009 profile reloaded: sources={}", runners_.size());
}

std::unique_ptr<SourceRunner> Service::take(Runners& runners, std::string_view id) {
    const auto found = std::ranges::find_if(
        runners, [&](const auto& runner) { return runner->source().id == id; });
    if (found == runners.end()) {
        return nullptr;
    }
    std::unique_ptr<SourceRunner> taken = std::move(*found);
    runners.erase(found);
    return taken;
}

void Service::apply_sources(const profile::Profile& next) {
    const access::Context context{
        .profile = next, .plugins = options_.plugins, .log = options_.log, .clock = options_.clock};
    std::erase_if(leaving_, [](const auto& runner) { return runner->finished(); });
    Runners runners;
    for (const profile::Source& source : next.sources) {
        if (source.paused_by) {
            continue;
        }
        std::unique_ptr<SourceRunner> known = take(runners_, source.id);
        if (known && same_source(known->source(), source)) {
            runners.push_back(std::move(known));
            continue;
        }
        if (!known) {
            known = take(leaving_, source.id);
        }
        runners.push_back(
            std::make_unique<SourceRunner>(context, writer_, source, std::move(known)));
    }
    for (auto& removed : runners_) {
        removed->request_stop();
        leaving_.push_back(std::move(removed));
    }
    runners_ = std::move(runners);
}

Answer Service::answer(const ControlRequest& request, const Tell& tell) {
    if (request.verb == "status") {
        return answer_status();
    }
    if (request.verb == "sync") {
        return answer_sync(request, tell);
    }
    if (request.verb == "failures") {
        return answer_accept(request);
    }
    if (request.verb == "hold") {
        return answer_hold(request);
    }
    if (request.verb == "rebuild") {
        return answer_rebuild(request, tell);
    }
    if (request.verb == "forget" || request.verb == "forget_item" || request.verb == "retention") {
        return answer_deed(request);
    }
    if (request.verb == "approval") {
        return answer_approval(request);
    }
    if (request.verb == "source") {
        return answer_source(request);
    }
    return failed(Origin::profile, {.code = Errc::invalid_argument,
                                    .message = "the running service does not know the verb \"" +
                                               request.verb + "\": is it of another version?"});
}

Status Service::request_sync(const std::string& source, pipeline::SyncOptions options) {
    const std::lock_guard lock(mutex_);
    for (const auto& runner : runners_) {
        if (runner->source().id == source) {
            runner->request(std::move(options), std::make_shared<ProgressBoard>());
            return {};
        }
    }
    const auto& sources = profiles_.back().sources;
    if (std::ranges::find(sources, source, &profile::Source::id) != sources.end()) {
        return Error{Errc::already_exists, "the source \"" + source + "\" is paused: resume it"};
    }
    return Error{Errc::not_found, "there is no source \"" + source + "\""};
}

sdk::Result<sdk::WebhookAnswer> Service::webhook(const std::string& source,
                                                 const sdk::WebhookRequest& request,
                                                 const std::stop_token& stop) {
    const auto visit = [&]() -> sdk::Result<SourceRunner::Visit> {
        const std::lock_guard lock(mutex_);
        for (const auto& runner : runners_) {
            if (runner->source().id == source) {
                return runner->visit();
            }
        }
        return Error{Errc::not_found, "the profile has no source \"" + source + "\""};
    };
    OPENARCHIVER_TRY(SourceRunner::Visit visited, visit());
    const sdk::Deadline deadline(kTimeForWebhook, stop);
    auto answer = visited.session().webhook(request, deadline.token());
    if (answer) {
        visited.was_proven();
    }
    return answer;
}

Answer Service::answer_status() {
    json::array sources;
    const std::lock_guard lock(mutex_);
    for (const auto& runner : runners_) {
        const RunnerState state = runner->state();
        json::object source{{"id", runner->source().id},
                            {"running", state.running},
                            {"next_run_at", time_value(state.next_run_at)},
                            {"error", nullptr},
                            {"silent", state.silent},
                            {"progress", nullptr},
                            {"metrics", json::object(state.metrics.begin(), state.metrics.end())}};
        if (state.error) {
            source["error"] = error_value(*state.error);
        }
        if (state.progress) {
            source["progress"] = json::parse(to_json(std::vector{*state.progress}));
        }
        sources.push_back(std::move(source));
    }
    const json::object document{{"pid", ::getpid()},
                                {"host", host_name()},
                                {"version", OPENARCHIVER_SDK_VERSION},
                                {"started_at", time_value(started_at_)},
                                {"profile", profiles_.back().file.string()},
                                {"sources", std::move(sources)}};
    return {.exit_code = ExitCode::done, .document = json::serialize(document), .error = {}};
}

Answer Service::answer_sync(const ControlRequest& request, const Tell& tell) {
    const auto parsed = parse_sync_request(request.options);
    if (!parsed) {
        return failed(Origin::profile, parsed.error());
    }
    auto result = sync(*parsed, tell);
    if (!result) {
        return failed(Origin::archive, result.error());
    }
    return {.exit_code = result->exit_code,
            .document = std::move(result->document),
            .error = std::move(result->error)};
}

Status Service::request_retries(const std::vector<std::string>& sources) {
    OPENARCHIVER_TRY(const auto use, writer_.use(stop_));
    for (const std::string& source : sources) {
        OPENARCHIVER_CHECK(use.committer().note(
            {sdk::timestamp_of(options_.clock), catalog::RetryRequested{source}}, stop_));
    }
    return use.committer().flush(stop_);
}

Status Service::retry_failures() {
    std::vector<std::string> ids;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& runner : runners_) {
            ids.push_back(runner->source().id);
        }
    }
    OPENARCHIVER_CHECK(request_retries(ids));
    const std::lock_guard lock(mutex_);
    for (const auto& runner : runners_) {
        runner->request({}, std::make_shared<ProgressBoard>());
    }
    return {};
}

sdk::Result<SyncResult> Service::sync(const SyncRequest& request, const Tell& tell) {
    std::vector<const profile::Source*> selected;
    {
        const std::lock_guard lock(mutex_);
        OPENARCHIVER_TRY(selected, select_sources(profiles_.back(), request.sources));
    }
    if (request.retry_failures) {
        std::vector<std::string> ids;
        std::ranges::transform(selected, std::back_inserter(ids), &profile::Source::id);
        OPENARCHIVER_CHECK(request_retries(ids));
    }
    const auto board = std::make_shared<ProgressBoard>();
    std::vector<std::future<Pass>> answers;
    {
        const std::lock_guard lock(mutex_);
        for (const auto& runner : runners_) {
            const bool asked = std::ranges::any_of(selected, [&](const profile::Source* source) {
                return source->id == runner->source().id;
            });
            if (asked) {
                answers.push_back(runner->request(
                    {.accounts = request.accounts, .reconcile = request.reconcile}, board));
            }
        }
    }
    std::vector<pipeline::SyncReport> reports;
    std::optional<Error> archive_failure;
    for (std::future<Pass>& answer : answers) {
        while (answer.wait_for(kTellEvery) != std::future_status::ready) {
            if (!tell(to_json(board->snapshot()))) {
                return Error{.code = Errc::cancelled,
                             .message = "nobody waits for the sync any more; it goes on"};
            }
        }
        Pass pass = answer.get();
        reports.push_back(std::move(pass.report));
        if (pass.archive_failure &&
            (!archive_failure || archive_failure->code == Errc::cancelled)) {
            archive_failure = std::move(pass.archive_failure);
        }
    }
    (void)tell(to_json(board->snapshot()));
    if (!archive_failure && !stop_.stop_requested()) {
        // Somebody asked for it, and may want to prove what it brought.
        OPENARCHIVER_TRY(const auto use, writer_.use(stop_));
        OPENARCHIVER_CHECK(use.committer().write_head(stop_));
    }
    if (!request.accounts.empty() && !archive_failure && !stop_.stop_requested()) {
        OPENARCHIVER_TRY(const auto catalog,
                         catalog::CatalogReader::open(context().profile.archive.catalog_path));
        OPENARCHIVER_CHECK(check_accounts(*catalog, selected, request.accounts));
    }
    return make_sync_result(reports, std::move(archive_failure));
}

Answer Service::answer_accept(const ControlRequest& request) {
    const auto refs = parse_accept_options(request.options);
    if (!refs) {
        return failed(Origin::profile, refs.error());
    }
    const Status accepted = [&]() -> Status {
        OPENARCHIVER_TRY(const auto use, writer_.use(stop_));
        return accept_failures(*refs, use.archive(), use.committer(), options_.clock, stop_);
    }();
    if (!accepted) {
        return failed(Origin::archive, accepted.error());
    }
    return {.exit_code = ExitCode::done, .document = "{}", .error = {}};
}

Answer Service::answer_source(const ControlRequest& request) {
    const json::value options = json::parse(request.options);
    const Members in(options.get_object());
    const Status done = pause_source(in.text("id"), in.flag("paused"), request.person.by);
    if (!done) {
        return failed(Origin::archive, done.error());
    }
    return {.exit_code = ExitCode::done, .document = "{}", .error = {}};
}

Answer Service::answer_hold(const ControlRequest& request) {
    auto wanted = parse_hold_request(request.options);
    if (!wanted) {
        return failed(Origin::profile, wanted.error());
    }
    auto* const hold = std::get_if<catalog::HoldPlaced>(&*wanted);
    if (hold == nullptr) {
        return answer_deed(request);
    }
    hold->by = request.person.by;
    const auto id = [&]() -> sdk::Result<std::string> {
        OPENARCHIVER_TRY(const auto use, writer_.use(stop_));
        const std::lock_guard lock(disposal_mutex_);
        return disposal::place_hold(*hold, use.archive(), use.committer(), options_.clock, stop_);
    }();
    if (!id) {
        return failed(Origin::archive, id.error());
    }
    {
        const std::lock_guard lock(locks_mutex_);
        locks_wanted_ = true;
    }
    locks_wake_.notify_all();
    return {.exit_code = ExitCode::done,
            .document = json::serialize(json::object{{"id", *id}}),
            .error = {}};
}

Status Service::reopen_paused(const SharedWriter::Open& open) {
    const std::lock_guard change(change_mutex_);
    std::vector<SourceRunner*> paused;
    {
        // Only a reload takes runners away, and it waits for change_mutex_; so does the end of the
        // service for this handler.
        const std::lock_guard lock(mutex_);
        for (const auto& runner : runners_) {
            paused.push_back(runner.get());
        }
    }
    Status status;
    for (SourceRunner* const runner : paused) {
        runner->pause();
    }
    for (SourceRunner* const runner : paused) {
        if (status) {
            status = runner->wait_idle(stop_);
        }
    }
    if (status) {
        status = writer_.reopen(open, stop_);
    }
    for (SourceRunner* const runner : paused) {
        runner->resume();
    }
    return status;
}

Answer Service::answer_rebuild(const ControlRequest& request, const Tell& tell) {
    const json::value options = json::parse(request.options);
    const auto lost_keys = Members(options.as_object()).flag("accept_lost_keys")
                               ? access::LostKeys::accept
                               : access::LostKeys::refuse;
    options_.log->info("OA-1010 rebuilding the catalog; sources pause");
    std::string document;
    const Status status = reopen_paused(
        [&](std::stop_token stop) -> sdk::Result<std::unique_ptr<access::ArchiveWriter>> {
            auto last = std::chrono::steady_clock::now();
            const auto progress = [&](std::uint64_t segments) {
                if (const auto now = std::chrono::steady_clock::now(); now - last >= kTellEvery) {
                    last = now;
                    (void)tell(json::serialize(json::object{{"segments", segments}}));
                }
            };
            OPENARCHIVER_TRY(Rebuilt rebuilt,
                             rebuild(context(), lost_keys, progress, std::move(stop)));
            document = std::move(rebuilt.document);
            return std::move(rebuilt.writer);
        });
    if (!status) {
        options_.log->error("OA-1011 the catalog was not rebuilt: {}", status.error().message);
        return failed(Origin::archive, status.error());
    }
    options_.log->info("OA-1012 the catalog was rebuilt; sources go on");
    return {.exit_code = ExitCode::done, .document = std::move(document), .error = {}};
}

Answer Service::answer_deed(const ControlRequest& request) {
    const auto deed = parse_deed(request.verb, request.options);
    if (!deed) {
        return failed(Origin::profile, deed.error());
    }
    auto document = Approvals(context().profile.archive, options_.clock)
                        .carry_out_or_ask(
                            *deed, request.person,
                            [this](const Deed& wanted) { return carry_out(wanted); }, stop_);
    if (!document) {
        return failed(Origin::archive, document.error());
    }
    return {.exit_code = ExitCode::done, .document = std::move(*document), .error = {}};
}

Answer Service::answer_approval(const ControlRequest& request) {
    const json::value options = json::parse(request.options);
    const Members in(options.get_object());
    Approvals approvals(context().profile.archive, options_.clock);
    auto document = in.text("approve").empty()
                        ? approvals.refuse(in.text("refuse"), in.text("reason"))
                        : approvals.approve(
                              in.text("approve"), request.person,
                              [this](const Deed& deed) { return carry_out(deed); }, stop_);
    if (!document) {
        return failed(Origin::archive, document.error());
    }
    return {.exit_code = ExitCode::done, .document = std::move(*document), .error = {}};
}

sdk::Result<std::string> Service::carry_out(const Deed& deed) {
    const auto* const account = std::get_if<disposal::ForgetRequest>(&deed);
    if (account == nullptr) {
        OPENARCHIVER_TRY(const auto use, writer_.use(stop_));
        const std::lock_guard lock(disposal_mutex_);
        return service::carry_out(deed, context(), use.archive(), use.committer(), stop_);
    }
    std::string document;
    const Status status = reopen_paused(
        [&](std::stop_token stop) -> sdk::Result<std::unique_ptr<access::ArchiveWriter>> {
            OPENARCHIVER_TRY(const auto forgotten,
                             disposal::forget(context(), *account, options_.announce, stop));
            document = document_of(forgotten);
            return access::ArchiveWriter::open(context(), options_.announce, std::move(stop));
        });
    if (document.empty()) {
        return status.error();
    }
    return document;
}

}  // namespace openarchiver::service
