#include "service/search_document.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <utility>

#include "service/documents.hpp"

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Result;

namespace {

/// Counted in characters, as they come out of the JSON.
json::array highlights_value(const search::Snippet& snippet) {
    const auto characters = [&](std::size_t end) {
        return std::count_if(snippet.text.begin(),
                             snippet.text.begin() + static_cast<std::ptrdiff_t>(end),
                             [](char c) { return (c & 0xC0) != 0x80; });
    };
    json::array places;
    for (const auto& [begin, end] : snippet.highlights) {
        places.push_back(json::array{characters(begin), characters(end)});
    }
    return places;
}

}  // namespace

Result<json::object> version_value(const catalog::VersionRecord& version, ItemFolders& folders) {
    OPENARCHIVER_TRY(const auto of_item, folders.of(version));
    json::array paths;
    for (const auto& path : of_item) {
        paths.emplace_back(json::array(path.begin(), path.end()));
    }
    return json::object{{"ref", version.ref},
                        {"version", version.version},
                        {"source", version.source},
                        {"account", version.account},
                        {"address", version.address},
                        {"folders", std::move(paths)},
                        {"item", version.item},
                        {"internet_message_id", version.message_id},
                        {"subject", version.subject},
                        {"from", version.from},
                        {"received_at", time_value(version.received_at)},
                        {"archived_at", time_value(version.archived_at)},
                        {"size", version.size},
                        {"in_mailbox", version.left_at == sdk::Timestamp{}}};
}

Result<json::object> hit_value(const search::Hit& hit, ItemFolders& folders) {
    OPENARCHIVER_TRY(json::object value, version_value(hit.version, folders));
    value["has_attachment"] = hit.has_attachment;
    value["conversation"] = hit.conversation;
    value["snippet"] = hit.snippet.text;
    value["highlights"] = highlights_value(hit.snippet);
    return value;
}

json::object coverage_value(const search::Coverage& coverage) {
    json::object value{{"not_yet_indexed", coverage.not_yet_indexed}};
    for (const auto reason :
         {search::GapReason::encrypted, search::GapReason::no_text, search::GapReason::failed,
          search::GapReason::unsupported, search::GapReason::too_large}) {
        const auto found = coverage.gaps.find(reason);
        value[search::to_string(reason)] = found == coverage.gaps.end() ? 0 : found->second;
    }
    return value;
}

json::object counts_value(const search::Counts& counts) {
    json::array sources;
    for (const auto& [id, number] : counts.sources) {
        sources.push_back({{"source", id}, {"hits", number}});
    }
    json::array accounts;
    for (const auto& [account, number] : counts.accounts) {
        accounts.push_back(
            {{"source", account.first}, {"account", account.second}, {"hits", number}});
    }
    json::array years;
    for (const auto& [year, number] : counts.years) {
        years.push_back({{"year", year}, {"hits", number}});
    }
    return {{"total", counts.total},
            {"sources", std::move(sources)},
            {"accounts", std::move(accounts)},
            {"years", std::move(years)}};
}

}  // namespace openarchiver::service
