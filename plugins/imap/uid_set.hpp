#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::imap {

/// A set of UIDs as ranges: a mailbox of a million messages is mostly one.
class UidSet {
public:
    using Uid = std::uint32_t;

    /// Of a sequence set (RFC 9051 section 9) without `*`; nothing: it is none.
    static std::optional<UidSet> parse(std::string_view text);

    void add(Uid first, Uid last);

    void add(Uid uid) { add(uid, uid); }

    [[nodiscard]] bool contains(Uid uid) const;

    [[nodiscard]] bool empty() const { return ranges_.empty(); }

    [[nodiscard]] std::uint64_t count() const;

    [[nodiscard]] std::size_t ranges() const { return ranges_.size(); }

    /// The largest; 0 where the set is empty.
    [[nodiscard]] Uid last() const;

    [[nodiscard]] UidSet without(const UidSet& other) const;
    /// What is at least `first` and at most `last`.
    [[nodiscard]] UidSet within(Uid first, Uid last) const;
    /// Takes the smallest `count` out.
    UidSet take(std::uint64_t count);
    [[nodiscard]] std::vector<Uid> uids() const;

    /// As a sequence set.
    [[nodiscard]] std::string text() const;

    bool operator==(const UidSet&) const = default;

private:
    std::map<Uid, Uid> ranges_;  // first to last; neither overlapping nor touching
};

}  // namespace openarchiver::imap
