#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "cli/verbs.hpp"

/// What the program can tell of its own command line: completions for shells, a manual page.
namespace openarchiver::cli {

namespace {

std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
    return app.get_subcommands([](const CLI::App*) { return true; });
}

std::string path_of(const CLI::App& app) {
    const CLI::App* const parent = app.get_parent();
    return parent == nullptr ? app.get_name() : path_of(*parent) + " " + app.get_name();
}

template <typename Visit>
void visit_all(const CLI::App& app, const Visit& visit) {
    visit(app);
    for (const CLI::App* const verb : verbs_of(app)) {
        visit_all(*verb, visit);
    }
}

std::vector<std::string> option_names(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::Option* const option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            names.push_back("--" + name);
        }
    }
    return names;
}

/// zsh understands it, too, with bashcompinit.
std::string bash_completion(const CLI::App& program) {
    std::string steps;
    std::string words;
    const std::vector<std::string> everywhere = option_names(program);
    visit_all(program, [&](const CLI::App& app) {
        std::string line;
        for (const CLI::App* const verb : verbs_of(app)) {
            line += verb->get_name() + " ";
            steps += (steps.empty() ? "            " : " | \\\n            ") + std::string("\"") +
                     path_of(*verb) + "\"";
        }
        std::vector<std::string> options = option_names(app);
        if (app.get_parent() != nullptr) {
            options.insert(options.end(), everywhere.begin(), everywhere.end());
        }
        for (const std::string& option : options) {
            line += option + " ";
        }
        line.pop_back();
        words += "        \"" + path_of(app) + "\") words=\"" + line + "\" ;;\n";
    });
    return "_openarchiver() {\n"
           "    local path=openarchiver word words=\n"
           "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
           "        case \"$path $word\" in\n" +
           steps +
           ") path+=\" $word\" ;;\n"
           "        esac\n"
           "    done\n"
           "    case \"$path\" in\n" +
           words +
           "    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
           "}\n"
           "complete -o default -F _openarchiver openarchiver\n";
}

std::string quoted_for_fish(std::string_view text) {
    std::string quoted = "'";
    for (const char c : text) {
        if (c == '\'' || c == '\\') {
            quoted += '\\';
        }
        quoted += c;
    }
    return quoted + "'";
}

std::string fish_completion(const CLI::App& program) {
    std::string text;
    visit_all(program, [&](const CLI::App& app) {
        std::string others;
        for (const CLI::App* const verb : verbs_of(app)) {
            others += " " + verb->get_name();
        }
        std::string condition = "__fish_use_subcommand";
        if (app.get_parent() != nullptr) {
            condition.clear();
            for (const CLI::App* at = &app; at->get_parent() != nullptr; at = at->get_parent()) {
                condition = "__fish_seen_subcommand_from " + at->get_name() +
                            (condition.empty() ? "" : "; and " + condition);
            }
            if (!others.empty()) {
                condition += "; and not __fish_seen_subcommand_from" + others;
            }
        }
        for (const CLI::App* const verb : verbs_of(app)) {
            text += "complete -c openarchiver -f -n " + quoted_for_fish(condition) + " -a " +
                    verb->get_name() + " -d " + quoted_for_fish(verb->get_description()) + "\n";
        }
        for (const CLI::Option* const option : app.get_options()) {
            for (const std::string& name : option->get_lnames()) {
                text += "complete -c openarchiver " +
                        (app.get_parent() == nullptr ? std::string()
                                                     : "-n " + quoted_for_fish(condition) + " ") +
                        "-l " + name + (option->get_expected_min() > 0 ? " -r" : "") + " -d " +
                        quoted_for_fish(option->get_description()) + "\n";
            }
        }
    });
    return text;
}

/// roff(7): a backslash, and a dot or quote at the beginning of a line, mean something.
std::string roff(std::string_view text) {
    std::string escaped;
    bool begin = true;
    for (const char c : text) {
        if (begin && (c == '.' || c == '\'')) {
            escaped += "\\&";
        }
        escaped += c == '\\' ? std::string("\\e") : c == '-' ? "\\-" : std::string(1, c);
        begin = c == '\n';
    }
    return escaped;
}

void add_options(const CLI::App& app, std::string& page) {
    for (const CLI::Option* const option : app.get_options()) {
        std::string names;
        for (const std::string& name : option->get_lnames()) {
            names += (names.empty() ? "" : ", ") + std::string("\\fB") + roff("--" + name) + "\\fR";
        }
        if (app.get_parent() != nullptr && option->check_lname("help")) {
            continue;
        }
        if (names.empty()) {
            names = "\\fI" + roff(option->get_name(true)) + "\\fR";
        } else if (option->get_expected_min() > 0) {
            names += " \\fI" + roff(option->get_option_text()) + "\\fR";
        }
        page += ".TP\n" + names + "\n" + roff(option->get_description()) + "\n";
    }
}

std::string manual_page(const CLI::App& program) {
    std::string page =
        ".TH OPENARCHIVER 1\n.SH NAME\nopenarchiver \\- archives an organisation's mail\n"
        ".SH SYNOPSIS\n.B openarchiver\n[\\fIOPTIONS\\fR] \\fIVERB\\fR [\\fIOPTIONS\\fR]\n"
        ".SH DESCRIPTION\n" +
        roff(program.get_description()) +
        " What is archived, and where, says a profile, a JSON file.\n.SH OPTIONS\n";
    add_options(program, page);
    page += ".SH VERBS\n";
    visit_all(program, [&](const CLI::App& app) {
        if (app.get_parent() != nullptr && verbs_of(app).empty()) {
            page += ".SS " + roff(path_of(app)) + "\n" + roff(app.get_description()) + "\n";
            add_options(app, page);
        }
    });
    return page +
           ".SH EXIT STATUS\n.TP\n0\nAll done.\n.TP\n1\nDone, but some accounts, folders or items "
           "failed; they are tried again next time.\n.TP\n2\nThe usage or the profile is wrong: "
           "nothing was started.\n.TP\n3\nThe upstream service refused authentication or a "
           "permission.\n.TP\n4\nThe storage or the catalog is unavailable, full, or of a newer "
           "format.\n.TP\n5\nVerification found damage.\n.TP\n6\nThe archive is in use by another "
           "engine.\n.TP\n7\nThe upstream service can't be reached.\n"
           ".SH FILES\n.TP\nopenarchiver.json\nThe profile, in the folder that it is called in; "
           "else \\fB\\-\\-profile\\fR or the variable OPENARCHIVER_PROFILE name it.\n";
}

}  // namespace

void register_completion(Verb& program) {
    Verb completion =
        program.verb("completion", "Prints a completion script for a shell, to be sourced.");
    completion.verb("bash", "For bash: source <(openarchiver completion bash)")
        .describing(bash_completion);
    completion.verb("zsh", "For zsh: source <(openarchiver completion zsh)")
        .describing([](const CLI::App& app) {
            return "autoload -U +X bashcompinit && bashcompinit\n" + bash_completion(app);
        });
    completion.verb("fish", "For fish: openarchiver completion fish | source")
        .describing(fish_completion);
    program.verb("manual", "Prints the manual page: openarchiver manual | man -l -")
        .describing(manual_page);
}

}  // namespace openarchiver::cli
