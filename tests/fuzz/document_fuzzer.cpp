// An attachment whose text is read. The first byte says what it claims to be.
#include <gmime/gmime.h>
#include <libxml/parser.h>

#include <array>
#include <cstdint>

#include "input.hpp"

using namespace openarchiver;

namespace {

struct Claim {
    std::string_view media_type;
    std::string_view name;
};

constexpr std::array kClaims = {
    Claim{"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "a.docx"},
    Claim{"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "a.xlsx"},
    Claim{"application/vnd.openxmlformats-officedocument.presentationml.presentation", "a.pptx"},
    Claim{"application/vnd.oasis.opendocument.text", "a.odt"},
    Claim{"text/html", "a.html"},
    Claim{"text/plain", "a.txt"},
    Claim{"application/octet-stream", "a.docx"},
};

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
    g_mime_init();
    xmlInitParser();
    ::setenv("PATH", "/nonexistent", 1);
    return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const Claim& claim = kClaims[data[0] % kClaims.size()];
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    fuzz::Texts texts;
    search::extract::document_text(bytes, claim.media_type, claim.name, {}, texts);
    return 0;
}
