#pragma once

#include <boost/json/value.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// How a schema is read and how what it says is put into words.
namespace openarchiver::profile {

[[nodiscard]] std::string in_quotes(std::string_view text);
[[nodiscard]] std::string joined(const std::vector<std::string>& words,
                                 std::string_view last_separator);

/// A text or a list of texts in a schema; empty where there is none.
[[nodiscard]] std::string_view text_in(const boost::json::object& schema, std::string_view key);
[[nodiscard]] std::vector<std::string> texts_in(const boost::json::object& schema,
                                                std::string_view key);
/// A count in a schema; absent where the schema does not set this limit.
[[nodiscard]] std::optional<std::size_t> limit_in(const boost::json::object& schema,
                                                  std::string_view key);

/// What a value at this place is for, in the schema's own words; may be empty.
[[nodiscard]] std::string_view help_of(const boost::json::object& schema);

/// "a whole number" for "integer".
[[nodiscard]] std::string_view type_name(std::string_view type);
/// The schema's name for the type of a value.
[[nodiscard]] std::string_view type_of(const boost::json::value& value);
[[nodiscard]] std::vector<std::string> types_in(const boost::json::object& schema);
[[nodiscard]] bool type_fits(const boost::json::object& schema, const boost::json::value& value);

/// The keys of a branch that asks for nothing but the presence of keys; else empty.
[[nodiscard]] std::vector<std::string> required_only(const boost::json::value& branch);

[[nodiscard]] std::size_t characters(std::string_view utf8);
/// Exact for all numbers of JSON texts that are integers; 0 for what is no number.
[[nodiscard]] long double number_of(const boost::json::value& value);

}  // namespace openarchiver::profile
