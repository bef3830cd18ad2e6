#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/archive.hpp"
#include "catalog/event.hpp"
#include "verify/report.hpp"

namespace openarchiver::verify {

/// One writer's log, read from its first segment to the last one that there was at the start.
/// What is wrong with it becomes findings, and reading goes on behind.
class WriterLog {
public:
    static sdk::Result<WriterLog> open(archive::Archive& archive, std::string writer,
                                       std::stop_token stop);

    struct Step {
        sdk::Timestamp created_at;  ///< never before that of an earlier one
        archive::LogPosition position;
        std::vector<catalog::EventGroup> groups;
        std::set<archive::KeyId> missing_keys;  ///< of blocks that can't be opened
    };

    /// The next segment that can be read; nothing at the end.
    sdk::Result<std::optional<Step>> next(std::vector<Finding>& findings, std::stop_token stop);

    [[nodiscard]] const std::string& writer() const { return writer_; }

    /// Where reading stands.
    [[nodiscard]] const archive::LogPosition& position() const { return last_; }

    [[nodiscard]] std::uint64_t segments() const { return segments_; }

private:
    WriterLog(archive::Archive& archive, std::string writer)
        : archive_(&archive), writer_(std::move(writer)) {}

    sdk::Result<Step> check(std::string_view object, std::uint64_t sequence,
                            std::vector<Finding>& findings);

    archive::Archive* archive_;
    std::string writer_;
    std::vector<std::uint64_t> sequences_;  // that there are, in order
    std::size_t next_ = 0;
    std::uint64_t segments_ = 0;
    sdk::Timestamp latest_{};
    archive::LogPosition last_;
    bool last_is_good_ = true;  // its digest is one that the next segment must name
};

}  // namespace openarchiver::verify
