#include <algorithm>
#include <boost/json.hpp>
#include <iterator>
#include <utility>

#include "cli/verbs.hpp"

namespace openarchiver::cli {

namespace {

namespace json = boost::json;

std::string document_of(const std::string& file, const std::vector<profile::Problem>& problems,
                        bool valid) {
    json::array list;
    for (const profile::Problem& problem : problems) {
        list.push_back(json::parse(problem_document(problem)));
    }
    return json::serialize(
        json::object{{"profile", file}, {"valid", valid}, {"problems", std::move(list)}});
}

Outcome check(Command& command) {
    const Outcome loaded = command.load();
    if (command.problems().empty() && loaded.error) {
        return loaded;  // there is no profile to check
    }
    std::vector<profile::Problem> problems = command.problems();
    bool valid = !loaded.error;
    if (valid) {
        for (profile::Problem& problem : profile::check_secrets(command.profile())) {
            command.announce(profile::to_text(problem));
            valid = valid && problem.severity != profile::Severity::error;
            problems.push_back(std::move(problem));
        }
    }
    const std::string file = command.globals().profile.string();
    if (command.json()) {
        command.document(document_of(file, problems, valid));
    } else if (valid) {
        command.print(problems.empty() ? file + ": the profile is valid\n"
                                       : file + ": the profile is valid, with warnings\n");
    }
    if (!valid) {
        return {
            Origin::profile,
            {.code = sdk::Errc::invalid_config, .message = "the profile " + file + " has errors"}};
    }
    return ExitCode::done;
}

Outcome schema(Command& command) {
    command.document(profile::profile_schema(&command.load_plugins()));
    return ExitCode::done;
}

}  // namespace

void register_profile(Verb& program) {
    Verb profile = program.verb("profile", "The profile.");
    profile
        .verb("check",
              "Validates the profile and its secrets; reports every problem with its place.")
        .without_profile(check);
    profile.verb("schema", "Prints the JSON Schema of profiles, with the plugins' parts in it.")
        .without_profile(schema);
}

}  // namespace openarchiver::cli
