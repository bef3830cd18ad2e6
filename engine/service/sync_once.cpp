#include "service/sync_once.hpp"

#include <spdlog/logger.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "disposal/store_locks.hpp"
#include "pipeline/committer.hpp"
#include "service/audit.hpp"
#include "service/forwarding_vault.hpp"
#include "service/head_witnesses.hpp"
#include "service/index_filling.hpp"
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

/// Before anything is started: every secret of the selected sources can be read. `announce` is told
/// of those that are probably mistaken.
Status check_secrets_of(const profile::Profile& profile,
                        const std::vector<const profile::Source*>& selected,
                        const std::function<void(std::string_view)>& announce) {
    for (const profile::Problem& problem : profile::check_secrets(profile)) {
        const bool concerns =
            !problem.pointer.starts_with("/sources/") ||
            std::ranges::any_of(selected, [&](const profile::Source* source) {
                const auto index = source - profile.sources.data();
                return problem.pointer.starts_with("/sources/" + std::to_string(index) + "/");
            });
        if (!concerns) {
            continue;
        }
        if (problem.severity == profile::Severity::error) {
            return Error{.code = Errc::invalid_config, .message = profile::to_text(problem)};
        }
        announce(profile::to_text(problem));
    }
    return {};
}

std::optional<Error> request_retries(sdk::Clock& clock,
                                     const std::vector<const profile::Source*>& selected,
                                     pipeline::Committer& committer, const std::stop_token& stop) {
    const auto now = sdk::timestamp_of(clock);
    for (const profile::Source* const source : selected) {
        if (auto noted = committer.note({now, catalog::RetryRequested{source->id}}, stop); !noted) {
            return noted.error();
        }
    }
    if (auto flushed = committer.flush(stop); !flushed) {
        return flushed.error();
    }
    return std::nullopt;
}

pipeline::SyncReport run_source(const access::Context& context, pipeline::OpenSource& source,
                                pipeline::Committer& committer, const std::filesystem::path& folder,
                                const SyncRequest& request, ProgressBoard& board,
                                std::stop_token stop) {
    const auto progress =
        std::make_shared<RunProgress>(source.profile.id, source.services->metrics());
    board.add(progress);
    pipeline::SyncReport report =
        pipeline::sync_source(source, committer, folder, context.clock, context.log,
                              {.accounts = request.accounts, .reconcile = request.reconcile},
                              progress->counts(), std::move(stop));
    progress->finish();
    return report;
}

}  // namespace

sdk::Result<SyncResult> SyncOnce::run(std::stop_token stop) {
    origin = Origin::profile;
    OPENARCHIVER_TRY(const auto selected, select_sources(context.profile, request.sources));
    OPENARCHIVER_CHECK(check_secrets_of(context.profile, selected, announce));
    ForwardingVault vault;
    OpenSources sources;
    for (const profile::Source* const source : selected) {
        auto opened = pipeline::open_source(context, *source, &vault);
        if (!opened) {
            // The folder of the catalog, where a session's own folder is, is part of the archive.
            origin =
                opened.error().code == Errc::invalid_config ? Origin::profile : Origin::archive;
            return opened.error();
        }
        sources.push_back(std::move(*opened));
    }
    origin = Origin::archive;
    // Everything below may block in the storage backend or in a provider, also on its way out.
    std::mutex mutex;  // guards writing
    pipeline::Committer* writing = nullptr;
    const StopDeadline deadline(stop, kStopWithin, [&] {
        const std::lock_guard lock(mutex);
        if (writing != nullptr) {
            run_at_most(kLastFlush,
                        [&](std::stop_token late) { (void)writing->flush(std::move(late)); });
        }
        abandoned();
    });
    OPENARCHIVER_TRY(const auto writer, access::ArchiveWriter::open(context, announce, stop));
    vault.attach(&writer->secrets());
    IndexFilling index(context, *writer, stop);
    std::vector<pipeline::SyncReport> reports(sources.size());
    std::optional<Error> failure;
    {
        pipeline::Committer committer(*writer, context.clock, context.log);
        const auto set_writing = [&](pipeline::Committer* now) {
            const std::lock_guard lock(mutex);
            writing = now;
        };
        set_writing(&committer);
        if (request.retry_failures) {
            failure = request_retries(context.clock, selected, committer, stop);
        }
        if (!failure) {
            std::vector<std::jthread> threads;
            for (std::size_t i = 0; i < sources.size(); ++i) {
                threads.emplace_back([&, i] {
                    reports[i] = run_source(context, *sources[i], committer,
                                            writer->catalog_folder(), request, board, stop);
                });
            }
        }
        if (const Status kept =
                disposal::keep_locks_daily({.policies = context.profile.archive.retention,
                                            .archive = *writer,
                                            .committer = committer,
                                            .clock = context.clock,
                                            .log = context.log},
                                           stop);
            !kept && kept.error().code != Errc::cancelled) {
            context.log->error("OA-4003 the store's locks were not brought in step: {}",
                               kept.error().message);
        }
        if (auto taken = AuditJournal(writer->catalog_folder()).move_into(committer, stop);
            !taken) {
            context.log->error("OA-1014 audit: {}", taken.error().message);
        }
        set_writing(nullptr);
        if (!failure) {
            failure = committer.failure();
        }
        // Sessions may still use the vault of the archive.
        sources.clear();
    }
    vault.attach(nullptr);
    if (!failure) {
        HeadWitnesses(context).visit(writer->archive(), stop);
    }
    index.finish();
    if (!failure && !request.accounts.empty() && !stop.stop_requested()) {
        OPENARCHIVER_TRY(const auto catalog,
                         catalog::CatalogReader::open(writer->catalog_folder()));
        OPENARCHIVER_CHECK(check_accounts(*catalog, selected, request.accounts));
    }
    return make_sync_result(reports, std::move(failure));
}

}  // namespace openarchiver::service
