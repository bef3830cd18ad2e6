#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <string>

#include "search/extract/office_xml.hpp"
#include "search/extract/pdf.hpp"
#include "search/extract/text_sink.hpp"

namespace openarchiver::search::extract {

namespace {

enum class Format : std::uint8_t { none, plain, html, pdf, office };

// A package of a few kilobytes may claim to hold terabytes.
constexpr std::size_t kMaxUnpacked = std::size_t{64} << 20;
constexpr int kMaxEntries = 10'000;

std::string lower(std::string_view text) {
    std::string result(text);
    std::ranges::transform(result, result.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return result;
}

/// Types are often just application/octet-stream; then the name tells.
Format format_of(std::string_view media_type, std::string_view name) {
    const std::string type = lower(media_type);
    const std::string file = lower(name);
    const auto ends = [&](auto... suffixes) { return (file.ends_with(suffixes) || ...); };
    if (type == "application/pdf" || type == "application/x-pdf" || ends(".pdf")) {
        return Format::pdf;
    }
    if (type == "text/html" || type == "application/xhtml+xml" || ends(".html", ".htm")) {
        return Format::html;
    }
    if (type.starts_with("application/vnd.openxmlformats-officedocument.") ||
        type.starts_with("application/vnd.oasis.opendocument.") ||
        type.find(".macroenabled.12") != std::string::npos ||
        ends(".docx", ".docm", ".dotx", ".xlsx", ".xlsm", ".xltx", ".pptx", ".pptm", ".ppsx",
             ".odt", ".ods", ".odp", ".odg", ".ott", ".ots", ".otp")) {
        return Format::office;
    }
    if (type == "text/rtf" || type == "application/rtf" || ends(".rtf")) {
        return Format::none;
    }
    if (type.starts_with("text/") || type == "application/json" || type == "application/xml" ||
        ends(".txt", ".csv", ".tsv", ".log", ".json", ".xml", ".md", ".ics", ".vcf")) {
        return Format::plain;
    }
    return Format::none;
}

/// The parts of a package that have text (ECMA-376 part 2; OpenDocument 1.3 part 2).
bool has_text(std::string_view entry) {
    if (!entry.ends_with(".xml")) {
        return false;
    }
    constexpr std::array<std::string_view, 12> kParts{
        "word/document",    "word/header",
        "word/footer",      "word/footnotes",
        "word/endnotes",    "word/comments",
        "xl/sharedStrings", "xl/worksheets/sheet",
        "ppt/slides/slide", "ppt/notesSlides/notesSlide",
        "ppt/comments/",    "content.xml"};
    return std::ranges::any_of(kParts,
                               [&](std::string_view part) { return entry.starts_with(part); });
}

struct CloseArchive {
    void operator()(struct archive* opened) const { archive_read_free(opened); }
};

/// Reads the current entry, as far as there is room.
bool read_entry(struct archive* package, std::size_t& room, std::string& bytes) {
    std::array<char, 32768> piece;  // NOLINT: written before it is read
    while (true) {
        const auto got = archive_read_data(package, piece.data(), piece.size());
        if (got == 0) {
            return true;
        }
        if (got < 0 || static_cast<std::size_t>(got) > room) {
            return false;
        }
        room -= static_cast<std::size_t>(got);
        bytes.append(piece.data(), static_cast<std::size_t>(got));
    }
}

void office_text(std::string_view bytes, std::string_view name, TextSink& sink) {
    // Protected by a password, a package becomes a stream of a compound file (MS-OFFCRYPTO).
    if (bytes.starts_with("\xD0\xCF\x11\xE0")) {
        sink.gap(GapReason::encrypted, name);
        return;
    }
    const std::unique_ptr<struct archive, CloseArchive> package(archive_read_new());
    archive_read_support_format_zip(package.get());
    if (archive_read_open_memory(package.get(), bytes.data(), bytes.size()) != ARCHIVE_OK) {
        sink.gap(GapReason::failed, name);
        return;
    }
    std::size_t room = kMaxUnpacked;
    struct archive_entry* entry = nullptr;
    bool any = false;
    bool damaged = false;
    for (int entries = 0; !sink.full(Field::attachment); ++entries) {
        const int next = archive_read_next_header(package.get(), &entry);
        if (next == ARCHIVE_EOF) {
            break;
        }
        if ((next != ARCHIVE_OK && next != ARCHIVE_WARN) || entries > kMaxEntries) {
            sink.gap(entries > kMaxEntries ? GapReason::too_large : GapReason::failed, name);
            return;
        }
        const char* const path = archive_entry_pathname(entry);
        const std::string_view part = path == nullptr ? "" : path;
        const bool manifest = part == "META-INF/manifest.xml";
        if (!manifest && !has_text(part)) {
            continue;
        }
        if (archive_entry_is_data_encrypted(entry) != 0) {
            sink.gap(GapReason::encrypted, name);
            return;
        }
        std::string xml;
        if (!read_entry(package.get(), room, xml)) {
            sink.gap(room < (32U << 10) ? GapReason::too_large : GapReason::failed, name);
            return;
        }
        if (manifest) {
            if (xml.find("encryption-data") != std::string::npos) {
                sink.gap(GapReason::encrypted, name);
                return;
            }
            continue;
        }
        any = true;
        // What is encrypted is no XML; the manifest, which says so, may come last.
        damaged = !office_xml_text(xml, sink) || damaged;
    }
    if (!any || damaged) {
        sink.gap(GapReason::failed, name);
    }
}

}  // namespace

bool is_document(std::string_view media_type, std::string_view name) {
    return format_of(media_type, name) != Format::none;
}

void document_text(std::string_view bytes, std::string_view media_type, std::string_view name,
                   std::string_view charset, TextSink& sink) {
    switch (format_of(media_type, name)) {
        case Format::plain:
            sink.text(Field::attachment, to_utf8(bytes, charset));
            break;
        case Format::html:
            sink.text(Field::attachment, html_text(bytes, charset));
            break;
        case Format::pdf:
            pdf_text(bytes, name, sink);
            break;
        case Format::office:
            office_text(bytes, name, sink);
            break;
        case Format::none:
            sink.gap(GapReason::unsupported, name);
            break;
    }
    sink.text(Field::attachment, "\n");
}

}  // namespace openarchiver::search::extract
