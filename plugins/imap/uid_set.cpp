#include "uid_set.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace openarchiver::imap {

namespace {

constexpr UidSet::Uid kHighest = std::numeric_limits<UidSet::Uid>::max();

std::optional<UidSet::Uid> parse_uid(std::string_view text) {
    UidSet::Uid uid = 0;
    const char* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, uid);
    return error == std::errc() && at == end && uid > 0 ? std::optional(uid) : std::nullopt;
}

}  // namespace

std::optional<UidSet> UidSet::parse(std::string_view text) {
    UidSet set;
    while (!text.empty()) {
        const std::string_view part = text.substr(0, text.find(','));
        text.remove_prefix(std::min(text.size(), part.size() + 1));
        const std::size_t colon = part.find(':');
        const auto first = parse_uid(part.substr(0, colon));
        const auto last =
            colon == std::string_view::npos ? first : parse_uid(part.substr(colon + 1));
        if (!first || !last) {
            return std::nullopt;
        }
        // "4:2" means 2:4 as well.
        set.add(std::min(*first, *last), std::max(*first, *last));
    }
    return set;
}

void UidSet::add(Uid first, Uid last) {
    auto next = ranges_.upper_bound(first);
    if (next != ranges_.begin()) {
        const auto before = std::prev(next);
        if (before->second >= first || before->second + 1 == first) {
            if (before->second >= last) {
                return;
            }
            first = before->first;
            next = ranges_.erase(before);
        }
    }
    while (next != ranges_.end() && (last == kHighest || next->first <= last + 1)) {
        last = std::max(last, next->second);
        next = ranges_.erase(next);
    }
    ranges_.emplace_hint(next, first, last);
}

bool UidSet::contains(Uid uid) const {
    const auto next = ranges_.upper_bound(uid);
    return next != ranges_.begin() && std::prev(next)->second >= uid;
}

std::uint64_t UidSet::count() const {
    std::uint64_t count = 0;
    for (const auto& [first, last] : ranges_) {
        count += std::uint64_t{last} - first + 1;
    }
    return count;
}

UidSet::Uid UidSet::last() const {
    return ranges_.empty() ? 0 : ranges_.rbegin()->second;
}

UidSet UidSet::without(const UidSet& other) const {
    UidSet rest;
    for (const auto& [first, last] : ranges_) {
        std::uint64_t at = first;
        auto hole = other.ranges_.upper_bound(first);
        if (hole != other.ranges_.begin() && std::prev(hole)->second >= first) {
            --hole;
        }
        for (; hole != other.ranges_.end() && hole->first <= last; ++hole) {
            if (hole->first > at) {
                rest.add(static_cast<Uid>(at), hole->first - 1);
            }
            at = std::uint64_t{hole->second} + 1;
        }
        if (at <= last) {
            rest.add(static_cast<Uid>(at), last);
        }
    }
    return rest;
}

UidSet UidSet::within(Uid first, Uid last) const {
    UidSet part;
    for (const auto& [from, to] : ranges_) {
        if (to >= first && from <= last) {
            part.add(std::max(from, first), std::min(to, last));
        }
    }
    return part;
}

UidSet UidSet::take(std::uint64_t count) {
    UidSet taken;
    while (count > 0 && !ranges_.empty()) {
        const auto [first, last] = *ranges_.begin();
        ranges_.erase(ranges_.begin());
        const std::uint64_t size = std::uint64_t{last} - first + 1;
        if (size > count) {
            taken.add(first, static_cast<Uid>(first + count - 1));
            ranges_.emplace(static_cast<Uid>(first + count), last);
            break;
        }
        taken.add(first, last);
        count -= size;
    }
    return taken;
}

std::vector<UidSet::Uid> UidSet::uids() const {
    std::vector<Uid> uids;
    uids.reserve(count());
    for (const auto& [first, last] : ranges_) {
        for (std::uint64_t uid = first; uid <= last; ++uid) {
            uids.push_back(static_cast<Uid>(uid));
        }
    }
    return uids;
}

std::string UidSet::text() const {
    std::string text;
    for (const auto& [first, last] : ranges_) {
        text += (text.empty() ? "" : ",") + std::to_string(first);
        if (last != first) {
            text += ":" + std::to_string(last);
        }
    }
    return text;
}

}  // namespace openarchiver::imap
