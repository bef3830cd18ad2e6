#pragma once

#include <string_view>

#include "search/extract/text_sink.hpp"

namespace openarchiver::search::extract {

/// The text of a part of an Office Open XML or OpenDocument package, paragraphs and cells in lines,
/// into Field::attachment. False: it ended in an error.
bool office_xml_text(std::string_view xml, TextSink& sink);

}  // namespace openarchiver::search::extract
