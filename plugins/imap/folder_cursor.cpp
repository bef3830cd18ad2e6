#include "folder_cursor.hpp"

#include "scanner.hpp"

namespace openarchiver::imap {

namespace {

constexpr std::uint32_t kFormat = 1;
/// Of 22 bytes at most: within the 64 KiB that a cursor may have.
constexpr std::size_t kMaxRanges = 2900;

}  // namespace

sdk::Cursor FolderCursor::text() const {
    std::string value = std::string(1, scheme) + " " + std::to_string(uid_validity) + " " +
                        std::to_string(next) + " " + std::to_string(messages) + " " +
                        std::to_string(modseq);
    if (known && known->ranges() <= kMaxRanges) {
        value += " " + (known->empty() ? "-" : known->text());
    }
    return {.format = kFormat, .value = std::move(value)};
}

std::optional<FolderCursor> FolderCursor::parse(const sdk::Cursor& cursor) {
    if (cursor.format != kFormat || cursor.value.empty()) {
        return std::nullopt;
    }
    FolderCursor parsed;
    parsed.scheme = cursor.value.front();
    Scanner scanner(std::string_view(cursor.value).substr(1));
    const auto number = [&] {
        scanner.expect(' ');
        return scanner.number();
    };
    parsed.uid_validity = static_cast<std::uint32_t>(number());
    parsed.next = static_cast<std::uint32_t>(number());
    parsed.messages = number();
    parsed.modseq = number();
    if (scanner.accept(' ')) {
        parsed.known = scanner.left() == "-" ? UidSet() : UidSet::parse(scanner.left());
        if (!parsed.known) {
            return std::nullopt;
        }
    }
    return scanner.failed() || parsed.next == 0 ? std::nullopt : std::optional(parsed);
}

}  // namespace openarchiver::imap
