#include "verify/writer_log.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "archive/digest.hpp"
#include "archive/object_io.hpp"

namespace openarchiver::verify {

using archive::LogPosition;
using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr std::uint64_t kMaxSegmentSize = std::uint64_t{256} << 20;

class SequenceSink final : public sdk::ObjectListSink {
public:
    SequenceSink(const std::string& writer, std::vector<std::uint64_t>& sequences)
        : writer_(writer), sequences_(sequences) {}

    bool object(const sdk::ObjectInfo& info) override {
        const std::string_view key = info.key;
        const auto digits = key.substr(key.rfind('/') + 1);
        std::uint64_t sequence = 0;
        std::from_chars(digits.data(), digits.data() + digits.size(), sequence);
        if (archive::segment_key(writer_, sequence) == key) {
            sequences_.push_back(sequence);
        }
        return true;
    }

private:
    const std::string& writer_;
    std::vector<std::uint64_t>& sequences_;
};

}  // namespace

Result<WriterLog> WriterLog::open(archive::Archive& archive, std::string writer,
                                  std::stop_token stop) {
    WriterLog log(archive, std::move(writer));
    SequenceSink sink(log.writer_, log.sequences_);
    OPENARCHIVER_CHECK(archive.store().list("log/" + log.writer_ + "/", "", sink, std::move(stop)));
    return log;
}

/// corrupt: the segment is damaged in itself. What its `previous` says about the one before it
/// becomes a finding.
Result<WriterLog::Step> WriterLog::check(std::string_view object, std::uint64_t sequence,
                                         std::vector<Finding>& findings) {
    OPENARCHIVER_TRY(const auto segment, archive::decode_segment(object, archive_->keyring()));
    if (segment.writer != writer_ || segment.sequence != sequence) {
        return Error{.code = Errc::corrupt,
                     .message = "it holds segment " + std::to_string(segment.sequence) +
                                " of writer " + segment.writer + ": objects were exchanged"};
    }
    if (last_is_good_ && last_.sequence + 1 == sequence && segment.previous != last_.digest) {
        findings.push_back(
            {.kind = FindingKind::segment_damaged,
             .object = archive::segment_key(writer_, sequence == 1 ? 1 : sequence - 1),
             .message = "the chain is broken: segment " + std::to_string(sequence) +
                        " follows one with the SHA-256 " + archive::to_hex(segment.previous) +
                        ", but the one before it has " + archive::to_hex(last_.digest) +
                        ": one of them was replaced"});
    }
    // A clock that went back does not change a writer's own order.
    latest_ = std::max(latest_, segment.created_at);
    Step step{.created_at = latest_, .position = {}, .groups = {}, .missing_keys = {}};
    for (const auto& block : segment.blocks) {
        if (!block.forgotten) {
            OPENARCHIVER_TRY(auto group, catalog::decode(block.events));
            step.groups.push_back(std::move(group));
        } else {
            step.missing_keys.insert(block.key.id);
        }
    }
    return step;
}

Result<std::optional<WriterLog::Step>> WriterLog::next(std::vector<Finding>& findings,
                                                       std::stop_token stop) {
    while (next_ < sequences_.size()) {
        const std::uint64_t sequence = sequences_[next_++];
        if (sequence != last_.sequence + 1) {
            const bool one = sequence == last_.sequence + 2;
            findings.push_back(
                {.kind = FindingKind::segment_missing,
                 .object = archive::segment_key(writer_, last_.sequence + 1),
                 .message = (one ? "the segment is missing"
                                 : "segments " + std::to_string(last_.sequence + 1) + " to " +
                                       std::to_string(sequence - 1) + " are missing") +
                            std::string(", though later ones are there: bring it back from a copy "
                                        "of the archive; until then a rebuild ends before it")});
            last_is_good_ = false;
        }
        const std::string key = archive::segment_key(writer_, sequence);
        auto object = archive::read_object(archive_->store(), key, kMaxSegmentSize, stop);
        if (!object && object.error().code != Errc::corrupt) {
            return object.error();
        }
        Result<Step> step = object ? check(*object, sequence, findings) : object.error();
        if (!step && step.error().code != Errc::corrupt) {
            step.error().message = "object " + key + ": " + step.error().message;
            return step.error();
        }
        ++segments_;
        last_.sequence = sequence;
        last_is_good_ = step.has_value();
        if (object) {
            last_.digest = archive::sha256(*object);
        }
        if (step) {
            step->position = last_;
            return std::optional(std::move(*step));
        }
        findings.push_back({.kind = FindingKind::segment_damaged,
                            .object = key,
                            .message = step.error().message +
                                       "; bring the object back from a copy of the archive"});
    }
    return std::optional<Step>();
}

}  // namespace openarchiver::verify
