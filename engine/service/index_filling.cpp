#include "service/index_filling.hpp"

#include <spdlog/logger.h>

#include <chrono>
#include <utility>

namespace openarchiver::service {

using sdk::Errc;
using sdk::Status;

namespace {

using namespace std::chrono_literals;

/// How soon a message can be found after it was archived, at most, while nothing else waits.
constexpr auto kEvery = 500ms;
/// The archive is given back in between, for who wants to open it anew.
constexpr auto kTurn = 2s;
constexpr auto kAfterFailure = 60s;

search::IndexerOptions options_of(const access::Context& context) {
    return {.attachments = context.profile.archive.search.attachments};
}

void report(spdlog::logger& log, const Status& status) {
    if (!status && status.error().code != Errc::cancelled) {
        log.warn("OA-3010 the search index was not filled: {}; it is tried again",
                 status.error().message);
    }
}

void nothing(std::uint64_t) {}

}  // namespace

IndexFilling::IndexFilling(const access::Context& context, access::ArchiveWriter& archive,
                           std::stop_token stop)
    : log_(context.log),
      archive_(archive),
      stop_(std::move(stop)),
      indexer_(archive.catalog_folder(), options_of(context)) {
    if (context.profile.archive.search.enabled) {
        thread_ = std::thread([this] { run(); });
    }
}

IndexFilling::~IndexFilling() {
    finish();
}

void IndexFilling::finish() {
    {
        const std::lock_guard lock(mutex_);
        ended_ = true;
        changed_.notify_all();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

void IndexFilling::run() {
    bool last = false;
    while (!last && !stop_.stop_requested()) {
        {
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, stop_, kEvery, [this] { return ended_; });
            last = ended_;
        }
        const Status status = indexer_.catch_up(archive_.archive(), std::nullopt, nothing, stop_);
        report(*log_, status);
        if (!status && !last) {
            std::unique_lock lock(mutex_);
            changed_.wait_for(lock, stop_, kAfterFailure, [this] { return ended_; });
        }
    }
}

void follow_catalog(const access::Context& context, SharedWriter& writer,
                    const std::stop_token& stop) {
    if (!context.profile.archive.search.enabled) {
        return;
    }
    search::Indexer indexer(context.profile.archive.catalog_path, options_of(context));
    std::mutex mutex;
    std::condition_variable_any wait;
    bool failing = false;
    while (!stop.stop_requested()) {
        bool more = false;
        Status status;
        if (const auto use = writer.use(stop)) {
            const auto until = std::chrono::steady_clock::now() + kTurn;
            status = indexer.catch_up(use->archive().archive(), until, nothing, stop);
            more = status && std::chrono::steady_clock::now() >= until;
        } else {
            status = use.error();  // the sources report it
        }
        if (!status && !std::exchange(failing, true)) {
            report(*context.log, status);
        }
        failing = failing && !status;
        std::unique_lock lock(mutex);
        wait.wait_for(lock, stop, status ? (more ? 0ms : kEvery) : kAfterFailure,
                      [] { return false; });
    }
}

Status fill_index(const access::Context& context, access::ArchiveWriter& archive,
                  const std::function<void(std::uint64_t versions)>& progress,
                  std::stop_token stop) {
    if (!context.profile.archive.search.enabled) {
        return {};
    }
    search::Indexer indexer(archive.catalog_folder(), options_of(context));
    return indexer.catch_up(archive.archive(), std::nullopt, progress, std::move(stop));
}

}  // namespace openarchiver::service
