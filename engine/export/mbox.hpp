#pragma once

#include <cstddef>
#include <cstdint>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/model.hpp>
#include <span>
#include <string>
#include <string_view>

/// The mboxrd form: a line of a message that consists of any number of '>' and then "From " gets
/// one more '>', so that removing one from such lines gives the exact message back.
namespace openarchiver::exporter {

/// The line that begins a message: the sender's address, where `from` (a From header) holds one
/// that can stand there, and the time in UTC.
[[nodiscard]] std::string mbox_from_line(std::string_view from, sdk::Timestamp time);

/// Quotes the bytes of one message on their way to `target`, which gets them as they came, but for
/// what has to be put between. Holds a few of them back until finish().
class MboxQuoter final : public sdk::ByteSink {
public:
    explicit MboxQuoter(sdk::ByteSink& target) : target_(target) {}

    sdk::Status write(std::span<const std::byte> bytes) override;
    /// Ends the message: with a line break if it has none at its end, and with the blank line that
    /// separates it from the next.
    sdk::Status finish();

private:
    sdk::ByteSink& target_;
    bool in_prefix_ = true;    // only '>' since the beginning of the line
    std::size_t matched_ = 0;  // how much of "From " followed, held back
    bool line_ended_ = true;
};

/// The reverse, for one message of known size.
class MboxUnquoter {
public:
    MboxUnquoter(sdk::ByteSink& target, std::uint64_t size) : target_(target), left_(size) {}

    /// Takes quoted bytes until the message is complete, for which it has to see what follows the
    /// message; returns how many it took.
    sdk::Result<std::size_t> feed(std::span<const std::byte> bytes);

    [[nodiscard]] bool complete() const { return left_ == 0; }

    /// Whether the message is empty or ends with a line break.
    [[nodiscard]] bool line_ended() const { return line_ended_; }

private:
    void put(std::string_view bytes);
    /// What was held back is part of the message.
    void release();

    sdk::ByteSink& target_;
    std::uint64_t left_;
    std::string out_;
    bool in_prefix_ = true;
    bool held_ = false;        // the line's first '>', held back
    std::size_t matched_ = 0;  // how much of "From " followed it
    bool line_ended_ = true;
};

}  // namespace openarchiver::exporter
