#include "container_trees.hpp"

#include <boost/json.hpp>
#include <fstream>
#include <functional>
#include <sstream>

namespace openarchiver::mailfiles {

namespace {

namespace json = boost::json;

std::string text_of(const json::value& value) {
    return std::string(std::string_view(value.as_string()));
}

json::array as_json(const std::vector<sdk::Folder>& folders) {
    json::array list;
    for (const sdk::Folder& folder : folders) {
        list.push_back(
            json::array{json::string(folder.id), json::string(folder.parent_id),
                        json::string(folder.display_name), json::string(folder.well_known_name),
                        folder.item_count ? json::value(*folder.item_count) : json::value()});
    }
    return list;
}

sdk::Folder folder_from(const json::array& fields) {
    sdk::Folder folder;
    folder.id = text_of(fields.at(0));
    folder.parent_id = text_of(fields.at(1));
    folder.display_name = text_of(fields.at(2));
    folder.well_known_name = text_of(fields.at(3));
    if (!fields.at(4).is_null()) {
        folder.item_count = fields.at(4).to_number<std::uint64_t>();
    }
    return folder;
}

}  // namespace

std::filesystem::path ContainerTrees::file_of(const std::string& folder_id) const {
    return folder_ / (std::to_string(std::hash<std::string>()(folder_id)) + ".json");
}

std::optional<std::vector<sdk::Folder>> ContainerTrees::find(const std::string& folder_id,
                                                             const std::string& stamp) {
    const std::lock_guard lock(mutex_);
    const auto known = trees_.find(folder_id);
    if (known != trees_.end()) {
        return known->second.stamp == stamp ? std::optional(known->second.folders) : std::nullopt;
    }
    std::ostringstream text;
    if (!(text << std::ifstream(file_of(folder_id), std::ios::binary).rdbuf())) {
        return std::nullopt;
    }
    try {
        const json::value value = json::parse(text.str());
        Tree tree;
        tree.stamp = text_of(value.at("stamp"));
        for (const json::value& folder : value.at("folders").as_array()) {
            tree.folders.push_back(folder_from(folder.as_array()));
        }
        if (text_of(value.at("id")) != folder_id || tree.stamp != stamp) {
            return std::nullopt;
        }
        return trees_.insert_or_assign(folder_id, std::move(tree)).first->second.folders;
    } catch (const std::exception&) {
        return std::nullopt;  // cut short by a crash, or of another version
    }
}

void ContainerTrees::keep(const std::string& folder_id, const std::string& stamp,
                          const std::vector<sdk::Folder>& folders) {
    const std::lock_guard lock(mutex_);
    trees_.insert_or_assign(folder_id, Tree{stamp, folders});
    std::error_code ignored;
    std::filesystem::create_directories(folder_, ignored);
    std::ofstream(file_of(folder_id), std::ios::binary) << json::serialize(
        json::object{{"id", folder_id}, {"stamp", stamp}, {"folders", as_json(folders)}});
}

}  // namespace openarchiver::mailfiles
