#pragma once

#include <cstddef>
#include <openarchiver/sdk/model.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "archive/digest.hpp"

/// How heads, statements and proofs write values. Each value has one form only: what parses and
/// does not come out the same was changed.
namespace openarchiver::evidence {

/// RFC 4648, section 4, with padding.
[[nodiscard]] std::string to_base64(std::span<const std::byte> bytes);
[[nodiscard]] std::optional<std::vector<std::byte>> from_base64(std::string_view text);

/// "2026-03-01T14:05:09.120Z"
[[nodiscard]] std::string time_text(sdk::Timestamp time);
[[nodiscard]] std::optional<sdk::Timestamp> time_from(std::string_view text);

[[nodiscard]] std::optional<std::uint64_t> number_from(std::string_view text);

/// Bytes that are not printable ASCII, spaces and "%" as "%" and two upper-case hexadecimal digits.
[[nodiscard]] std::string percent_encoded(std::string_view text);
[[nodiscard]] std::optional<std::string> percent_decoded(std::string_view text);

/// Takes the text up to the next line feed out of `rest`; absent where there is none.
[[nodiscard]] std::optional<std::string_view> take_line(std::string_view& rest);
/// Takes "NAME VALUE" off `rest` and returns the value.
[[nodiscard]] std::optional<std::string_view> take_value(std::string_view& rest,
                                                         std::string_view name);

}  // namespace openarchiver::evidence
