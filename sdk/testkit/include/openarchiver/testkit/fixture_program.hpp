#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <openarchiver/sdk/result.hpp>
#include <openarchiver/testkit/provider_checks.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::testkit {

/// A fixture program: it makes an upstream (or a store) for one check, and changes it on request.
/// Any program will do that speaks lines of text:
///
///     → start                      make a fresh upstream
///     ← config {"root": "/tmp/x"}  how the plugin is configured, without secrets, in one line
///     ← secret /token VALUE        a secret of the configuration, by JSON pointer
///     ← change item_added a ticket is opened
///     ← unknown item|folder|account ID     a well-formed id that is not there
///     ← ready
///     → apply a ticket is opened
///     ← done                       or: failed REASON
///
/// `config`, `secret`, `change` and `unknown` may be left out; `change` and `unknown` may come more
/// than once, at most one `unknown` of a kind and id. What a change does (its first word) is one of
/// Effect's names. The end of its input means: remove what was made, and exit. Standard error is
/// shown as it is. The program is started anew for every check, by /bin/sh.
class FixtureProgram {
public:
    /// Starts `command` and reads its answer to `start`; waits for each answer at most a minute.
    static sdk::Result<std::unique_ptr<FixtureProgram>> start(const std::string& command);

    FixtureProgram(const FixtureProgram&) = delete;
    FixtureProgram& operator=(const FixtureProgram&) = delete;
    /// Ends the program: by the end of its input, after five seconds by a signal.
    ~FixtureProgram();

    /// Empty: it said nothing of a configuration.
    [[nodiscard]] const std::string& config() const noexcept { return config_; }

    [[nodiscard]] const std::map<std::string, std::string, std::less<>>& secrets() const noexcept {
        return secrets_;
    }

    struct Change {
        Effect effect = Effect::nothing;
        std::string name;
    };

    [[nodiscard]] const std::vector<Change>& changes() const noexcept { return changes_; }

    /// Ids by kind: "item", "folder", "account".
    [[nodiscard]] const std::map<std::string, std::vector<std::string>, std::less<>>& unknown()
        const noexcept {
        return unknown_;
    }

    sdk::Status apply(std::string_view change);

private:
    explicit FixtureProgram(std::string command) : command_(std::move(command)) {}

    sdk::Status launch();
    sdk::Status say(std::string_view line) const;
    sdk::Result<std::string> hear();
    sdk::Status take(const std::string& line);
    [[nodiscard]] sdk::Error failed(const std::string& what) const;

    std::string command_;
    pid_t process_ = -1;
    int to_ = -1;
    int from_ = -1;
    std::string heard_;
    std::string config_;
    std::map<std::string, std::string, std::less<>> secrets_;
    std::vector<Change> changes_;
    std::map<std::string, std::vector<std::string>, std::less<>> unknown_;
};

}  // namespace openarchiver::testkit
