#pragma once

#include <boost/json/object.hpp>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/host.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/catalog_reader.hpp"
#include "pipeline/committer.hpp"

/// Who did what (docs/audit.md). Whoever reads mail needs no writer of the archive, so acts are
/// written to a journal beside the catalog first; the writer takes them into the log.
namespace openarchiver::service {

/// What somebody did, or is about to do.
struct Act {
    std::string by;    ///< "api:" and the credential's name, or the system user
    std::string role;  ///< of the credential; empty: the command line
    std::string action;
    std::string object = {};
    boost::json::object detail = {};
};

/// The journal in a catalog's folder. Safe for concurrent use, also by several processes.
class AuditJournal {
public:
    explicit AuditJournal(const std::filesystem::path& catalog_folder);

    /// Durable on return. On an error whoever asked must not be shown, or given, anything.
    sdk::Status append(Act act, const sdk::Clock& clock);
    /// What the log need not have yet, oldest first. A line that was cut off by a crash was never
    /// acknowledged, and is left out.
    [[nodiscard]] sdk::Result<std::vector<catalog::Event>> waiting() const;
    [[nodiscard]] bool empty() const;
    /// Takes what waits into the log, durable on return, and out of the journal.
    sdk::Status move_into(pipeline::Committer& committer, std::stop_token stop);

private:
    /// Lines that are written, and made durable, together.
    struct Batch {
        std::string lines;
        bool done = false;
        sdk::Status status;
    };

    std::filesystem::path file_;
    std::filesystem::path lock_file_;
    std::mutex mutex_;  // guards everything below
    std::condition_variable written_;
    std::shared_ptr<Batch> next_ = std::make_shared<Batch>();  // shared with who waits for it
    bool writing_ = false;
};

/// {"entries":[...],"next":...}, the newest first: those of the journal, then those of the catalog.
/// `after` is the "next" of the page before; empty: none.
[[nodiscard]] sdk::Result<std::string> audit_document(catalog::CatalogReader& catalog,
                                                      const AuditJournal& journal,
                                                      const catalog::AuditFilter& filter,
                                                      std::string_view after, std::size_t limit);

}  // namespace openarchiver::service
