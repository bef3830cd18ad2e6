#pragma once

#include <openarchiver/sdk/host.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::subprocess {

/// Takes the source's secrets out of what a program says.
class Redaction {
public:
    explicit Redaction(std::vector<std::string> secrets) : secrets_(std::move(secrets)) {}

    [[nodiscard]] std::string operator()(std::string_view text) const;

private:
    std::vector<std::string> secrets_;
};

/// Makes log lines of what a program writes to standard error, whatever that is: at most 2 KiB of
/// each line, in printable ASCII. How many lines there may be is the host's matter.
class ErrorLines {
public:
    ErrorLines(sdk::Logger& logger, const Redaction& redaction)
        : logger_(logger), redaction_(redaction) {}

    void take(std::string_view bytes);
    /// The last line may lack its end.
    void flush();

private:
    sdk::Logger& logger_;
    const Redaction& redaction_;
    std::string line_;
    bool cut_ = false;
};

}  // namespace openarchiver::subprocess
