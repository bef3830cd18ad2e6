#include "session.hpp"

#include <boost/json.hpp>
#include <openarchiver/sdk/deadline.hpp>
#include <openarchiver/sdk/exceptions.hpp>

#include "content_reader.hpp"
#include "failure.hpp"

namespace openarchiver::subprocess {

namespace {

namespace json = boost::json;
using sdk::Errc;

constexpr std::uint32_t kCursorFormat = 1;
constexpr std::chrono::seconds kTimeToCheck{25};
/// A listing that never ends and tells nothing is a defect of the program.
constexpr int kMaxEmptyPages = 1000;

template <typename Body>
auto guarded(Body body) {
    return sdk::without_exceptions("the subprocess provider", std::move(body));
}

bool go_on(sdk::Flow flow, const std::stop_token& stop) {
    return flow == sdk::Flow::proceed && !stop.stop_requested();
}

}  // namespace

sdk::SessionLimits Session::limits() const {
    return {.accounts_in_parallel = programs_.settings().accounts_in_parallel,
            .readers_per_account = programs_.settings().readers_per_account};
}

sdk::Result<std::vector<sdk::Check>> Session::check(std::stop_token stop) {
    return guarded([&]() -> sdk::Result<std::vector<sdk::Check>> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        const sdk::Deadline deadline(kTimeToCheck, stop);
        std::vector<sdk::Check> checks;
        const auto failed = [&](const char* name, const sdk::Error& error, const char* remedy) {
            const bool late = error.code == Errc::cancelled;
            checks.push_back({.name = name,
                              .outcome = sdk::CheckOutcome::fail,
                              .detail = late ? "it took longer than 25 s" : error.message,
                              .remedy = remedy,
                              .code = late ? Errc::timed_out : error.code});
        };
        const auto ask = [&]() -> sdk::Status {
            auto program = programs_.acquire(deadline.token());
            if (!program) {
                failed("program runs", program.error(),
                       "Correct what the message names; run the program by hand: it waits for a "
                       "line on standard input.");
                return {};
            }
            checks.push_back({.name = "program runs",
                              .outcome = sdk::CheckOutcome::pass,
                              .detail = (*program)->title()});
            OPENARCHIVER_TRY(const json::object result,
                             (*program)->ask("check", {}, deadline.token()));
            auto own = parse_checks(result);
            if (!own) {
                return (*program)->misbehaved(own.error().message);
            }
            for (sdk::Check& check : *own) {
                check.detail = (*program)->redacted(check.detail);
                checks.push_back(std::move(check));
            }
            return {};
        };
        if (const sdk::Status asked = ask(); !asked) {
            failed("program checks itself", asked.error(),
                   "See the log for what the program writes to standard error.");
        }
        if (stop.stop_requested()) {
            return cancelled();
        }
        return checks;
    });
}

template <typename Page>
sdk::Result<Page> Session::page(std::string_view call, const json::object& parameters,
                                const std::optional<std::string>& more,
                                sdk::Result<Page> (*parse)(const json::object&),
                                const std::stop_token& stop) {
    if (stop.stop_requested()) {
        return cancelled();
    }
    json::object asked = parameters;
    if (more) {
        asked["page"] = *more;
    }
    OPENARCHIVER_TRY(const ProgramPool::Lease program, programs_.acquire(stop));
    OPENARCHIVER_TRY(const json::object result, program->ask(call, std::move(asked), stop));
    auto parsed = parse(result);
    return parsed ? std::move(parsed)
                  : sdk::Result<Page>(program->misbehaved(parsed.error().message));
}

sdk::Result<sdk::Listing> Session::discover(const std::optional<sdk::Cursor>& cursor,
                                            sdk::AccountSink& sink, std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::Listing> {
        if (cursor) {
            return failure(Errc::cursor_expired, "listing accounts has no cursors here");
        }
        AccountPage part;
        int empty = 0;
        do {
            OPENARCHIVER_TRY(
                part, this->page<AccountPage>("accounts", {}, part.more, &parse_accounts, stop));
            for (const sdk::Account& account : part.accounts) {
                if (!go_on(sink.account(account), stop)) {
                    return cancelled();
                }
            }
            empty = part.accounts.empty() ? empty + 1 : 0;
        } while (part.more && empty < kMaxEmptyPages);
        if (part.more) {
            return failure(Errc::internal, "the program's listing of accounts does not end");
        }
        return sdk::Listing{};
    });
}

