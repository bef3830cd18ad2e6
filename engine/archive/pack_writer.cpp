#include <algorithm>
#include <span>
#include <utility>

#include "archive/pack.hpp"
#include "archive/pack_format.hpp"

namespace openarchiver::archive {

namespace {

constexpr std::uint64_t kSpoolMemory = 24U << 20;
// Emptied frames whose memory is used again: fresh memory costs as much as a tenth of compressing.
constexpr std::size_t kSpareBuffers = 8;

// Fills `buffer`; a source that ends before is not what its size() said.
sdk::Status read_exactly(sdk::ByteSource& source, std::span<std::byte> buffer) {
    while (!buffer.empty()) {
        OPENARCHIVER_TRY(const std::size_t got, source.read(buffer));
        if (got == 0) {
            return sdk::Error{.code = sdk::Errc::internal,
                              .message = "a content ended before its " +
                                         std::to_string(source.size()) + " bytes"};
        }
        buffer = buffer.subspan(got);
    }
    return {};
}

sdk::Status expect_end(sdk::ByteSource& source) {
    std::byte surplus{};
    OPENARCHIVER_TRY(const std::size_t got, source.read(std::span(&surplus, 1)));
    if (got != 0) {
        return sdk::Error{
            .code = sdk::Errc::internal,
            .message = "a content went on after its " + std::to_string(source.size()) + " bytes"};
    }
    return {};
}

}  // namespace

struct PackWriter::State {
    struct OpenFrame {
        AccountKey account;
        std::uint32_t index = 0;
        std::vector<std::byte> bytes;
    };

    explicit State(std::filesystem::path spool_folder)
        : folder(std::move(spool_folder)), spool(folder, kSpoolMemory) {}

    ~State() {
        for (auto& [id, frame] : open) {
            wipe_key(frame);
        }
    }

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void discard(std::map<KeyId, OpenFrame>::iterator frame) {
        wipe_key(frame->second);
        if (spare.size() < kSpareBuffers) {
            frame->second.bytes.clear();
            spare.push_back(std::move(frame->second.bytes));
        }
        open.erase(frame);
    }

    static void wipe_key(OpenFrame& frame) {
        if (frame.account.key) {
            wipe(*frame.account.key);
        }
    }

    sdk::Status append(std::span<const std::byte> bytes) {
        OPENARCHIVER_CHECK(spool.write(bytes));
        digest.update(bytes);
        return {};
    }

    // Encodes and appends; the frame's place in `frames` is the caller's.
    sdk::Result<Frame> write_frame(const AccountKey& account, std::uint32_t index,
                                   std::span<const std::byte> raw, bool single_content) {
        if (spool.size() == 0) {
            OPENARCHIVER_CHECK(append(pack_header()));
        }
        const std::span<const std::byte> stored =
            encoder.encode(account, index, raw, single_content);
        const std::uint64_t offset = spool.size();
        OPENARCHIVER_CHECK(append(stored));
        return Frame{.key = account.id,
                     .offset = offset,
                     .stored_size = stored.size(),
                     .raw_size = raw.size()};
    }

    sdk::Status close(const OpenFrame& frame) {
        OPENARCHIVER_TRY(frames[frame.index],
                         write_frame(frame.account, frame.index, frame.bytes, false));
        return {};
    }

    sdk::Result<Placement> add_small(const AccountKey& account, sdk::ByteSource& content) {
        const auto size = static_cast<std::size_t>(content.size());
        auto found = open.find(account.id);
        if (found != open.end() && found->second.bytes.size() + size > kFrameSize) {
            OPENARCHIVER_CHECK(close(found->second));
            discard(found);
            found = open.end();
        }
        const bool fresh = found == open.end();
        if (fresh) {
            found = open.try_emplace(account.id).first;
            found->second.account = account;
            if (!spare.empty()) {
                found->second.bytes = std::move(spare.back());
                spare.pop_back();
            }
            found->second.index = static_cast<std::uint32_t>(frames.size());
            frames.emplace_back();
        }
        std::vector<std::byte>& bytes = found->second.bytes;
        const std::size_t offset = bytes.size();
        bytes.resize(offset + size);
        sdk::Status read = read_exactly(content, std::span(bytes).subspan(offset));
        if (read) {
            read = expect_end(content);
        }
        if (!read) {
            bytes.resize(offset);
            if (fresh) {
                discard(found);
                frames.pop_back();
            }
            return std::move(read.error());
        }
        return Placement{.frame = found->second.index, .offset = offset};
    }

