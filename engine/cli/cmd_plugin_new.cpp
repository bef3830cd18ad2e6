#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <openarchiver/sdk/abi.hpp>
#include <system_error>

#include "cli/project_files.hpp"
#include "cli/verbs.hpp"

namespace openarchiver::cli {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

struct Options {
    std::string name;
    std::string kind;
    std::string output;
};

/// "in-house-tickets": what profiles call the plugin, its library and its files.
bool is_name(const std::string& name) {
    const auto letter = [](char c) { return c >= 'a' && c <= 'z'; };
    return !name.empty() && name.size() <= 64 && letter(name.front()) && name.back() != '-' &&
           std::ranges::all_of(
               name, [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '-'; });
}

/// "in_house_tickets", for namespaces.
std::string identifier(std::string name) {
    std::ranges::replace(name, '-', '_');
    return name;
}

std::string filled(std::string_view text, const Options& options) {
    const std::pair<std::string_view, std::string> places[] = {
        {"@NAME@", options.name},
        {"@IDENTIFIER@", identifier(options.name)},
        {"@SDK_VERSION@", std::string(OPENARCHIVER_SDK_VERSION).substr(0, 3)}};
    std::string result(text);
    for (const auto& [place, value] : places) {
        for (std::size_t at = result.find(place); at != std::string::npos;
             at = result.find(place, at + value.size())) {
            result.replace(at, place.size(), value);
        }
    }
    return result;
}

sdk::Status write(const fs::path& file, const std::string& text) {
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    std::ofstream stream(file, std::ios::binary);
    stream << text;
    stream.close();
    if (error || !stream) {
        return sdk::Error{
            .code = sdk::Errc::invalid_argument,
            .message = "the file " + file.string() + " can't be written; choose another --output"};
    }
    if (text.starts_with("#!")) {
        fs::permissions(file,
                        fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec,
                        fs::perm_options::add, error);
    }
    return {};
}

Outcome create(Command& command, const Options& options) {
    if (!is_name(options.name)) {
        return Outcome::usage(
            "a plugin's name has 1 to 64 of the characters a-z, 0-9 and -, and "
            "begins with a letter: \"in-house-tickets\"");
    }
    const fs::path folder = options.output;
    std::error_code error;
    if (fs::exists(folder, error) && (!fs::is_directory(folder, error) || !fs::is_empty(folder))) {
        return Outcome::usage("--output " + folder.string() +
                              " is there and not an empty folder; name a new one");
    }
    const std::string kind = options.kind + "/";
    json::array files;
    for (const ProjectFile& file : project_files()) {
        if (!file.path.starts_with(kind)) {
            continue;
        }
        const std::string path(file.path.substr(kind.size()));
        if (const auto written = write(folder / path, filled(file.text, options)); !written) {
            return {Origin::profile, written.error()};
        }
        files.emplace_back(path);
    }
    if (command.json()) {
        command.document(json::serialize(json::object{{"name", options.name},
                                                      {"kind", options.kind},
                                                      {"folder", fs::absolute(folder).string()},
                                                      {"files", std::move(files)}}));
    } else {
        command.print("A " + options.kind + " plugin \"" + options.name + "\" is in " +
                      folder.string() + ". Its README.md says what to do; at once:\n  cmake -S " +
                      folder.string() +
                      " -B build && cmake --build build && ctest --test-dir "
                      "build --output-on-failure\n");
    }
    return ExitCode::done;
}

}  // namespace

void register_plugin_new(Verb& plugin) {
    const auto options = std::make_shared<Options>();  // shared: filled here, used in the action
    Verb verb = plugin.verb("new", "Writes a project for a plugin of your own.");
    verb.argument("NAME", options->name, "what profiles call it: a-z, 0-9 and -");
    verb.choice("--kind", options->kind, {"provider", "storage"}, true, "what it is to be");
    verb.option("--output", options->output, "DIR", "the folder to write, new or empty");
    verb.required("--output");
    verb.without_profile([options](Command& command) { return create(command, *options); });
}

}  // namespace openarchiver::cli
