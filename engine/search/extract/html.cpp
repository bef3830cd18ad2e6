#include <libxml/HTMLparser.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>

#include "search/extract/text_sink.hpp"

namespace openarchiver::search::extract {

namespace {

constexpr std::array<std::string_view, 6> kSilent{"script",   "style",  "noscript",
                                                  "template", "object", "svg"};
constexpr std::array<std::string_view, 14> kInline{
    "a", "b", "i", "u", "em", "span", "strong", "small", "font", "sub", "sup", "tt", "code", "wbr"};

std::string_view view(const xmlChar* text) {
    return reinterpret_cast<const char*>(text);
}

template <std::size_t N>
bool any_of(const std::array<std::string_view, N>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

struct Page {
    std::string text;
    int silent = 0;

    void end_line() {
        if (!text.empty() && text.back() != '\n') {
            text += '\n';
        }
    }
};

void start_element(void* user, const xmlChar* name, const xmlChar** attributes) {
    auto& page = *static_cast<Page*>(user);
    const auto element = view(name);
    if (any_of(kSilent, element)) {
        ++page.silent;
    } else if (element == "td" || element == "th") {
        page.text += ' ';
    } else if (!any_of(kInline, element)) {
        page.end_line();
    }
    if (element == "img" && attributes != nullptr) {
        for (const xmlChar** at = attributes; at[0] != nullptr; at += 2) {
            if (at[1] != nullptr && view(at[0]) == "alt") {
                page.text += view(at[1]);
                page.text += ' ';
            }
        }
    }
}

void end_element(void* user, const xmlChar* name) {
    auto& page = *static_cast<Page*>(user);
    const auto element = view(name);
    if (any_of(kSilent, element)) {
        page.silent = std::max(0, page.silent - 1);
    } else if (element == "td" || element == "th") {
        page.text += ' ';
    } else if (!any_of(kInline, element)) {
        page.end_line();
    }
}

void characters(void* user, const xmlChar* text, int size) {
    auto& page = *static_cast<Page*>(user);
    if (page.silent == 0) {
        page.text.append(reinterpret_cast<const char*>(text), static_cast<std::size_t>(size));
    }
}

void ignore(void*, const char*, ...) {}

}  // namespace

std::string html_text(std::string_view html, std::string_view charset) {
    xmlSAXHandler handler{};
    handler.startElement = start_element;
    handler.endElement = end_element;
    handler.characters = characters;
    handler.ignorableWhitespace = characters;
    handler.warning = ignore;
    handler.error = ignore;
    handler.fatalError = ignore;
    Page page;
    std::string utf8;
    auto encoding = XML_CHAR_ENCODING_NONE;
    if (!charset.empty()) {
        utf8 = to_utf8(html, charset);
        html = utf8;
        encoding = XML_CHAR_ENCODING_UTF8;
    }
    const std::unique_ptr<htmlParserCtxt, void (*)(htmlParserCtxtPtr)> parser(
        htmlCreatePushParserCtxt(&handler, &page, nullptr, 0, nullptr, encoding),
        htmlFreeParserCtxt);
    if (!parser) {
        return {};
    }
    htmlCtxtUseOptions(parser.get(), HTML_PARSE_RECOVER | HTML_PARSE_NONET | HTML_PARSE_NOERROR |
                                         HTML_PARSE_NOWARNING | HTML_PARSE_COMPACT |
                                         (charset.empty() ? 0 : HTML_PARSE_IGNORE_ENC));
    constexpr std::size_t kPiece = 64U << 10;
    for (std::size_t at = 0; at < html.size(); at += kPiece) {
        const auto piece = html.substr(at, kPiece);
        htmlParseChunk(parser.get(), piece.data(), static_cast<int>(piece.size()), 0);
    }
    htmlParseChunk(parser.get(), nullptr, 0, 1);
    if (parser->myDoc != nullptr) {
        xmlFreeDoc(parser->myDoc);
        parser->myDoc = nullptr;
    }
    return std::move(page.text);
}

}  // namespace openarchiver::search::extract
