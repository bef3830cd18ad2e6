#pragma once

#include <string>
#include <vector>

#include "archive/pack.hpp"
#include "memory_store.hpp"
#include "support.hpp"

namespace openarchiver::test {

struct Packed {
    std::string bytes;
    archive::Placement placement;
    archive::Digest digest{};
};

/// Reads one content back; what arrived is in `text` also when reading failed.
inline sdk::Status read_back(archive::PackReader& reader, const archive::PackInfo& pack,
                             const Packed& content, std::string& text) {
    StringSink sink;
    sdk::Status read =
        reader.read(pack, content.placement, content.bytes.size(), content.digest, sink, {});
    text = std::move(sink.text);
    return read;
}

inline sdk::Result<Packed> add(archive::PackWriter& writer, const archive::AccountKey& key,
                               std::string bytes) {
    StringSource source(bytes);
    OPENARCHIVER_TRY(const archive::Placement placement, writer.add(key, source));
    const archive::Digest digest = archive::sha256(bytes);
    return Packed{.bytes = std::move(bytes), .placement = placement, .digest = digest};
}

}  // namespace openarchiver::test
