#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <openarchiver/sdk/result.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::mailfiles {

/// How an mbox tells where a message ends, and what it did to lines that begin with "From ". Two
/// separate by "From " lines and put a `>` before such lines of a message: mboxo before "From "
/// only, so that nobody can tell afterwards which `>` was there before, mboxrd before ">From " as
/// well, which can be undone. Two give the length of the body in Content-Length: mboxcl quotes as
/// mboxo does, mboxcl2 does not quote.
enum class MboxDialect : std::uint8_t { automatic, mboxo, mboxrd, mboxcl, mboxcl2 };

struct Settings {
    /// Absolute, normal, without '/' at the end.
    std::vector<std::string> paths = {};
    /// Empty: see layout.hpp.
    std::string account = {};
    MboxDialect mbox_dialect = MboxDialect::automatic;
    bool watch = true;
    /// A file that was written to more recently is not complete yet.
    std::chrono::seconds settle{1};
    /// What an archive or a PST may unpack to.
    std::uint64_t unpacked_bytes = std::uint64_t{64} << 30U;
    std::string readpst = "readpst";
    std::chrono::seconds readpst_time{3600};
    std::uint64_t readpst_memory = std::uint64_t{2} << 30U;
};

/// The JSON Schema of the source's configuration.
[[nodiscard]] std::string_view settings_schema();

sdk::Result<Settings> parse_settings(std::string_view config_json,
                                     const std::filesystem::path& profile_folder);

}  // namespace openarchiver::mailfiles
