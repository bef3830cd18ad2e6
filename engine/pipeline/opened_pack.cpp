#include "pipeline/opened_pack.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

namespace openarchiver::pipeline {

using sdk::Errc;
using sdk::Error;
using sdk::Result;
using sdk::Status;

namespace {

constexpr std::uint64_t kInMemory = std::uint64_t{16} << 20;

/// What is in several places of a spool, as one.
class Pieces final : public sdk::ByteSource {
public:
    void add(const archive::Spool& spool, std::uint64_t offset, std::uint64_t size) {
        size_ += size;
        pieces_.emplace_back(spool, offset, size);
    }

    [[nodiscard]] std::uint64_t size() const override { return size_; }

    Result<std::size_t> read(std::span<std::byte> buffer) override {
        while (next_ < pieces_.size()) {
            OPENARCHIVER_TRY(const std::size_t read, pieces_[next_].read(buffer));
            if (read > 0 || buffer.empty()) {
                return read;
            }
            ++next_;
        }
        return std::size_t{0};
    }

    Status rewind() override {
        next_ = 0;
        for (auto& piece : pieces_) {
            OPENARCHIVER_CHECK(piece.rewind());
        }
        return {};
    }

private:
    std::deque<archive::SpoolRange> pieces_;
    std::size_t next_ = 0;
    std::uint64_t size_ = 0;
};

/// Of the parts in the pack, as far as an account that holds them has its key.
class PartKeys {
public:
    PartKeys() = default;
    PartKeys(const PartKeys&) = delete;
    PartKeys& operator=(const PartKeys&) = delete;

    ~PartKeys() {
        for (auto& [id, key] : keys) {
            archive::wipe_key(key);
        }
    }

    Status find(const archive::Keyring& keyring, catalog::CatalogReader& catalog,
                const archive::Digest& pack) {
        OPENARCHIVER_TRY(const auto parts, catalog.parts_in(pack));
        for (const auto& part : parts) {
            const auto holder = keyring.find(part.source, part.account);
            if (holder && !keys.contains(part.held.key)) {
                OPENARCHIVER_TRY(const auto key, archive::unwrap_part_key(*holder, part.held.key,
                                                                          part.held.wrapped));
                keys.emplace(part.held.key, key);
            }
        }
        return {};
    }

    std::map<archive::KeyId, archive::AccountKey> keys;
};

}  // namespace

OpenedPack::OpenedPack(std::filesystem::path spool_folder)
    : spool_(std::make_unique<archive::Spool>(std::move(spool_folder), kInMemory)) {}

OpenedPack::~OpenedPack() {
    for (auto& frame : frames_) {
        archive::wipe_key(frame.key);
    }
}

Result<OpenedPack> OpenedPack::open(access::ArchiveWriter& archive, catalog::CatalogReader& catalog,
                                    std::int64_t pack_key, std::stop_token stop) {
    const auto& keyring = archive.archive().keyring();
    OPENARCHIVER_TRY(const auto pack, catalog.pack(pack_key));
    PartKeys part_keys;
    OPENARCHIVER_CHECK(part_keys.find(keyring, catalog, pack.id));
    OpenedPack opened(archive.spool_folder());
    opened.id_ = pack.id;
    opened.frames_.resize(pack.frames.size());
    Status spooled;
    OPENARCHIVER_CHECK(archive.archive().packs().verify(
        pack, std::move(stop), part_keys.keys,
        [&](std::uint32_t index, std::span<const std::byte> raw) {
            auto& frame = opened.frames_[index];
            frame.opened = true;
            frame.begin = opened.spool_->size();
            frame.size = raw.size();
            const auto part = part_keys.keys.find(pack.frames[index].key);
            frame.part = part != part_keys.keys.end();
            if (frame.part) {
                frame.key = part->second;
            } else if (auto key = keyring.find(pack.frames[index].key)) {
                frame.key = *key;
            }
            if (spooled) {
                spooled = opened.spool_->write(raw);
            }
        }));
    OPENARCHIVER_CHECK(spooled);
    return opened;
}

bool OpenedPack::complete() const {
    return std::ranges::all_of(frames_, &Frame::opened);
}

Result<std::unique_ptr<sdk::ByteSource>> OpenedPack::bytes(const archive::Placement& from,
                                                           std::uint64_t size) const {
    auto pieces = std::make_unique<Pieces>();
    std::uint64_t offset = from.offset;
    for (std::size_t number = from.frame; pieces->size() < size; ++number) {
        if (number >= frames_.size() || offset > frames_[number].size) {
            return Error{Errc::corrupt, "pack " + archive::pack_key(id_) +
                                            " does not hold what the catalog says that it does"};
        }
        const auto& frame = frames_[number];
        if (!frame.opened) {
            return Error{Errc::not_found, "pack " + archive::pack_key(id_) +
                                              " has a frame whose key is no longer there"};
        }
        const std::uint64_t here = std::min(frame.size - offset, size - pieces->size());
        pieces->add(*spool_, frame.begin + offset, here);
        offset = 0;
    }
    return std::unique_ptr<sdk::ByteSource>(std::move(pieces));
}

}  // namespace openarchiver::pipeline
