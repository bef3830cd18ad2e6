#include <memory>
#include <utility>

#include "cli/run_sync.hpp"
#include "cli/sync_display.hpp"
#include "cli/verbs.hpp"

namespace openarchiver::cli {

void register_sync(Verb& program) {
    // Shared: filled by the command line, used in the action.
    const auto request = std::make_shared<service::SyncRequest>();
    Verb verb = program.verb("sync", "Archives what is new: one pass over the sources, then exit.");
    verb.option("--source", request->sources, "ID", "only this source; may be repeated");
    verb.option("--account", request->accounts, "ID",
                "only this account, by id or address; may be repeated");
    verb.flag("--reconcile", request->reconcile,
              "list every folder anew to catch what deltas lose; downloads only what is missing");
    verb.action([request](Command& command) {
        SyncEnd end = run_sync(command, *request);
        if (!end.document.empty()) {
            if (command.json()) {
                command.document(end.document);
            } else {
                command.print(sync_summary(end.document));
            }
        }
        return std::move(end.outcome);
    });
}

}  // namespace openarchiver::cli
