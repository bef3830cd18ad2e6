#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <openarchiver/sdk/bytes.hpp>
#include <openarchiver/sdk/storage.hpp>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "archive/digest.hpp"
#include "archive/keyring.hpp"
#include "archive/part_key.hpp"
#include "archive/spool.hpp"

/// Packs: immutable objects that hold contents in sealed frames (docs/archive-format.md, Pack).
namespace openarchiver::archive {

/// Where a frame lies in its pack.
struct Frame {
    KeyId key{};
    std::uint64_t offset = 0;
    std::uint64_t stored_size = 0;  ///< with its header and authentication tag
    std::uint64_t raw_size = 0;     ///< decompressed

    bool operator==(const Frame&) const = default;
};

/// Where a content lies in its pack: from `offset` in the decompressed frame `frame`, going on in
/// the following frames if it is longer than the rest of that one.
struct Placement {
    std::uint32_t frame = 0;
    std::uint64_t offset = 0;
};

struct PackInfo {
    Digest id{};  ///< SHA-256 of the object
    std::uint64_t size = 0;
    std::vector<Frame> frames;
    std::uint32_t first_frame =
        0;  ///< the number of frames[0]: a reader may know but a few of them
};

/// Where a part lies: alone in frames under a key of its own, from `frame` on.
struct StoredPart {
    PackInfo pack;
    std::uint32_t frame = 0;
    std::uint64_t size = 0;
    KeyId key{};
    WrappedKey wrapped{};  ///< for the account of the content
};

/// Where a content lies.
struct StoredContent {
    Digest id{};
    std::uint64_t size = 0;
    PackInfo pack;
    Placement placement;
    /// Of the composition that is stored in the content's place; 0: the content itself is.
    std::uint64_t composition_size = 0;
    std::vector<StoredPart> parts;  ///< of the composition
};

[[nodiscard]] std::string pack_key(const Digest& id);

/// Builds one pack after another. Small contents of an account share its open frame; contents above
/// kLargeContent get frames of their own. Used by one thread.
class PackWriter {
public:
    static constexpr std::uint64_t kFrameSize = 4U << 20;
    static constexpr std::uint64_t kLargeContent = 1U << 20;

    /// `spool_folder` takes what exceeds the memory threshold of a pack.
    explicit PackWriter(std::filesystem::path spool_folder);
    ~PackWriter();

    /// Adds the whole of `content` (rewound first). Final placements are known at once; the pack's
    /// id is known after finish(). An error leaves the pack as it was.
    sdk::Result<Placement> add(const AccountKey& account, sdk::ByteSource& content);

    /// Adds the whole of a part: into frames of its own under its own key. The first one's number.
    sdk::Result<std::uint32_t> add_part(const AccountKey& part, sdk::ByteSource& bytes);

    [[nodiscard]] bool empty() const;
    /// Bytes taken in since the last finish().
    [[nodiscard]] std::uint64_t content_bytes() const;

    /// Closes the open frames, puts the pack durably into `store` and starts the next one. After an
    /// error the pack is kept, and takes no more contents: call finish() again. Must not be called
    /// when empty().
    sdk::Result<PackInfo> finish(sdk::ObjectStore& store, std::stop_token stop);

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// Reads contents back, every frame authenticated. Keeps the decompressed frames that it used last,
/// since neighbours are often read one after another. Safe for concurrent use; threads that want
/// the same frame open it once.
class PackReader {
public:
    static constexpr std::size_t kCachedBytes = 64U << 20;

    PackReader(sdk::ObjectStore& store, const Keyring& keyring,
               std::size_t cached_bytes = kCachedBytes);
    ~PackReader();

    /// Writes the `size` bytes at `placement` to `sink` and checks that they are what `content`
    /// says (SHA-256). A content is passed on frame by frame, each authenticated, and its SHA-256
    /// is known only at the end: after an error the caller discards what the sink got. corrupt:
    /// names the pack, the frame and what is wrong; not_found: the pack is missing or the key was
    /// forgotten.
    sdk::Status read(const PackInfo& pack, const Placement& placement, std::uint64_t size,
                     const Digest& content, sdk::ByteSink& sink, std::stop_token stop);

    /// The same for a content that may be composed: makes its exact bytes again. Errors of a part
    /// name the part's pack.
    sdk::Status read(const StoredContent& content, sdk::ByteSink& sink, std::stop_token stop);

    /// The content with what `stand_in` says in place of the bytes of each part: for readers that
    /// care for few of them. The frames are authenticated; no SHA-256 is there to compare with.
    sdk::Status read_outline(const StoredContent& content,
                             const std::function<std::string(std::uint32_t part)>& stand_in,
                             sdk::ByteSink& sink, std::stop_token stop);
    /// A part of the content; its SHA-256 is the caller's to check.
    sdk::Status read_part(const StoredContent& content, std::uint32_t part, sdk::ByteSink& sink,
                          std::stop_token stop);

    /// The bytes of a part, for the account that holds it; their SHA-256 is the caller's to check.
    sdk::Status read(const StoredPart& part, const AccountKey& account, sdk::ByteSink& sink,
                     std::stop_token stop);

    /// Reads the whole pack object and checks its name, its frames' headers, and that every frame
    /// opens whose key is in the keyring or among `part_keys`. `opened` is called for each of
    /// these; what it was given counts only if all is well. Without it the frames are kept, as far
    /// as memory goes: what is read next is likely to be in them.
    sdk::Status verify(const PackInfo& pack, std::stop_token stop,
                       const std::map<KeyId, AccountKey>& part_keys = {},
                       const std::function<void(std::uint32_t index,
                                                std::span<const std::byte> raw)>& opened = nullptr);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace openarchiver::archive
