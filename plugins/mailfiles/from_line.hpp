#pragma once

#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <string_view>

/// The lines that separate the messages of an mbox (RFC 4155, appendix A): "From ", who sent it,
/// and when it was delivered: "From ada@example.org Fri Jul  8 12:08:34 2011".
namespace openarchiver::mailfiles {

/// What a "From " line ends with, in its usual forms: a month by its English name, a time of day
/// and a year, in any order; of the zone only "+0200" counts. Nothing: the line has no date, as a
/// line of a text that begins with "From ".
[[nodiscard]] std::optional<sdk::Timestamp> date_of_from_line(std::string_view line);

[[nodiscard]] bool begins_with_from(std::string_view line) noexcept;

/// `>From `, with any number of `>`, but at least one.
[[nodiscard]] bool is_quoted_from(std::string_view line) noexcept;

/// Without "\n" or "\r\n" at its end.
[[nodiscard]] std::string_view without_line_end(std::string_view line) noexcept;

}  // namespace openarchiver::mailfiles
