#include "ids.hpp"

#include "bytes.hpp"

namespace graph_simulator {
namespace {

constexpr std::size_t kNumberWidth = 9;
constexpr std::size_t kFolderWidth = 5;
constexpr std::size_t kMovesWidth = 6;
constexpr std::string_view kTail = "AAA=";
constexpr unsigned kCaseBits = 3;

// Base 26 in letters; the lowest three bits are the case of the first three letters.
std::string letters(std::uint32_t number, std::size_t width) {
    std::string out(width, 'A');
    std::uint32_t rest = number >> kCaseBits;
    for (std::size_t i = width; i-- > 0;) {
        out[i] = static_cast<char>('A' + rest % 26);
        rest /= 26;
    }
    for (unsigned bit = 0; bit < kCaseBits; ++bit) {
        if ((number >> bit & 1U) != 0) {
            out[bit] = static_cast<char>(out[bit] - 'A' + 'a');
        }
    }
    return out;
}

std::optional<std::uint32_t> parse_letters(std::string_view text) {
    std::uint64_t rest = 0;
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (i < kCaseBits && c >= 'a' && c <= 'z') {
            bits |= 1U << i;
            c = static_cast<char>(c - 'a' + 'A');
        }
        if (c < 'A' || c > 'Z')
            return std::nullopt;
        rest = rest * 26 + static_cast<std::uint64_t>(c - 'A');
    }
    if (rest >= 1ULL << (32U - kCaseBits))
        return std::nullopt;
    return static_cast<std::uint32_t>(rest << kCaseBits) | bits;
}

// What stands between `prefix` and the tail, when the length fits.
std::optional<std::string_view> middle(std::string_view id, std::string_view prefix,
                                       std::size_t width) {
    if (id.size() != prefix.size() + width + kTail.size())
        return std::nullopt;
    if (id.substr(0, prefix.size()) != prefix)
        return std::nullopt;
    if (id.substr(prefix.size() + width) != kTail)
        return std::nullopt;
    return id.substr(prefix.size(), width);
}

}  // namespace

MailboxIds::MailboxIds(std::string_view mailbox_guid, bool awkward) {
    const std::string tag = base64url_encode(sha256(mailbox_guid).substr(0, 9));
    const std::string store = base64url_encode(sha256(tag).substr(0, 18));
    folder_prefix_ = "AAMkA" + tag + "LgAAAAA" + store + "AQ";
    immutable_prefix_ = std::string(awkward ? "AAkALgAA/AAAHYQD+apm" : "AAkALgAAAAAAHYQDEapm") +
                        tag + (awkward ? "AC/EWg0A" : "AC-EWg0A");
    mutable_prefix_ = std::string(awkward ? "AAMk+" : "AAMkA") + tag +
                      (awkward ? "BGAA/AAB" : "BGAAAAAB") + store;
}

std::string MailboxIds::folder(std::uint32_t number) const {
    return folder_prefix_ + letters(number, kFolderWidth) + std::string(kTail);
}

std::string MailboxIds::immutable(std::uint32_t number) const {
    return immutable_prefix_ + letters(number, kNumberWidth) + std::string(kTail);
}

std::string MailboxIds::mutable_id(std::uint32_t number, std::uint32_t folder,
                                   std::uint32_t moves) const {
    return mutable_prefix_ + letters(number, kNumberWidth) + letters(folder, kFolderWidth) +
           letters(moves, kMovesWidth) + std::string(kTail);
}

std::optional<std::uint32_t> MailboxIds::parse_folder(std::string_view id) const {
    const auto body = middle(id, folder_prefix_, kFolderWidth);
    return body ? parse_letters(*body) : std::nullopt;
}

std::optional<MessageRef> MailboxIds::parse_message(std::string_view id) const {
    if (const auto body = middle(id, immutable_prefix_, kNumberWidth)) {
        const auto number = parse_letters(*body);
        if (!number)
            return std::nullopt;
        return MessageRef{*number, true, 0, 0};
    }
    const auto body = middle(id, mutable_prefix_, kNumberWidth + kFolderWidth + kMovesWidth);
    if (!body)
        return std::nullopt;
    const auto number = parse_letters(body->substr(0, kNumberWidth));
    const auto folder = parse_letters(body->substr(kNumberWidth, kFolderWidth));
    const auto moves = parse_letters(body->substr(kNumberWidth + kFolderWidth));
    if (!number || !folder || !moves)
        return std::nullopt;
    return MessageRef{*number, false, *folder, *moves};
}

}  // namespace graph_simulator
