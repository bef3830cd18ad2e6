#include "service/sync_once.hpp"

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>

#include "pipeline/committer.hpp"
#include "service/forwarding_vault.hpp"
#include "service/stop_deadline.hpp"

namespace openarchiver::service {

using sdk::Errc;
using sdk::Error;
using sdk::Status;

namespace {

using namespace std::chrono_literals;

/// What is left of the ten seconds that a stop may take.
constexpr auto kLastFlush = 1500ms;

using OpenSources = std::vector<std::unique_ptr<pipeline::OpenSource>>;

/// Before anything is started: every secret of the selected sources can be read.
Status check_secrets_of(const profile::Profile& profile,
                        const std::vector<const profile::Source*>& selected) {
    for (const profile::Problem& problem : profile::check_secrets(profile)) {
        const bool concerns =
            !problem.pointer.starts_with("/sources/") ||
            std::ranges::any_of(selected, [&](const profile::Source* source) {
                const auto index = source - profile.sources.data();
                return problem.pointer.starts_with("/sources/" + std::to_string(index) + "/");
            });
        if (concerns && problem.severity == profile::Severity::error) {
            return Error{.code = Errc::invalid_config, .message = profile::to_text(problem)};
        }
    }
    return {};
}

pipeline::SyncReport run_source(const access::Context& context, pipeline::OpenSource& source,
                                pipeline::Committer& committer, const std::filesystem::path& folder,
                                const SyncRequest& request, ProgressBoard& board,
                                std::stop_token stop) {
    const auto progress =
        std::make_shared<RunProgress>(source.profile.id, source.services->metrics());
    board.add(progress);
    pipeline::SyncReport report = pipeline::sync_source(
        source, committer, folder, context.clock, context.log,
        {.accounts = request.accounts, .reconcile = request.reconcile}, progress->counts(),
        std::move(stop));
    progress->finish();
    return report;
}

}  // namespace

sdk::Result<SyncResult> SyncOnce::run(std::stop_token stop) {
    origin = Origin::profile;
    OPENARCHIVER_TRY(const auto selected, select_sources(context.profile, request.sources));
    OPENARCHIVER_CHECK(check_secrets_of(context.profile, selected));
    ForwardingVault vault;
    OpenSources sources;
    for (const profile::Source* const source : selected) {
        auto opened = pipeline::open_source(context, *source, &vault);
        if (!opened) {
            // The folder of the catalog, where a session's own folder is, is part of the archive.
            origin = opened.error().code == Errc::invalid_config ? Origin::profile : Origin::archive;
            return opened.error();
        }
        sources.push_back(std::move(*opened));
    }
    origin = Origin::archive;
    OPENARCHIVER_TRY(const auto writer, access::ArchiveWriter::open(context, announce, stop));
    vault.attach(&writer->secrets());
    std::vector<pipeline::SyncReport> reports(sources.size());
    std::optional<Error> failure;
    {
        pipeline::Committer committer(*writer, context.clock, context.log);
        const StopDeadline deadline(stop, kStopWithin, [&] {
            run_at_most(kLastFlush, [&](std::stop_token late) {
                (void)committer.flush(std::move(late));
            });
            abandoned();
        });
        if (request.retry_failures) {
            const auto now =
                std::chrono::time_point_cast<std::chrono::milliseconds>(context.clock.now());
            for (const profile::Source* const source : selected) {
                OPENARCHIVER_CHECK(
                    committer.note({now, catalog::RetryRequested{source->id}}, stop));
            }
            OPENARCHIVER_CHECK(committer.flush(stop));
        }
        {
            std::vector<std::jthread> threads;
            for (std::size_t i = 0; i < sources.size(); ++i) {
                threads.emplace_back([&, i] {
                    reports[i] = run_source(context, *sources[i], committer,
                                            writer->catalog_folder(), request, board, stop);
                });
            }
        }
        failure = committer.failure();
        // Sessions may still use the vault of the archive.
        sources.clear();
    }
    vault.attach(nullptr);
    if (!failure && !request.accounts.empty() && !stop.stop_requested()) {
        OPENARCHIVER_TRY(const auto catalog, catalog::CatalogReader::open(writer->catalog_folder()));
        origin = Origin::profile;
        OPENARCHIVER_CHECK(check_accounts(*catalog, selected, request.accounts));
    }
    return make_sync_result(reports, std::move(failure));
}

}  // namespace openarchiver::service
