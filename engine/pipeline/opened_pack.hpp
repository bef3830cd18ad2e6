#pragma once

#include <memory>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/result.hpp>
#include <stop_token>
#include <vector>

#include "access/access.hpp"
#include "archive/part_key.hpp"
#include "archive/spool.hpp"
#include "catalog/catalog_reader.hpp"

namespace openarchiver::pipeline {

/// A whole pack, read, checked and decompressed, so that what it holds can go into another one.
/// Beyond 16 MiB on disk.
class OpenedPack {
public:
    struct Frame {
        bool opened = false;  ///< false: its key is no longer there
        bool part = false;
        archive::AccountKey key;
        std::uint64_t begin = 0;  ///< where its bytes are in the spool
        std::uint64_t size = 0;
    };

    /// Errors are those of PackReader::verify, or of the catalog.
    static sdk::Result<OpenedPack> open(access::ArchiveWriter& archive,
                                        catalog::CatalogReader& catalog, std::int64_t pack_key,
                                        std::stop_token stop);
    ~OpenedPack();
    OpenedPack(OpenedPack&&) = default;
    OpenedPack& operator=(OpenedPack&&) = delete;

    [[nodiscard]] const archive::Digest& id() const { return id_; }

    [[nodiscard]] const std::vector<Frame>& frames() const { return frames_; }

    /// Every frame is opened.
    [[nodiscard]] bool complete() const;

    /// `size` bytes from a place on, as PackReader finds them. not_found: a frame is not opened;
    /// corrupt: there are not so many.
    [[nodiscard]] sdk::Result<std::unique_ptr<sdk::ByteSource>> bytes(
        const archive::Placement& from, std::uint64_t size) const;

private:
    explicit OpenedPack(std::filesystem::path spool_folder);

    archive::Digest id_{};
    std::vector<Frame> frames_;  // by number
    std::unique_ptr<archive::Spool> spool_;
};

}  // namespace openarchiver::pipeline
