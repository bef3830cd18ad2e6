#pragma once

#include <filesystem>
#include <string>

/// Makes mail files as other programs do.
namespace openarchiver::tests {

/// A message of its own, with CRLF.
std::string message(const std::string& name);

void write_file(const std::filesystem::path& path, const std::string& bytes);

/// A Maildir without messages.
void make_maildir(const std::filesystem::path& path);

/// Delivers to `new`; returns the file.
std::filesystem::path deliver(const std::filesystem::path& maildir, const std::string& name);

/// A message that a client has seen: in `cur`, with flags.
std::filesystem::path deliver_seen(const std::filesystem::path& maildir, const std::string& name,
                                   const std::string& flags);

}  // namespace openarchiver::tests
