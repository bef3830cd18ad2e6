// A message on its way into an mbox and out again, cut anywhere.
#include <algorithm>
#include <cstdint>

#include "export/mbox.hpp"
#include "input.hpp"

using namespace openarchiver;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::size_t piece = std::size_t{1} + data[0];
    const auto message = std::as_bytes(std::span(data, size)).subspan(1);
    fuzz::ToString mbox;
    exporter::MboxQuoter quoter(mbox);
    for (std::size_t at = 0; at < message.size(); at += piece) {
        fuzz::expect(
            quoter.write(message.subspan(at, std::min(piece, message.size() - at))).has_value(),
            "it is quoted");
    }
    fuzz::expect(quoter.finish().has_value(), "it is ended");
    fuzz::expect(!mbox.text.starts_with("From ") && mbox.text.find("\nFrom ") == std::string::npos,
                 "nothing in a message passes for the next one's beginning");
    fuzz::ToString again;
    exporter::MboxUnquoter unquoter(again, message.size());
    auto rest = std::as_bytes(std::span(mbox.text));
    while (!unquoter.complete()) {
        fuzz::expect(!rest.empty(), "all of it is there");
        const auto taken = unquoter.feed(rest.first(std::min(piece, rest.size())));
        fuzz::expect(taken.has_value(), "it is unquoted");
        rest = rest.subspan(*taken);
    }
    fuzz::expect(std::ranges::equal(std::as_bytes(std::span(again.text)), message),
                 "what was quoted comes back exactly");
    return 0;
}
