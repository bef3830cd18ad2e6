#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/archive.hpp"
#include "catalog/catalog_writer.hpp"
#include "evidence/head.hpp"
#include "verify/report.hpp"

namespace openarchiver::verify {

/// The heads of an archive against its log and its keyring, and against a head kept elsewhere.
class HeadCheck {
public:
    /// Reads the heads that there are. `kept` is the note of a kept one, `known` of the last one
    /// that the catalog knows. invalid_argument: `kept` is no head of this archive.
    static sdk::Result<HeadCheck> open(archive::Archive& archive,
                                       const std::optional<std::string>& kept,
                                       const std::optional<std::string>& known, Report& report,
                                       const std::stop_token& stop);

    /// Called for each segment of the log that can be read.
    void segment(const std::string& writer, const archive::LogPosition& position);
    /// ... and with the last position of each writer, once all were.
    void end_of_log(const std::string& writer, const archive::LogPosition& last);
    /// Recomputes the tree for each head, in a catalog that has all segments applied and no heads.
    sdk::Status tree(catalog::CatalogWriter& replayed, const std::stop_token& stop);

private:
    /// What a head says of a segment.
    struct Claim {
        std::string writer;
        archive::LogPosition position;
        std::uint64_t head = 0;
        bool kept = false;
    };

    HeadCheck(archive::Archive& archive, Report& report) : archive_(&archive), report_(&report) {}

    sdk::Status read_all(const std::stop_token& stop);
    sdk::Status read_timestamps(const std::stop_token& stop);
    sdk::Status compare_known(const std::string& note, std::stop_token stop);
    sdk::Status compare_kept(const std::string& note, std::stop_token stop);
    sdk::Status compare_keyring(std::uint64_t generation, std::stop_token stop);
    void damaged(const std::string& object, std::string message);
    [[nodiscard]] static std::string name_of(const Claim& claim);

    archive::Archive* archive_;
    Report* report_;
    std::vector<Claim> claims_;  // by writer and sequence
    std::uint64_t last_ = 0;     // number of the last good head
    bool sound_ = true;          // all heads that there are
};

}  // namespace openarchiver::verify
