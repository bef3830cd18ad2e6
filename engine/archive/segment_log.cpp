#include <algorithm>
#include <utility>

#include "archive/object_io.hpp"
#include "archive/segment.hpp"

namespace openarchiver::archive {

namespace {

constexpr std::string_view kLogPrefix = "log/";
constexpr std::uint64_t kMaxSegmentSize = 256U << 20;

// Equal exactly for the same blocks under the same keys.
Digest digest_of(const std::vector<EventBlock>& blocks) {
    Sha256 digest;
    for (const EventBlock& block : blocks) {
        digest.update(block.key.id);
        digest.update(sha256(block.events));
    }
    return digest.finish();
}

// How far a log goes without a gap, and how much lies beyond: two numbers, however long it is.
class RunSink final : public sdk::ObjectListSink {
public:
    RunSink(std::string_view writer, std::uint64_t last) : writer_(writer), last_(last) {}

    bool object(const sdk::ObjectInfo& info) override {
        const auto name = parse_segment_key(info.key);
        const std::uint64_t sequence = name && name->writer == writer_ ? name->sequence : 0;
        if (sequence == last_ + 1 && beyond_ == 0) {
            last_ = sequence;
        } else if (sequence > last_) {
            ++beyond_;
        }
        return true;
    }

    [[nodiscard]] std::uint64_t last() const { return last_; }

    [[nodiscard]] std::uint64_t beyond() const { return beyond_; }

private:
    std::string_view writer_;
    std::uint64_t last_;
    std::uint64_t beyond_ = 0;
};

class FirstKeySink final : public sdk::ObjectListSink {
public:
    bool object(const sdk::ObjectInfo& info) override {
        key_ = info.key;
        return false;
    }