    // Frames that an error leaves without their content stay in the pack; nothing names them.
    sdk::Result<Placement> add_large(const AccountKey& account, sdk::ByteSource& content) {
        const Placement placement{.frame = static_cast<std::uint32_t>(frames.size()), .offset = 0};
        for (std::uint64_t left = content.size(); left > 0;) {
            piece.resize(static_cast<std::size_t>(std::min(left, kFrameSize)));
            OPENARCHIVER_CHECK(read_exactly(content, piece));
            OPENARCHIVER_TRY(
                const Frame frame,
                write_frame(account, static_cast<std::uint32_t>(frames.size()), piece, true));
            frames.push_back(frame);
            left -= piece.size();
        }
        OPENARCHIVER_CHECK(expect_end(content));
        return placement;
    }

    sdk::Status seal() {
        std::vector<const OpenFrame*> in_order;
        for (const auto& [id, frame] : open) {
            in_order.push_back(&frame);
        }
        std::sort(in_order.begin(), in_order.end(),
                  [](const OpenFrame* a, const OpenFrame* b) { return a->index < b->index; });
        for (const OpenFrame* frame : in_order) {
            OPENARCHIVER_CHECK(close(*frame));
            discard(open.find(frame->account.id));
        }
        sealed = PackInfo{.id = digest.finish(), .size = spool.size(), .frames = frames};
        return {};
    }

    void start_anew() {
        spool = Spool(folder, kSpoolMemory);
        digest = Sha256();
        frames.clear();
        open.clear();
        sealed.reset();
        contents = 0;
        content_bytes = 0;
    }

    std::filesystem::path folder;
    Spool spool;
    Sha256 digest;
    FrameEncoder encoder;
    std::vector<Frame> frames;
    std::map<KeyId, OpenFrame> open;
    std::vector<std::vector<std::byte>> spare;
    std::vector<std::byte> piece;
    std::optional<PackInfo> sealed;  // complete, not yet in the store
    std::uint64_t contents = 0;
    std::uint64_t content_bytes = 0;
};

PackWriter::PackWriter(std::filesystem::path spool_folder)
    : state_(std::make_unique<State>(std::move(spool_folder))) {}

PackWriter::~PackWriter() = default;

sdk::Result<Placement> PackWriter::add(const AccountKey& account, sdk::ByteSource& content) {
    if (state_->sealed) {
        return sdk::Error{.code = sdk::Errc::invalid_argument,
                          .message = "a pack that waits for its store takes no more contents"};
    }
    OPENARCHIVER_CHECK(content.rewind());
    const std::uint64_t size = content.size();
    OPENARCHIVER_TRY(const Placement placement, size > kLargeContent
                                                    ? state_->add_large(account, content)
                                                    : state_->add_small(account, content));
    ++state_->contents;
    state_->content_bytes += size;
    return placement;
}

bool PackWriter::empty() const {
    return state_->contents == 0;
}

std::uint64_t PackWriter::content_bytes() const {
    return state_->content_bytes;
}

sdk::Result<PackInfo> PackWriter::finish(sdk::ObjectStore& store, std::stop_token stop) {
    if (!state_->sealed) {
        if (empty()) {
            return sdk::Error{.code = sdk::Errc::invalid_argument,
                              .message = "a pack without contents is not written"};
        }
        OPENARCHIVER_CHECK(state_->seal());
    }
    const std::string key = pack_key(state_->sealed->id);
    OPENARCHIVER_CHECK(state_->spool.rewind());
    sdk::Status put = store.put(key, state_->spool, sdk::PutMode::if_absent, stop);
    if (!put && put.error().code == sdk::Errc::already_exists) {
        // An earlier attempt whose answer was lost: an object of this name has these bytes.
        OPENARCHIVER_TRY(const sdk::ObjectInfo info, store.stat(key, stop));
        if (info.size != state_->sealed->size) {
            return sdk::Error{.code = sdk::Errc::corrupt,
                              .message = "pack " + key + " is already in the store with " +
                                         std::to_string(info.size) + " bytes instead of " +
                                         std::to_string(state_->sealed->size) +
                                         ": it is damaged; remove that object"};
        }
        put = {};
    }
    if (!put) {
        return std::move(put.error());
    }
    PackInfo info = std::move(*state_->sealed);
    state_->start_anew();
    return info;
}

}  // namespace openarchiver::archive
