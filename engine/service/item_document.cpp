#include "service/item_document.hpp"

#include <boost/json.hpp>
#include <utility>

#include "archive/digest.hpp"
#include "service/documents.hpp"

namespace openarchiver::service {

namespace json = boost::json;
using sdk::Result;

namespace {

json::array path_value(const std::vector<std::string>& path) {
    json::array names;
    for (const auto& name : path) {
        names.emplace_back(json::string(name));
    }
    return names;
}

json::value properties_value(const std::string& text) {
    return text.empty() ? json::value(json::object()) : json::parse(text);
}

}  // namespace

Result<ItemWithHistory> load_item(catalog::CatalogReader& catalog, const std::string& ref) {
    ItemWithHistory item;
    OPENARCHIVER_TRY(item.versions, catalog.versions(ref));
    const auto& any = item.versions.front();
    OPENARCHIVER_TRY(const auto folders, catalog.folders(any.account_key));
    for (const auto& folder : folders) {
        item.paths[folder.key] = folder.path;
    }
    OPENARCHIVER_TRY(const auto keys, catalog.folders_of(any.item_key));
    for (const auto key : keys) {
        item.folders.push_back(item.paths[key]);
    }
    OPENARCHIVER_TRY(item.history, catalog.history(any.item_key));
    return item;
}

std::string_view to_text(catalog::HistoryKind kind) {
    switch (kind) {
        case catalog::HistoryKind::archived:
            return "archived";
        case catalog::HistoryKind::placed:
            return "placed";
        case catalog::HistoryKind::left:
            return "left";
    }
    return "archived";
}

std::string item_document(const ItemWithHistory& item) {
    const auto& newest = item.versions.back();
    json::array folders;
    for (const auto& path : item.folders) {
        folders.push_back(path_value(path));
    }
    json::array versions;
    for (const auto& version : item.versions) {
        versions.push_back(
            {{"version", version.version},
             {"internet_message_id", version.message_id},
             {"subject", version.subject},
             {"from", version.from},
             {"received_at", time_value(version.received_at)},
             {"archived_at", time_value(version.archived_at)},
             {"media_type", version.media_type},
             {"properties", properties_value(version.properties)},
             {"size", version.size},
             {"sha256", archive::to_hex(version.content)},
             {"fidelity",
              version.fidelity == catalog::Fidelity::exact ? "exact" : "reconstructed"}});
    }
    json::array history;
    for (const auto& record : item.history) {
        const auto path = item.paths.find(record.folder_key);
        history.push_back(
            {{"at", time_value(record.at)},
             {"event", to_text(record.kind)},
             {"folder", path == item.paths.end() ? json::array() : path_value(path->second)}});
    }
    return json::serialize(json::object{{"ref", newest.ref},
                                        {"source", newest.source},
                                        {"account", newest.account},
                                        {"address", newest.address},
                                        {"item", newest.item},
                                        {"in_mailbox", newest.left_at == sdk::Timestamp{}},
                                        {"left_at", time_value(newest.left_at)},
                                        {"folders", std::move(folders)},
                                        {"versions", std::move(versions)},
                                        {"history", std::move(history)}});
}

}  // namespace openarchiver::service
