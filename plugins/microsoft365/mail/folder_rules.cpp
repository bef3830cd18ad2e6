#include "mail/folder_rules.hpp"

#include <algorithm>

#include "mail/pattern.hpp"

namespace openarchiver::microsoft365 {

namespace {

constexpr std::array<std::string_view, 5> kLeftOutByDefault = {
    "drafts", "outbox", "syncissues", "conversationhistory", kRecoverableItems};

constexpr std::array<std::string_view, 6> kAlwaysLookedUp = {
    "drafts", "outbox", "syncissues", "conversationhistory", "inbox", "sentitems"};

/// No mailbox nests deeper; a circle of parents would.
constexpr std::size_t kMaxDepth = 300;

bool is_well_known(std::string_view name) {
    return std::ranges::any_of(kWellKnownNames, [name](std::string_view known) {
        return equal_ignoring_case(known, name);
    });
}

/// A folder with its ancestors, outermost first.
struct Place {
    std::vector<const FolderEntry*> chain;
    std::vector<std::string> well_known;  // parallel to the chain, empty where it is not one
    std::vector<std::string> paths;       // of each prefix of the chain, by display names
    std::vector<std::string> aliases;     // the same, beginning with the well-known name
};

/// Whether an entry of the configuration names the folder or one above it.
bool names(const std::string& entry, const Place& place) {
    if (is_well_known(entry)) {
        return std::ranges::any_of(place.well_known, [&entry](const std::string& name) {
            return equal_ignoring_case(entry, name);
        });
    }
    const auto matches = [&entry](const std::string& path) {
        return !path.empty() && matches_pattern(entry, path);
    };
    return std::ranges::any_of(place.paths, matches) || std::ranges::any_of(place.aliases, matches);
}

bool left_out_by_default(const Place& place) {
    return std::ranges::any_of(place.well_known, [](const std::string& name) {
        return std::ranges::find(kLeftOutByDefault, name) != kLeftOutByDefault.end();
    });
}

bool is_archived(const Place& place, const SelectionSettings& selection) {
    const auto named = [&place](const std::string& entry) { return names(entry, place); };
    if (std::ranges::any_of(selection.exclude, named)) {
        return false;
    }
    const bool by_default = !left_out_by_default(place);
    if (selection.include.empty()) {
        return by_default;
    }
    // Only an entry without wildcards speaks of a folder that is left out by default.
    return std::ranges::any_of(selection.include, [&](const std::string& entry) {
        return named(entry) && (by_default || entry.find('*') == std::string::npos);
    });
}

}  // namespace

std::vector<std::string_view> names_to_look_up(const SelectionSettings& selection) {
    const auto named_in = [](const std::vector<std::string>& patterns, std::string_view name) {
        return std::ranges::any_of(patterns, [name](std::string_view pattern) {
            const std::string_view first = pattern.substr(0, pattern.find('/'));
            return first.find('*') != std::string_view::npos || equal_ignoring_case(first, name);
        });
    };
    std::vector<std::string_view> names(kAlwaysLookedUp.begin(), kAlwaysLookedUp.end());
    for (const std::string_view name : kWellKnownNames) {
        if (std::ranges::find(names, name) == names.end() &&
            (named_in(selection.include, name) || named_in(selection.exclude, name))) {
            names.push_back(name);
        }
    }
    return names;
}

JudgedFolders judge_folders(const FolderTree& tree, const SelectionSettings& selection) {
    std::map<std::string_view, std::string_view> name_by_id;
    for (const auto& [name, id] : tree.well_known) {
        name_by_id.emplace(id, name);
    }
    const auto well_known_name = [&name_by_id](const std::string& id) {
        const auto found = name_by_id.find(id);
        return found == name_by_id.end() ? std::string() : std::string(found->second);
    };

    JudgedFolders result;
    for (const auto& [id, entry] : tree.folders) {
        Place place;
        bool search = false;
        const FolderEntry* folder = &entry;
        while (folder != nullptr && place.chain.size() < kMaxDepth) {
            search = search || folder->search || well_known_name(folder->id) == "searchfolders";
            place.chain.insert(place.chain.begin(), folder);
            const auto parent = tree.folders.find(folder->parent_id);
            folder = parent == tree.folders.end() ? nullptr : &parent->second;
        }
        if (search) {
            result.left_out.insert(id);
            continue;
        }
        std::string path;
        std::string alias;
        for (const FolderEntry* step : place.chain) {
            place.well_known.push_back(well_known_name(step->id));
            path += (path.empty() ? "" : "/") + step->display_name;
            if (place.paths.empty()) {
                alias = place.well_known.back();
            } else if (!alias.empty()) {
                alias += "/" + step->display_name;
            }
            place.paths.push_back(path);
            place.aliases.push_back(alias);
        }

        sdk::Folder reported;
        reported.id = id;
        reported.parent_id = tree.folders.contains(entry.parent_id) ? entry.parent_id : "";
        reported.display_name = entry.display_name;
        reported.well_known_name = place.well_known.back();
        reported.hidden = entry.hidden;
        reported.item_count = entry.item_count;
        reported.archived = is_archived(place, selection);
        if (!reported.archived) {
            result.left_out.insert(id);
        }
        result.folders.push_back(std::move(reported));
    }
    return result;
}

}  // namespace openarchiver::microsoft365