    [[nodiscard]] const std::string& key() const { return key_; }

private:
    std::string key_;
};

sdk::Error in_object(sdk::Error error, std::string_view key) {
    error.message = "object " + std::string(key) + ": " + error.message;
    return error;
}

}  // namespace

SegmentLog::SegmentLog(sdk::ObjectStore& store, const Keyring& keyring)
    : store_(store), keyring_(keyring) {}

sdk::Result<LogPosition> SegmentLog::append(std::string_view writer, const LogPosition& position,
                                            std::vector<EventBlock> blocks, sdk::Timestamp now,
                                            std::stop_token stop) {
    return append_segment(Segment{.writer = std::string(writer),
                                  .sequence = position.sequence + 1,
                                  .previous = position.digest,
                                  .created_at = std::max(now, earliest_),
                                  .blocks = std::move(blocks)},
                          std::move(stop));
}

sdk::Result<LogPosition> SegmentLog::append_segment(Segment segment, std::stop_token stop) {
    const std::string key = segment_key(segment.writer, segment.sequence);
    const Digest plain = digest_of(segment.blocks);
    if (!unsettled_ || unsettled_->key != key || unsettled_->previous != segment.previous) {
        unsettled_ = Unsettled{
            .key = key, .previous = segment.previous, .attempts = {}, .object = {}, .plain = {}};
    }
    // The same events again are sent as the same bytes: whichever attempt arrives, it is this one.
    if (unsettled_->object.empty() || unsettled_->plain != plain) {
        OPENARCHIVER_TRY(unsettled_->object, encode_segment(segment));
        unsettled_->plain = plain;
        unsettled_->attempts.push_back(sha256(unsettled_->object));
    }
    const LogPosition written{.sequence = segment.sequence, .digest = unsettled_->attempts.back()};
    sdk::Status put = put_object(store_, key, unsettled_->object, sdk::PutMode::if_absent, stop);
    if (put) {
        unsettled_.reset();
        return written;
    }
    const bool exists = put.error().code == sdk::Errc::already_exists;
    if (exists || is_retryable(put.error().code)) {
        const sdk::Result<std::string> found = read_object(store_, key, kMaxSegmentSize, stop);
        if (found) {
            const Digest digest = sha256(*found);
            const bool ours = std::find(unsettled_->attempts.begin(), unsettled_->attempts.end(),
                                        digest) != unsettled_->attempts.end();
            unsettled_.reset();
            if (digest == written.digest) {
                return written;
            }
            if (ours) {
                // An earlier attempt, with other events, arrived late: these come after it.
                segment.sequence += 1;
                segment.previous = digest;
                return append_segment(std::move(segment), std::move(stop));
            }
            return sdk::Error{.code = sdk::Errc::already_exists,
                              .message = "object " + key +
                                         " is there already and not from this engine: another "
                                         "engine writes this log; stop one of them"};
        }
        if (exists) {
            put = found.error();
        }
    }
    return in_object(std::move(put.error()), key);
}

sdk::Status SegmentLog::follow(std::string_view writer, const LogPosition& position,
                               std::stop_token stop) {
    const auto object = read_object(store_, segment_key(writer, position.sequence), kMaxSegmentSize,
                                    std::move(stop));
    if (!object) {
        const bool missing = object.error().code == sdk::Errc::not_found ||
                             object.error().code == sdk::Errc::corrupt;
        return missing ? sdk::Status() : object.error();
    }
    if (const auto segment = decode_segment(*object, keyring_)) {
        earliest_ = std::max(earliest_, segment->created_at + std::chrono::milliseconds(1));
    }
    return {};
}

sdk::Result<std::vector<std::string>> SegmentLog::writers(std::stop_token stop) {
    std::vector<std::string> writers;
    std::string start_after;
    for (;;) {
        FirstKeySink first;
        OPENARCHIVER_CHECK(store_.list(kLogPrefix, start_after, first, stop));
        const std::string& key = first.key();
        if (key.empty()) {
            return writers;
        }
        const auto slash = key.find('/', kLogPrefix.size());
        if (slash == std::string::npos) {
            start_after = key;
            continue;
        }
        const std::string writer = key.substr(kLogPrefix.size(), slash - kLogPrefix.size());
        if (parse_segment_key(key)) {
            writers.push_back(writer);
        }
        // '0' follows '/': behind all keys of this writer.
        start_after = std::string(kLogPrefix) + writer + "0";
    }
}

sdk::Result<LogPosition> SegmentLog::replay(
    std::string_view writer, const LogPosition& from,
    const std::function<sdk::Status(const Segment&, const LogPosition&)>& visit,
    std::stop_token stop, std::uint64_t* beyond_gap) {
    const std::string prefix = std::string(kLogPrefix) + std::string(writer) + "/";
    RunSink run(writer, from.sequence);
    OPENARCHIVER_CHECK(
        store_.list(prefix, from.sequence == 0 ? std::string() : segment_key(writer, from.sequence),
                    run, stop));
    LogPosition position = from;
    while (position.sequence < run.last()) {
        const std::uint64_t sequence = position.sequence + 1;
        const std::string key = segment_key(writer, sequence);
        OPENARCHIVER_TRY(const std::string object, read_object(store_, key, kMaxSegmentSize, stop));
        sdk::Result<Segment> segment = decode_segment(object, keyring_);
        if (!segment) {
            segment.error().message +=
                "; bring the object back from a copy of the archive (`openarchiver verify` names "
                "all that are damaged)";
            return in_object(std::move(segment.error()), key);
        }
        if (segment->writer != writer || segment->sequence != sequence) {
            return in_object(
                sdk::Error{.code = sdk::Errc::corrupt,
                           .message = "it holds segment " + std::to_string(segment->sequence) +
                                      " of writer " + segment->writer + ": objects were exchanged"},
                key);
        }
        if (segment->previous != position.digest) {
            return in_object(
                sdk::Error{
                    .code = sdk::Errc::corrupt,
                    .message = "the chain is broken: it follows a segment with the SHA-256 " +
                               to_hex(segment->previous) + ", but the one before it has " +
                               to_hex(position.digest)},
                key);
        }
        const LogPosition visited{.sequence = sequence, .digest = sha256(object)};
        OPENARCHIVER_CHECK(visit(*segment, visited));
        position = visited;
    }
    if (beyond_gap != nullptr) {
        *beyond_gap += run.beyond();
    }
    return position;
}

}  // namespace openarchiver::archive
