// `plugin verify`: each check in a process of its own, so that a plugin that crashes or hangs
// fails that check only.
#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <utility>

#include "cli/verbs.hpp"
#include "conformance/checked_process.hpp"
#include "conformance/plugin_library.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

constexpr std::chrono::minutes kPatience{5};

struct Options {
    std::string library;
    std::optional<std::string> config;
    std::optional<std::string> fixture;
    std::optional<std::string> check;

    [[nodiscard]] conformance::Subject subject() const {
        return {.library = library, .config = config.value_or(""), .fixture = fixture.value_or("")};
    }
};

json::object document_of(const testkit::Verdict& verdict) {
    json::array findings;
    for (const testkit::Finding& finding : verdict.findings) {
        findings.push_back({{"expected", finding.expected}, {"seen", finding.seen}});
    }
    return {{"name", verdict.promise.name},
            {"outcome", verdict.passed() ? "passed" : "failed"},
            {"findings", std::move(findings)},
            {"contract", verdict.promise.contract},
            {"remedy", verdict.promise.remedy}};
}

std::string text_of(const json::object& check) {
    const bool passed = check.at("outcome") == "passed";
    std::string text = std::string(passed ? "passed  " : "FAILED  ") +
                       json::value_to<std::string>(check.at("name")) + "\n";
    if (passed) {
        return text;
    }
    for (const json::value& finding : check.at("findings").get_array()) {
        const auto seen = json::value_to<std::string>(finding.at("seen"));
        text += "        expected: " + json::value_to<std::string>(finding.at("expected")) +
                (seen.empty() ? "" : "\n        seen:     " + seen) + "\n";
    }
    return text + "        contract: " + json::value_to<std::string>(check.at("contract")) +
           "\n        fix:      " + json::value_to<std::string>(check.at("remedy")) + "\n";
}

/// Whole names go before parts of names, so that every check can be named alone.
std::vector<testkit::ConformanceCheck> chosen(std::vector<testkit::ConformanceCheck> checks,
                                              const std::string& words) {
    const auto is_exact = [&](const auto& check) { return check.promise.name == words; };
    const bool exact = std::ranges::any_of(checks, is_exact);
    std::erase_if(checks, [&](const testkit::ConformanceCheck& check) {
        return exact ? !is_exact(check) : check.promise.name.find(words) == std::string::npos;
    });
    return checks;
}

/// The verdict on a check whose process gave none.
testkit::Verdict without_verdict(const testkit::Promise& promise, const conformance::Ended& ended) {
    testkit::Verdict verdict{.promise = promise, .findings = {}};
    std::string seen =
        "the process of the check ended with exit code " + std::to_string(ended.exit_code);
    if (ended.timed_out) {
        seen = "no end within " + std::to_string(kPatience.count()) + " minutes";
    } else if (ended.signal != 0) {
        seen = std::string("the process was ended by a signal: ") + ::strsignal(ended.signal);
    }
    verdict.findings.push_back({"every call comes back, and the process lives on", seen});
    verdict.promise.remedy +=
        "; to see where, run it with --check \"" + promise.name + "\" in a debugger";
    return verdict;
}

sdk::Result<json::object> run_apart(Command& command, const Options& options,
                                    const testkit::Promise& promise) {
    std::vector<std::string> arguments = {"plugin", "verify", "--json", "--check", promise.name};
    if (options.config) {
        arguments.insert(arguments.end(), {"--config", *options.config});
    }
    if (options.fixture) {
        arguments.insert(arguments.end(), {"--fixture", *options.fixture});
    }
    arguments.push_back(options.library);
    const auto start = std::chrono::steady_clock::now();
    OPENARCHIVER_TRY(const conformance::Ended ended,
                     conformance::run_self(arguments, kPatience, command.stop()));
    const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - start);
    json::object check = document_of(without_verdict(promise, ended));
    json::error_code error;
    if (const json::value document = json::parse(ended.output, error);
        !error && document.is_object() && document.get_object().contains("checks") &&
        document.at("checks").get_array().size() == 1) {
        check = document.at("checks").get_array().front().get_object();
    }
    check["seconds"] = static_cast<double>(taken.count()) / 1000;
    return check;
}

/// The checks that `--check` names run in this process, where a debugger sees them.
json::object run_here(const testkit::ConformanceCheck& check) {
    return document_of(check.run());
}

Outcome verify(Command& command, const Options& options) {
    auto library = conformance::PluginLibrary::open(options.subject());
    if (!library) {
        return {Origin::profile, std::move(library.error())};
    }
    std::vector<testkit::ConformanceCheck> checks;
    {
        auto all = library->checks();
        if (!all) {
            return {Origin::profile, std::move(all.error())};
        }
        checks = chosen(std::move(*all), options.check.value_or(""));
    }
    if (checks.empty()) {
        return Outcome::usage("no check of this plugin has \"" + options.check.value_or("") +
                              "\" in its name");
    }
    if (!options.check) {
        if (auto empty = library->require_empty_store(); !empty) {
            return {Origin::profile, std::move(empty.error())};
        }
    }
    if (!library->configured()) {
        command.announce(
            "only the configuration's schema is checked: name a --config or a "
            "--fixture to check what the plugin does");
    }
    json::array verdicts;
    std::size_t failed = 0;
    for (const testkit::ConformanceCheck& check : checks) {
        auto verdict = options.check ? sdk::Result<json::object>(run_here(check))
                                     : run_apart(command, options, check.promise);
        if (!verdict) {
            return {Origin::profile, std::move(verdict.error())};
        }
        failed += verdict->at("outcome") == "passed" ? 0 : 1;
        if (!command.json()) {
            command.print(text_of(*verdict));
        }
        verdicts.push_back(std::move(*verdict));
    }
    const std::size_t passed = verdicts.size() - failed;
    const plugin::LoadedPlugin& plugin = library->plugin();
    if (command.json()) {
        command.document(json::serialize(
            json::object{{"file", plugin.file.string()},
                         {"plugin", json::object{{"id", plugin.info.id},
                                                 {"kind", plugin::to_string(plugin.kind)},
                                                 {"version", plugin.info.version}}},
                         {"configured", library->configured()},
                         {"passed", passed},
                         {"failed", failed},
                         {"checks", std::move(verdicts)}}));
    } else {
        command.print(std::to_string(passed) + " of " + std::to_string(passed + failed) +
                      " checks passed: " + plugin.info.id + " " + plugin.info.version + "\n");
    }
    return failed == 0 ? ExitCode::done : ExitCode::with_failures;
}

}  // namespace

void register_plugin_verify(Verb& plugin) {
    const auto options = std::make_shared<Options>();  // shared: filled here, used in the action
    Verb verb = plugin.verb("verify", "Checks that a plugin keeps its contract.");
    verb.argument("FILE", options->library, "the plugin's library");
    verb.option("--config", options->config, "FILE",
                "the plugin's configuration, as it stands in a profile as `config`");
    verb.option("--fixture", options->fixture, "CMD",
                "a program that makes an upstream for each check and changes it on request");
    verb.option("--check", options->check, "TEXT",
                "only the checks with this in their name, in this process (for debuggers)");
    verb.without_profile([options](Command& command) { return verify(command, *options); });
}

}  // namespace openarchiver::cli
