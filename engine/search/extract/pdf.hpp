#pragma once

#include <string_view>

#include "search/extract/text_sink.hpp"

namespace openarchiver::search::extract {

/// The text of a PDF into Field::attachment, by Poppler's pdftotext, a process of its own.
void pdf_text(std::string_view bytes, std::string_view name, TextSink& sink);

}  // namespace openarchiver::search::extract
