#pragma once

#include <cstddef>
#include <openarchiver/sdk/model.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// Names of exported files and folders (docs/export.md, Names).
namespace openarchiver::exporter {

/// An escaped name is at most this long: room is left below the 255 bytes that file systems take.
inline constexpr std::size_t kMaxName = 200;
/// Escaped names of one path add up to at most this, separators included.
inline constexpr std::size_t kMaxPath = 900;

/// A name that every common file system can hold, different for different names. `also_escaped`:
/// further ASCII characters that mean something where the name goes.
[[nodiscard]] std::string escape_name(std::string_view name, std::string_view also_escaped = {});

/// Escaped names joined by '/'. The end of a path that is too long becomes one name with a hash.
/// No name ends with `reserved_suffix`, in upper or lower case: files beside have it.
[[nodiscard]] std::string escape_path(std::span<const std::string> names,
                                      std::string_view reserved_suffix = {});

/// An escaped name of any length, cut to kMaxName with a hash of the whole instead of its end.
[[nodiscard]] std::string shorten(std::string escaped);

/// "20260928T210310Z"
[[nodiscard]] std::string compact_time(sdk::Timestamp time);

/// Whether a relative path, as manifests have it, stays below its folder.
[[nodiscard]] bool is_safe_relative(std::string_view path);

}  // namespace openarchiver::exporter
