#pragma once

#include <boost/json.hpp>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "support/program.hpp"

namespace program_test {

/// Mail files, and the archive that the program makes of them in three syncs.
class ArchivedMail {
public:
    static constexpr const char* kAccount = "alice@example.org";

    /// `messages`: small ones beside the odd ones.
    explicit ArchivedMail(int messages = 60);

    [[nodiscard]] Ended run(const std::vector<std::string>& arguments) const;
    /// The document of a verb that must end with this exit code.
    boost::json::value document(const std::vector<std::string>& arguments, int exit_code) const;
    void sync() const;

    [[nodiscard]] const std::filesystem::path& folder() const { return folder_.path(); }

    [[nodiscard]] const std::filesystem::path& profile() const { return profile_; }

    [[nodiscard]] std::filesystem::path catalog() const { return folder() / "catalog/catalog.db"; }

    /// Objects of the store by key, those whose key begins with `prefix`.
    [[nodiscard]] std::map<std::string, std::filesystem::path> objects(
        std::string_view prefix) const;

    /// Every content that was ever there, by its SHA-256: what each must be, bit for bit.
    [[nodiscard]] const std::map<std::string, std::string>& contents() const { return contents_; }

    [[nodiscard]] std::size_t versions() const { return versions_; }

    void put_message(const std::string& path, const std::string& text);

private:
    TemporaryFolder folder_;
    std::filesystem::path profile_;
    std::map<std::string, std::string> contents_;
    std::size_t versions_ = 0;
};

std::string sha256_hex(std::string_view text);
/// Changes one bit in the middle of `file`, or at `offset`.
void flip_bit(const std::filesystem::path& file);
void flip_bit(const std::filesystem::path& file, std::uint64_t offset);

/// Runs statements on a SQLite file.
void edit_database(const std::filesystem::path& file, const std::string& sql);
std::string query_database(const std::filesystem::path& file, const std::string& sql);

}  // namespace program_test
