#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "access/access.hpp"
#include "search/indexer.hpp"
#include "service/shared_writer.hpp"

/// The search index is filled beside the import. What fails there is logged and tried again: it
/// never ends a run.
namespace openarchiver::service {

/// Fills the index while the sources of one run are read, and then to its end.
class IndexFilling {
public:
    /// `archive` outlives it.
    IndexFilling(const access::Context& context, access::ArchiveWriter& archive,
                 std::stop_token stop);
    ~IndexFilling();
    IndexFilling(const IndexFilling&) = delete;
    IndexFilling& operator=(const IndexFilling&) = delete;

    /// Nothing more comes into the catalog: returns once the index has everything.
    void finish();

private:
    void run();

    std::shared_ptr<spdlog::logger> log_;
    access::ArchiveWriter& archive_;
    std::stop_token stop_;
    search::Indexer indexer_;
    std::mutex mutex_;  // guards ended_
    std::condition_variable_any changed_;
    bool ended_ = false;
    std::thread thread_;
};

/// Fills the index of a service until `stop`.
void follow_catalog(const access::Context& context, SharedWriter& writer,
                    const std::stop_token& stop);

/// Puts everything into the index that the catalog has: after a rebuild.
sdk::Status fill_index(const access::Context& context, access::ArchiveWriter& archive,
                       const std::function<void(std::uint64_t versions)>& progress,
                       std::stop_token stop);

}  // namespace openarchiver::service