sdk::Result<sdk::FolderListing> Session::list_folders(const std::string& account_id,
                                                      const std::optional<sdk::Cursor>& cursor,
                                                      sdk::FolderSink& sink, std::stop_token stop) {
    return guarded([&]() -> sdk::Result<sdk::FolderListing> {
        if (cursor) {
            return failure(Errc::cursor_expired, "listing folders has no cursors here");
        }
        sdk::FolderListing listing;
        FolderPage part;
        int empty = 0;
        do {
            OPENARCHIVER_TRY(part, this->page<FolderPage>("folders", {{"account", account_id}},
                                                          part.more, &parse_folders, stop));
            for (const sdk::Folder& folder : part.folders) {
                if (!go_on(sink.folder(folder), stop)) {
                    return cancelled();
                }
            }
            listing.account_state = part.state;
            listing.reason = part.reason;
            empty = part.folders.empty() ? empty + 1 : 0;
        } while (part.more && empty < kMaxEmptyPages);
        if (part.more) {
            return failure(Errc::internal, "the program's listing of folders does not end");
        }
        listing.complete = listing.account_state == sdk::AccountState::available;
        return listing;
    });
}

sdk::Status Session::sync_folder(const std::string& account_id, const std::string& folder_id,
                                 const std::optional<sdk::Cursor>& cursor, sdk::ItemSink& sink,
                                 std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        if (cursor && cursor->format != kCursorFormat) {
            return failure(Errc::cursor_expired, "the cursor is of another version");
        }
        json::object parameters{{"account", account_id}, {"folder", folder_id}};
        if (cursor) {
            parameters["cursor"] = cursor->value;
        }
        ItemPage part;
        int empty = 0;
        do {
            OPENARCHIVER_TRY(
                part, this->page<ItemPage>("items", parameters, part.more, &parse_items, stop));
            for (const sdk::Item& item : part.items) {
                if (!go_on(sink.item(item), stop)) {
                    return cancelled();
                }
            }
            for (const std::string& id : part.left) {
                if (!go_on(sink.item_left(id), stop)) {
                    return cancelled();
                }
            }
            for (const auto& [id, error] : part.failed) {
                if (!go_on(sink.item_failed(id, error), stop)) {
                    return cancelled();
                }
            }
            if (part.cursor &&
                !go_on(sink.checkpoint({.format = kCursorFormat, .value = *part.cursor}), stop)) {
                return cancelled();
            }
            empty = part.empty() ? empty + 1 : 0;
        } while (part.more && empty < kMaxEmptyPages);
        return part.more ? sdk::Status(failure(Errc::internal,
                                               "the program's listing of a folder does not end"))
                         : sdk::Status();
    });
}

sdk::Result<std::unique_ptr<sdk::ByteReader>> Session::open_content(const std::string& account_id,
                                                                    const std::string& item_id,
                                                                    std::stop_token stop) {
    return guarded([&]() -> sdk::Result<std::unique_ptr<sdk::ByteReader>> {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(ProgramPool::Lease program, programs_.acquire(stop));
        OPENARCHIVER_CHECK(
            program->begin_content({{"account", account_id}, {"item", item_id}}, stop));
        return std::make_unique<ContentReader>(std::move(program), stop);
    });
}

sdk::Status Session::probe(const std::string& account_id, std::stop_token stop) {
    return guarded([&]() -> sdk::Status {
        if (stop.stop_requested()) {
            return cancelled();
        }
        OPENARCHIVER_TRY(const ProgramPool::Lease program, programs_.acquire(stop));
        OPENARCHIVER_CHECK(program->ask("probe", {{"account", account_id}}, stop));
        return {};
    });
}

}  // namespace openarchiver::subprocess
