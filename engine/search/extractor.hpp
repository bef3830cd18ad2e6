#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <string>

#include "search/document.hpp"
#include "search/extractor_process.hpp"

namespace openarchiver::search {

/// Reads the text of messages in a process of its own, which is killed when it takes too long, and
/// started anew when it died: on what it read then there is a gap in the document. Used by one
/// thread, which lives as long as the extractor.
class Extractor {
public:
    /// Reads a part of the message that was marked (wire::part_mark).
    using ReadPart = std::function<sdk::Result<std::string>(std::uint32_t part)>;

    explicit Extractor(std::filesystem::path program) : process_(std::move(program)) {}

    /// cancelled: `stop`; unavailable: the program can't be started; an error of `part`.
    sdk::Result<Document> extract(const std::string& message, bool attachments,
                                  const ReadPart& part, const std::stop_token& stop);

private:
    struct Attempt;

    sdk::Status start();
    sdk::Status run(const std::string& message, Attempt& attempt, const ReadPart& part);

    ExtractorProcess process_;
    int messages_ = 0;  // that the process has read
};

}  // namespace openarchiver::search
