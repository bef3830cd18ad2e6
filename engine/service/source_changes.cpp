#include <spdlog/logger.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "access/kept_sources.hpp"
#include "service/service.hpp"

namespace openarchiver::service {

using sdk::Errc;
using sdk::Error;
using sdk::Status;

namespace {

const profile::Source* find(const profile::Profile& profile, std::string_view id) {
    const auto found = std::ranges::find(profile.sources, id, &profile::Source::id);
    return found == profile.sources.end() ? nullptr : &*found;
}

Error unknown(const std::string& id) {
    return {Errc::not_found, "there is no source \"" + id + "\""};
}

Error of_profile(const std::string& id) {
    return {Errc::permission_denied, "the source \"" + id +
                                         "\" stands in the profile: change it there, and reload "
                                         "the service (SIGHUP)"};
}

}  // namespace

Status Service::define_source(const profile::Source& source, const std::string& by) {
    const std::lock_guard change(change_mutex_);
    const profile::Profile& profile = context().profile;
    if (!profile.service.api_sources) {
        return Error{Errc::permission_denied,
                     "the profile alone says what the sources are (service.api_sources)"};
    }
    if (const auto* known = find(profile, source.id); known != nullptr && !known->from_api) {
        return of_profile(source.id);
    }
    catalog::SourceDefined kept;
    {
        OPENARCHIVER_TRY(const auto use, writer_.use(stop_));
        if (!source.secrets.empty() &&
            !use.archive().archive().keyring().archive_key().key.has_value()) {
            return Error{Errc::unsupported,
                         "this archive is not encrypted, so that it may keep no secrets: make the "
                         "source in the profile"};
        }
        OPENARCHIVER_TRY(kept, access::keep_source(source, by, use.archive().secrets()));
    }
    return change_sources(std::move(kept));
}

Status Service::remove_source(const std::string& id, const std::string& by) {
    const std::lock_guard change(change_mutex_);
    const auto* const known = find(context().profile, id);
    if (known == nullptr) {
        return unknown(id);
    }
    return known->from_api ? change_sources(catalog::SourceRemoved{id, by}) : of_profile(id);
}

Status Service::pause_source(const std::string& id, bool paused, const std::string& by) {
    const std::lock_guard change(change_mutex_);
    const auto* const known = find(context().profile, id);
    if (known == nullptr) {
        return unknown(id);
    }
    if (known->paused_by.has_value() == paused) {
        return {};
    }
    return change_sources(catalog::SourcePaused{.source = id, .paused = paused, .by = by});
}

sdk::Result<std::vector<sdk::Check>> Service::check_source(const profile::Source& source,
                                                           std::stop_token stop) {
    OPENARCHIVER_TRY(const auto use, writer_.use(stop));
    OPENARCHIVER_TRY(const auto open,
                     pipeline::open_source(context(), source, &use.archive().secrets()));
    return open->session->check(std::move(stop));
}

Status Service::change_sources(catalog::EventBody event) {
    {
        OPENARCHIVER_TRY(const auto use, writer_.use(stop_));
        std::vector<pipeline::Entry> entries(1);
        entries.front().event = {sdk::timestamp_of(options_.clock), std::move(event)};
        OPENARCHIVER_CHECK(use.committer().put_together(std::move(entries), stop_));
    }
    profile::Profile next = context().profile;
    take_kept_sources(next);
    const std::lock_guard lock(mutex_);
    profiles_.push_back(std::move(next));
    apply_sources(profiles_.back());
    return {};
}

void Service::take_kept_sources(profile::Profile& profile) {
    const Status taken = [&]() -> Status {
        OPENARCHIVER_TRY(const auto catalog,
                         catalog::CatalogReader::open(profile.archive.catalog_path));
        return access::take_kept_sources(profile, *catalog);
    }();
    if (!taken) {
        options_.log->error("OA-1013 sources of the API: {}", taken.error().message);
    }
}

}  // namespace openarchiver::service
