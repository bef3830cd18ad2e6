#include <boost/json.hpp>

#include "cli/table.hpp"
#include "cli/verbs.hpp"
#include "plugin/digest.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

json::object document_of(const plugin::PluginHost& plugins) {
    json::array loaded;
    for (const plugin::LoadedPlugin& one : plugins.loaded()) {
        const auto sha256 = plugin::sha256_of_file(one.file);
        loaded.push_back({{"id", one.info.id},
                          {"kind", plugin::to_string(one.kind)},
                          {"version", one.info.version},
                          {"title", one.info.title},
                          {"file", one.file.string()},
                          {"sha256", sha256 ? json::value(*sha256) : json::value()},
                          {"epoch", one.stamp.abi_epoch},
                          {"fingerprint", one.stamp.fingerprint},
                          {"sdk_version", one.stamp.sdk_version},
                          {"compiler", one.stamp.compiler}});
    }
    json::array refused;
    for (const plugin::RefusedPlugin& one : plugins.refused()) {
        refused.push_back({{"file", one.file.string()},
                           {"code", plugin::to_string(one.code)},
                           {"reason", one.reason}});
    }
    json::array searched;
    for (const auto& folder : plugins.searched()) {
        searched.emplace_back(folder.string());
    }
    return {{"plugins", std::move(loaded)},
            {"refused", std::move(refused)},
            {"searched", std::move(searched)}};
}

std::string text_of(const plugin::PluginHost& plugins) {
    Table table({{"ID"}, {"KIND"}, {"VERSION"}, {"STAMP"}, {"SHA-256"}, {"FILE"}});
    for (const plugin::LoadedPlugin& one : plugins.loaded()) {
        const auto sha256 = plugin::sha256_of_file(one.file);
        table.row({one.info.id, std::string(plugin::to_string(one.kind)), one.info.version,
                   "epoch " + std::to_string(one.stamp.abi_epoch) + ", " + one.stamp.fingerprint,
                   sha256 ? *sha256 : "?", one.file.string()});
    }
    std::string text = table.empty() ? "No plugins were found.\n" : table.text();
    for (const plugin::RefusedPlugin& one : plugins.refused()) {
        text += "refused: " + plain(one.reason) + "\n";
    }
    if (table.empty()) {
        for (const auto& folder : plugins.searched()) {
            text += "searched: " + folder.string() + "\n";
        }
    }
    return text;
}

Outcome list(Command& command) {
    const plugin::PluginHost& plugins = command.load_plugins();
    if (command.json()) {
        command.document(json::serialize(document_of(plugins)));
    } else {
        command.print(text_of(plugins));
    }
    return ExitCode::done;
}

}  // namespace

void register_plugin(Verb& program) {
    Verb plugin = program.verb("plugin", "The plugins of this program.");
    plugin.verb("list", "Lists what is loaded, and what was refused and why.")
        .without_profile(list);
    register_plugin_verify(plugin);
    register_plugin_new(plugin);
}

}  // namespace openarchiver::cli
