#include <algorithm>
#include <span>
#include <utility>

#include "archive/frame_sealing.hpp"
#include "archive/pack.hpp"

namespace openarchiver::archive {

namespace {

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
    using FullFrame = FrameSealing::FullFrame;

    explicit State(std::filesystem::path spool_folder) : sealing(std::move(spool_folder)) {}

    ~State() { wipe_keys(); }

    State(const State&) = delete;
    State& operator=(const State&) = delete;

    void wipe_keys() {
        for (auto& [id, frame] : open) {
            wipe_key(frame.account);
        }
    }

    FullFrame new_frame(const AccountKey& account, bool single_content) {
        return {.account = account,
                .index = frames++,
                .bytes = sealing.buffer(),
                .single_content = single_content};
    }

    sdk::Status begin(sdk::ByteSource& content) const {
        if (sealed) {
            return sdk::Error{.code = sdk::Errc::invalid_argument,
                              .message = "a pack that waits for its store takes no more contents"};
        }
        return content.rewind();
    }

    sdk::Result<Placement> add_small(const AccountKey& account, sdk::ByteSource& content) {
        const auto size = static_cast<std::size_t>(content.size());
        auto found = open.find(account.id);
        if (found != open.end() && found->second.bytes.size() + size > kFrameSize) {
            FullFrame full = std::move(found->second);
            open.erase(found);
            OPENARCHIVER_CHECK(sealing.put(std::move(full)));
            found = open.end();
        }
        const bool fresh = found == open.end();
        if (fresh) {
            found = open.emplace(account.id, new_frame(account, false)).first;
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
                wipe_key(found->second.account);
                open.erase(found);
                --frames;
            }
            return std::move(read.error());
        }
        return Placement{.frame = found->second.index, .offset = offset};
    }

    // Frames that an error leaves without their content stay in the pack; nothing names them.
    sdk::Result<Placement> add_alone(const AccountKey& account, sdk::ByteSource& content) {
        const Placement placement{.frame = frames, .offset = 0};
        for (std::uint64_t left = content.size(); left > 0;) {
            FullFrame piece = new_frame(account, true);
            piece.bytes.resize(static_cast<std::size_t>(std::min(left, kFrameSize)));
            left -= piece.bytes.size();
            const sdk::Status read = read_exactly(content, piece.bytes);
            OPENARCHIVER_CHECK(sealing.put(std::move(piece)));
            OPENARCHIVER_CHECK(read);
        }
        OPENARCHIVER_CHECK(expect_end(content));
        return placement;
    }

    void count(std::uint64_t size) {
        ++contents;
        content_bytes += size;
    }

    sdk::Status seal() {
        for (auto& [id, frame] : open) {
            OPENARCHIVER_CHECK(sealing.put(std::move(frame)));
        }
        open.clear();
        OPENARCHIVER_TRY(sealed, sealing.finish());
        return {};
    }

    void start_anew() {
        sealing.start_anew();
        frames = 0;
        sealed.reset();
        contents = 0;
        content_bytes = 0;
    }

    FrameSealing sealing;
    std::map<KeyId, FullFrame> open;
    std::uint32_t frames = 0;
    std::optional<PackInfo> sealed;  // complete, not yet in the store
    std::uint64_t contents = 0;
    std::uint64_t content_bytes = 0;
};

PackWriter::PackWriter(std::filesystem::path spool_folder)
    : state_(std::make_unique<State>(std::move(spool_folder))) {}

PackWriter::~PackWriter() = default;

sdk::Result<Placement> PackWriter::add(const AccountKey& account, sdk::ByteSource& content) {
    OPENARCHIVER_CHECK(state_->begin(content));
    const std::uint64_t size = content.size();
    OPENARCHIVER_TRY(const Placement placement, size > kLargeContent
                                                    ? state_->add_alone(account, content)
                                                    : state_->add_small(account, content));
    state_->count(size);
    return placement;
}

sdk::Result<std::uint32_t> PackWriter::add_part(const AccountKey& part, sdk::ByteSource& bytes) {
    OPENARCHIVER_CHECK(state_->begin(bytes));
    OPENARCHIVER_TRY(const Placement placement, state_->add_alone(part, bytes));
    state_->count(bytes.size());
    return placement.frame;
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
    OPENARCHIVER_CHECK(state_->sealing.spool().rewind());
    sdk::Status put = store.put(key, state_->sealing.spool(), sdk::PutMode::if_absent, stop);
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
