#pragma once

#include <boost/json/value.hpp>
#include <cstdint>
#include <string>
#include <string_view>

/// Reads the program's own documents to show them to people; what is missing or of another type is
/// empty.
namespace openarchiver::cli {

[[nodiscard]] boost::json::value parse_document(std::string_view json_text);

/// null where there is none.
[[nodiscard]] const boost::json::value& member(const boost::json::value& object,
                                               std::string_view name);
[[nodiscard]] const boost::json::array& list_of(const boost::json::value& object,
                                                std::string_view name);
[[nodiscard]] std::string text_of(const boost::json::value& object, std::string_view name);
[[nodiscard]] std::uint64_t number_of(const boost::json::value& object, std::string_view name);
[[nodiscard]] double decimal_of(const boost::json::value& object, std::string_view name);
[[nodiscard]] bool truth_of(const boost::json::value& object, std::string_view name);
/// The error of an account or folder in one line: message, code, request id; empty for none.
[[nodiscard]] std::string error_of(const boost::json::value& object);
/// A list of texts, joined by '/': a folder's path.
[[nodiscard]] std::string path_of(const boost::json::value& object, std::string_view name);
/// "2026-03-01 14:05:09" of an ISO time; `otherwise` where there is none.
[[nodiscard]] std::string time_of(const boost::json::value& object, std::string_view name,
                                  std::string_view otherwise = "never");

}  // namespace openarchiver::cli
