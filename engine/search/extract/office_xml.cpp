#include "search/extract/office_xml.hpp"

#include <libxml/parser.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

namespace openarchiver::search::extract {

namespace {

// By local name: paragraphs, headings, rows, cells, shared strings.
constexpr std::array<std::string_view, 8> kLines{"p",  "h",  "row",     "c",
                                                 "si", "tr", "comment", "table-cell"};
constexpr std::array<std::string_view, 5> kBlanks{"tab", "br", "s", "cr", "line-break"};

std::string_view view(const xmlChar* text) {
    return reinterpret_cast<const char*>(text);
}

struct Part {
    TextSink* sink = nullptr;
    std::string text = {};
    bool shared = false;  // the cell's value is the number of a shared string
    bool value = false;   // in a cell's value

    void flush() {
        sink->text(Field::attachment, text);
        text.clear();
    }
};

void start_element(void* user, const xmlChar* local, const xmlChar*, const xmlChar*, int,
                   const xmlChar**, int attributes, int, const xmlChar** values) {
    auto& part = *static_cast<Part*>(user);
    const auto name = view(local);
    if (name == "c") {
        part.shared = false;
        // Each has local name, prefix, namespace, begin and end of its value.
        for (int i = 0; i < attributes; ++i) {
            const xmlChar* const* const attribute = values + static_cast<std::ptrdiff_t>(i) * 5;
            const std::string_view value(reinterpret_cast<const char*>(attribute[3]),
                                         static_cast<std::size_t>(attribute[4] - attribute[3]));
            part.shared = part.shared || (view(attribute[0]) == "t" && value == "s");
        }
    } else if (name == "v") {
        part.value = true;
    } else if (std::ranges::find(kBlanks, name) != kBlanks.end()) {
        part.text += ' ';
    }
}

void end_element(void* user, const xmlChar* local, const xmlChar*, const xmlChar*) {
    auto& part = *static_cast<Part*>(user);
    const auto name = view(local);
    if (name == "v") {
        part.value = false;
    }
    if (std::ranges::find(kLines, name) != kLines.end()) {
        part.text += '\n';
        part.flush();
    }
}

void characters(void* user, const xmlChar* text, int size) {
    auto& part = *static_cast<Part*>(user);
    if (!(part.value && part.shared)) {
        part.text.append(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
    }
}

void ignore(void*, const char*, ...) {}

}  // namespace

bool office_xml_text(std::string_view xml, TextSink& sink) {
    // Entities that a document declares are not taken note of: no office program writes any.
    xmlSAXHandler handler{};
    handler.initialized = XML_SAX2_MAGIC;
    handler.startElementNs = start_element;
    handler.endElementNs = end_element;
    handler.characters = characters;
    handler.cdataBlock = characters;
    handler.warning = ignore;
    handler.error = ignore;
    handler.fatalError = ignore;
    Part part{.sink = &sink};
    const std::unique_ptr<xmlParserCtxt, void (*)(xmlParserCtxtPtr)> parser(
        xmlCreatePushParserCtxt(&handler, &part, nullptr, 0, nullptr), xmlFreeParserCtxt);
    if (!parser) {
        return false;
    }
    xmlCtxtUseOptions(parser.get(), XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    constexpr std::size_t kPiece = 64U << 10;
    int failure = 0;
    for (std::size_t at = 0; at < xml.size() && failure == 0 && !sink.full(Field::attachment);
         at += kPiece) {
        const auto piece = xml.substr(at, kPiece);
        failure = xmlParseChunk(parser.get(), piece.data(), static_cast<int>(piece.size()), 0);
    }
    part.flush();
    return failure == 0;
}

}  // namespace openarchiver::search::extract
