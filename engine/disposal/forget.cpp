#include "disposal/forget.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <unordered_set>

#include "disposal/hold.hpp"
#include "search/index_writer.hpp"

namespace openarchiver::disposal {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

Result<catalog::AccountRecord> find(catalog::CatalogReader& catalog, const ForgetRequest& request) {
    OPENARCHIVER_TRY(const auto sources, catalog.sources());
    if (request.source &&
        std::ranges::find(sources, *request.source, &catalog::SourceRecord::id) == sources.end()) {
        return Error{Errc::invalid_argument, "nothing was archived of a source \"" +
                                                 *request.source +
                                                 "\"; `openarchiver source list` lists them"};
    }
    std::vector<catalog::AccountRecord> found;
    for (const auto& source : sources) {
        if (request.source && *request.source != source.id) {
            continue;
        }
        OPENARCHIVER_TRY(const auto accounts, catalog.accounts(source.id));
        for (const auto& account : accounts) {
            if (catalog::is_named(account.id, account.address, request.account)) {
                found.push_back(account);
            }
        }
    }
    if (found.size() > 1) {
        std::string names;
        for (const auto& account : found) {
            names += (names.empty() ? "" : ", ") + account.source + "/" + account.id;
        }
        return Error{Errc::invalid_argument, "several accounts have the id or address \"" +
                                                 request.account + "\": " + names +
                                                 "; choose one by its id and --source"};
    }
    if (found.size() == 1) {
        return found.front();
    }
    OPENARCHIVER_TRY(const auto forgotten, catalog.forgotten());
    for (const auto& record : forgotten) {
        if (record.account == request.account &&
            (!request.source || *request.source == record.source)) {
            return Error{Errc::invalid_argument,
                         "the account " + record.account + " was forgotten already"};
        }
    }
    return Error{Errc::invalid_argument, "no account has the id or address \"" + request.account +
                                             "\"; `openarchiver accounts` lists them"};
}

/// An older copy of the keyring still opens with the master key that it was sealed with.
void replace_master_key(const access::Context& context, Forgotten& forgotten,
                        const std::stop_token& stop) {
    auto rotation = access::rotate_key(context, std::nullopt, stop);
    if (rotation) {
        forgotten.rotation = std::move(*rotation);
        return;
    }
    forgotten.old_key_remains =
        "the keyring still has its old master key, which opens older copies of it, too: replace it "
        "with `openarchiver key rotate` (" +
        rotation.error().message + ")";
    context.log->warn("OA-4010 forget: {}", forgotten.old_key_remains);
}

}  // namespace

Result<ForgetPlan> plan_forget(catalog::CatalogReader& catalog, const ForgetRequest& request) {
    ForgetPlan plan;
    OPENARCHIVER_TRY(plan.account, find(catalog, request));
    std::unordered_set<std::int64_t> items;
    OPENARCHIVER_CHECK(
        catalog.visit_versions({.sources = {plan.account.source}, .accounts = {plan.account.id}},
                               [&](const catalog::VersionRecord& version) -> Status {
                                   if (version.account_key == plan.account.key) {
                                       items.insert(version.item_key);
                                       ++plan.versions;
                                       plan.bytes += version.size;
                                   }
                                   return {};
                               }));
    plan.items = items.size();
    OPENARCHIVER_TRY(plan.holds, holds_over(catalog, plan.account));
    return plan;
}

Result<Forgotten> forget(const access::Context& context, const ForgetRequest& request,
                         const std::function<void(std::string_view)>& announce,
                         std::stop_token stop) {
    OPENARCHIVER_CHECK(check_given(request.reason, "--reason", "why the account is forgotten"));
    Forgotten forgotten;
    Status purged;
    {
        OPENARCHIVER_TRY(const auto archive, access::ArchiveWriter::open(context, announce, stop));
        OPENARCHIVER_CHECK(check_history(*archive));
        if (!archive->archive().keyring().archive_key().key) {
            return Error{Errc::unsupported,
                         "the archive is not encrypted: there is no key whose loss would make the "
                         "account's mail unreadable"};
        }
        {
            OPENARCHIVER_TRY(const auto catalog,
                             catalog::CatalogReader::open(archive->catalog_folder()));
            OPENARCHIVER_TRY(forgotten.plan, plan_forget(*catalog, request));
        }
        OPENARCHIVER_CHECK(refuse_held(forgotten.plan.holds, "the account"));
        const auto& account = forgotten.plan.account;
        {
            pipeline::Committer committer(*archive, context.clock, context.log);
            const auto key = archive->archive().keyring().find(account.source, account.id);
            OPENARCHIVER_CHECK(
                put_event(catalog::AccountForgotten{account.source, account.id, request.reason,
                                                    request.by, key ? key->id : archive::KeyId{}},
                          committer, sdk::timestamp_of(context.clock), stop));
        }
        OPENARCHIVER_CHECK(archive->drop_forgotten_keys(stop));
        OPENARCHIVER_CHECK(archive->catalog().truncate_log());
        purged = search::purge(archive->catalog_folder(), stop);
        context.log->info("OA-4009 account forgotten: source={} account={} items={}",
                          account.source, account.id, forgotten.plan.items);
    }
    replace_master_key(context, forgotten, stop);
    if (!purged) {
        purged.error().message =
            "the account was forgotten, but its words are still in the search "
            "index, until the next sync: " +
            purged.error().message;
        return std::move(purged.error());
    }
    return forgotten;
}

}  // namespace openarchiver::disposal
