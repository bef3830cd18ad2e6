// mutants provider|storage [NAME]: runs the suite on each mutant, or on one with all its findings.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "mutants.hpp"

namespace {

using namespace openarchiver;

std::vector<testkit::Verdict> failed(std::vector<testkit::Verdict> verdicts) {
    std::erase_if(verdicts, [](const testkit::Verdict& verdict) { return verdict.passed(); });
    return verdicts;
}

void print(const std::vector<testkit::Verdict>& verdicts) {
    for (const testkit::Verdict& verdict : verdicts) {
        std::printf("%s\n%s", verdict.promise.name.c_str(), verdict.detail().c_str());
    }
}

/// Whether the suite judges rightly: of the sound plugin that it is, of a mutant why it is not.
bool judge(const tests::Mutant& mutant, tests::Run suite) {
    const auto found = failed(suite(mutant.name));
    const bool right =
        mutant.name.empty()
            ? found.empty()
            : std::ranges::any_of(found, [&](const testkit::Verdict& verdict) {
                  return verdict.promise.name.find(mutant.caught_by) != std::string::npos;
              });
    std::printf("%s  %s: %s\n", right ? "right" : "WRONG", std::string(mutant.name).c_str(),
                std::string(mutant.mistake).c_str());
    if (!right) {
        print(found);
    }
    return right;
}

/// Each in a process of its own, some at a time: most of a suite is waiting.
int run(std::vector<tests::Mutant> mutants, tests::Run suite) {
    constexpr std::size_t kAtATime = 8;
    mutants.insert(mutants.begin(), {"", "the sound plugin", ""});
    std::size_t wrong = 0;
    std::size_t running = 0;
    const auto reap = [&] {
        int status = 0;
        ::wait(&status);
        --running;
        wrong += WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : 1;
    };
    for (const tests::Mutant& mutant : mutants) {
        if (running == kAtATime) {
            reap();
        }
        if (::fork() == 0) {
            const bool right = judge(mutant, suite);
            std::fflush(stdout);
            ::_exit(right ? 0 : 1);
        }
        ++running;
    }
    while (running > 0) {
        reap();
    }
    std::printf("%zu mutants and a sound one, %zu judged wrongly\n", mutants.size() - 1, wrong);
    return wrong == 0 ? 0 : 1;
}

}  // namespace

testkit::Verdict tests::verdict_of(const testkit::ConformanceCheck& check) {
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) {
        std::abort();
    }
    const pid_t child = ::fork();
    if (child == 0) {
        ::alarm(60);
        const testkit::Verdict verdict = check.run();
        for (const testkit::Finding& finding : verdict.findings) {
            const std::string line = finding.expected + "; seen: " + finding.seen + "\n";
            if (::write(pipe[1], line.data(), line.size()) < 0) {
                break;
            }
        }
        ::_exit(verdict.passed() ? 0 : 1);
    }
    ::close(pipe[1]);
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t count = 0; (count = ::read(pipe[0], buffer.data(), buffer.size())) > 0;) {
        text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    ::close(pipe[0]);
    int status = 0;
    ::waitpid(child, &status, 0);
    testkit::Verdict verdict{.promise = check.promise, .findings = {}};
    if (!WIFEXITED(status)) {
        verdict.findings.push_back({"the process lives on", ::strsignal(WTERMSIG(status))});
    } else if (WEXITSTATUS(status) != 0) {
        verdict.findings.push_back({text, ""});
    }
    return verdict;
}

int main(int count, char** arguments) {
    std::setvbuf(stdout, nullptr, _IOLBF, 0);
    const std::string kind = count > 1 ? arguments[1] : "";
    if (kind != "provider" && kind != "storage") {
        std::fprintf(stderr, "mutants provider|storage [NAME]\n");
        return 2;
    }
    const tests::Run suite = kind == "provider" ? tests::run_provider : tests::run_storage;
    if (count > 2) {
        print(failed(suite(arguments[2])));
        return 0;
    }
    return run(kind == "provider" ? tests::provider_mutants() : tests::storage_mutants(), suite);
}
