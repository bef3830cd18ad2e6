#pragma once

#include <optional>
#include <string>
#include <string_view>

/// File names are bytes, ids and texts of the model are UTF-8.
namespace openarchiver::mailfiles {

/// Ids: control characters, `%` and bytes that are no UTF-8 become `%XX`; reversible.
[[nodiscard]] std::string escape_id(std::string_view bytes);
[[nodiscard]] std::optional<std::string> unescape_id(std::string_view id);

/// Display names: as escape_id(), but `%` stays as it is; for people only.
[[nodiscard]] std::string display_text(std::string_view bytes);

/// A level of a Maildir++ name: IMAP servers write it in modified UTF-7 ("Entw&APw-rfe"), some in
/// UTF-8, which stays as it is.
[[nodiscard]] std::string maildir_level_name(std::string_view level);

/// The name of a file in `cur` or `new` without its flags: what stays the same as long as the
/// message lives.
[[nodiscard]] std::string_view maildir_unique_name(std::string_view file_name) noexcept;

[[nodiscard]] std::string join_path(std::string_view folder, std::string_view name);

/// Whether `path` has only plain segments: not empty, `.` or `..`, no NUL.
[[nodiscard]] bool is_plain_relative_path(std::string_view path) noexcept;

}  // namespace openarchiver::mailfiles
