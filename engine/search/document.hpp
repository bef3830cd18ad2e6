#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace openarchiver::search {

/// What is searched separately. The numbers are the columns of the index and go over the wire to
/// the extractor.
enum class Field : std::uint8_t { from, to, cc, bcc, subject, body, filename, attachment };

inline constexpr std::size_t kFields = 8;

/// Why a text is not, or not wholly, in the index.
enum class GapReason : std::uint8_t {
    encrypted,    ///< needs a key or password
    no_text,      ///< a document of images: scanned
    failed,       ///< damaged, or the extractor crashed or ran out of time or memory
    unsupported,  ///< a format that may hold text and is not read
    too_large,    ///< beyond the limits: the beginning is searched
};

[[nodiscard]] std::string_view to_string(GapReason reason) noexcept;
[[nodiscard]] std::optional<GapReason> gap_reason(std::string_view name) noexcept;

struct Gap {
    GapReason reason = GapReason::failed;
    std::string name;  ///< of the attachment; empty: the message itself

    bool operator==(const Gap&) const = default;
};

/// The text of one version of an item.
struct Document {
    std::array<std::string, kFields> fields;  ///< UTF-8
    std::string message_id;                   ///< without angle brackets
    std::vector<std::string> references;      ///< of References and In-Reply-To
    bool has_attachment = false;
    std::vector<Gap> gaps;

    [[nodiscard]] std::string& operator[](Field field) {
        return fields[static_cast<std::size_t>(field)];
    }

    [[nodiscard]] const std::string& operator[](Field field) const {
        return fields[static_cast<std::size_t>(field)];
    }

    [[nodiscard]] std::size_t size() const {
        std::size_t size = 0;
        for (const auto& text : fields) {
            size += text.size();
        }
        return size;
    }
};

/// Bytes of text that are searched of a message, and of all its attachments.
inline constexpr std::size_t kMaxBody = std::size_t{2} << 20;
inline constexpr std::size_t kMaxAttachments = std::size_t{4} << 20;

}  // namespace openarchiver::search
