#include "service/status_document.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "access/open_store.hpp"
#include "evidence/head.hpp"
#include "service/control_protocol.hpp"
#include "service/head_witnesses.hpp"
#include "service/status_notifications.hpp"
#include "verify/outcome.hpp"

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Result;

namespace {

json::value parsed(std::string_view text) {
    boost::system::error_code broken;
    json::value value =
        text.empty() ? json::value() : json::parse({text.data(), text.size()}, broken);
    return broken ? json::value() : value;
}

struct Store {
    std::optional<archive::Archive::Marker> marker;  ///< absent: there is no archive yet
    std::optional<sdk::Capacity> capacity;           ///< absent: the store can't tell
};

Result<Store> look_at_store(const access::Context& context, const std::stop_token& stop) {
    Store seen;
    const auto absent = [](const sdk::Error& error) { return error.code == sdk::Errc::not_found; };
    const auto open = access::open_store(context, access::Purpose::reading, stop);
    if (!open) {
        return absent(open.error()) ? Result<Store>(std::move(seen)) : open.error();
    }
    auto marker = archive::Archive::read_marker(*open->store, stop);
    if (!marker && !absent(marker.error())) {
        return marker.error();
    }
    if (marker) {
        seen.marker = std::move(*marker);
    }
    if (const auto capacity = open->store->capacity(stop)) {
        seen.capacity = *capacity;
    }
    return seen;
}

/// null where there is no archive yet.
Result<json::value> archive_document(const std::optional<archive::Archive::Marker>& marker,
                                     catalog::CatalogReader* catalog) {
    if (!marker) {
        return json::value();
    }
    catalog::Totals totals;
    if (catalog != nullptr) {
        OPENARCHIVER_TRY(totals, catalog->totals());
    }
    return json::value{
        {"id", marker->archive_id},       {"format", marker->format},
        {"encrypted", marker->encrypted}, {"created_at", time_value(marker->created_at)},
        {"items", totals.items},          {"versions", totals.versions},
        {"bytes", totals.version_bytes},  {"bytes_stored", totals.pack_bytes}};
}

json::value space_document(const std::optional<sdk::Capacity>& capacity) {
    return capacity ? json::value{{"free_bytes", capacity->free_bytes},
                                  {"total_bytes", capacity->total_bytes}}
                    : json::value();
}

/// How much room there is where the catalog is.
std::optional<sdk::Capacity> catalog_capacity(const access::Context& context) {
    std::error_code error;
    const auto space = std::filesystem::space(context.profile.archive.catalog_path, error);
    return error ? std::nullopt
                 : std::optional(
                       sdk::Capacity{.free_bytes = space.available, .total_bytes = space.capacity});
}

json::value witness_document(const std::optional<WitnessState>& state) {
    if (!state) {
        return nullptr;
    }
    json::object document{{"head", nullptr},
                          {"at", time_value(state->at)},
                          {"failing_since", time_value(state->failing_since)},
                          {"error", state->error}};
    if (state->head != 0) {
        document["head"] = state->head;
    }
    return document;
}

/// The newest head, and who vouches for heads.
Result<json::value> evidence_document(const access::Context& context,
                                      catalog::CatalogReader* catalog) {
    const auto now = sdk::timestamp_of(context.clock);
    json::value newest = nullptr;
    json::array problems;
    const auto note = catalog != nullptr ? catalog->newest_head()
                                         : Result<std::optional<std::string>>(std::nullopt);
    OPENARCHIVER_CHECK(note);
    if (*note) {
        OPENARCHIVER_TRY(const auto head, evidence::parse_head(**note));
        OPENARCHIVER_TRY(auto positions, catalog->positions());
        std::ranges::sort(positions, {}, &evidence::Positions::value_type::first);
        if (positions != head.positions &&
            now - head.time > 2 * context.profile.archive.evidence.head_every) {
            problems.emplace_back(json::string(
                "no head was written since " + iso_time(head.time) +
                ", though there is something new: the engine's log says why, `openarchiver "
                "verify` whether the archive is damaged"));
        }
        newest = {{"number", head.number}, {"time", time_value(head.time)}, {"leaves", head.size}};
    }
    if (catalog != nullptr) {
        OPENARCHIVER_TRY(const auto problem, catalog->history_problem());
        if (!problem.empty()) {
            problems.emplace_back(json::string(problem));
        }
    }
    const auto states = read_witness_states(context.profile);
    for (const auto& problem : witness_problems(context.profile, states, now)) {
        problems.emplace_back(json::string(problem));
    }
    return json::value{{"head", std::move(newest)},
                       {"timestamp", witness_document(states.timestamp)},
                       {"publication", witness_document(states.publication)},
                       {"problems", std::move(problems)}};
}

json::value service_document(const json::value& own) {
    json::object document{{"running", own.is_object()},
                          {"pid", nullptr},
                          {"host", nullptr},
                          {"version", nullptr},
                          {"started_at", nullptr}};
    if (own.is_object()) {
        for (const char* const name : {"pid", "host", "version", "started_at"}) {
            document[name] = own.at(name);
        }
    }
    return document;
}

}  // namespace

LiveSources live_sources(std::string_view live_document) {
    LiveSources live;
    const json::value document = parsed(live_document);
    if (!document.is_object()) {
        return live;
    }
    for (const json::value& source : document.at("sources").as_array()) {
        LiveSource one;
        one.running = source.at("running").as_bool();
        if (const json::value& next = source.at("next_run_at"); next.is_string()) {
            one.next_run_at = next.as_string();
        }
        if (const json::value& silent = source.at("silent"); silent.is_string()) {
            one.silent = silent.as_string();
        }
        if (const json::value& error = source.at("error"); error.is_object()) {
            one.error = sdk::Error{.code = errc_of(error.at("code").as_string()),
                                   .message = std::string(error.at("message").as_string())};
        }
        if (const json::value& progress = source.at("progress"); progress.is_object()) {
            one.progress = json::serialize(progress);
        }
        if (const json::value& metrics = source.at("metrics"); metrics.is_object()) {
            one.metrics = json::serialize(metrics);
        }
        live.emplace(std::string(source.at("id").as_string()), std::move(one));
    }
    return live;
}

Result<json::value> status_document(const access::Context& context, catalog::CatalogReader* catalog,
                                    std::string_view live_document, const std::stop_token& stop) {
    const LiveSources live = live_sources(live_document);
    OPENARCHIVER_TRY(json::value document,
                     sources_document(catalog, context.profile,
                                      live_document.empty() ? nullptr : &live, context.clock));
    auto& members = document.as_object();
    OPENARCHIVER_TRY(const Store store, look_at_store(context, stop));
    OPENARCHIVER_TRY(members["archive"], archive_document(store.marker, catalog));
    members["storage"] = {{"archive", space_document(store.capacity)},
                          {"catalog", space_document(catalog_capacity(context))}};
    OPENARCHIVER_TRY(members["evidence"], evidence_document(context, catalog));
    members["verify"] = verify::read_outcome(context.profile.archive.catalog_path);
    members["notifications"] = notifications_document(context.profile);
    members["service"] = service_document(parsed(live_document));
    return document;
}

}  // namespace openarchiver::service
