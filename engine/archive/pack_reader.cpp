#include <algorithm>
#include <condition_variable>
#include <numeric>
#include <set>
#include <span>
#include <utility>

#include "archive/composition.hpp"
#include "archive/pack.hpp"
#include "archive/pack_format.hpp"

namespace openarchiver::archive {

namespace {

// Of frames. One is as large as what zstd needs to decompress.
constexpr std::size_t kSpareDecoders = 8;

std::string pack_name(const PackInfo& pack) {
    return "pack " + pack_key(pack.id);
}

sdk::Error corrupt(std::string message) {
    return sdk::Error{.code = sdk::Errc::corrupt, .message = std::move(message)};
}

const Frame& frame_of(const PackInfo& pack, std::uint32_t index) {
    return pack.frames[index - pack.first_frame];
}

sdk::Error in_frame(sdk::Error error, const PackInfo& pack, std::uint32_t index) {
    error.message = pack_name(pack) + ", frame " + std::to_string(index) + " at byte " +
                    std::to_string(frame_of(pack, index).offset) + ": " + error.message;
    return error;
}

// What the log says of a frame, before memory is given to it.
sdk::Status check_sizes(const PackInfo& pack, std::uint32_t index) {
    const Frame& frame = frame_of(pack, index);
    if (frame.raw_size > kMaxFrameSize || frame.stored_size < kFrameHeaderSize ||
        frame.stored_size > kMaxStoredFrameSize || frame.offset < kPackHeaderSize ||
        frame.offset > pack.size || frame.stored_size > pack.size - frame.offset) {
        return in_frame(corrupt("the log gives it impossible sizes"), pack, index);
    }
    return {};
}

class FrameSink final : public sdk::ByteSink {
public:
    explicit FrameSink(std::span<std::byte> target) : target_(target) {}

    sdk::Status write(std::span<const std::byte> bytes) override {
        if (bytes.size() > target_.size()) {
            return corrupt("the store gave more bytes than were asked for");
        }
        std::copy(bytes.begin(), bytes.end(), target_.begin());
        target_ = target_.subspan(bytes.size());
        return {};
    }

    [[nodiscard]] bool full() const { return target_.empty(); }

private:
    std::span<std::byte> target_;
};

}  // namespace

struct PackReader::State {
    using CacheKey = std::pair<Digest, std::uint32_t>;
    // Shared by the cache and by the readers that are in the middle of it.
    using SharedFrame = std::shared_ptr<const Room>;

    struct CachedFrame {
        CacheKey key;
        SharedFrame bytes;
    };

    State(sdk::ObjectStore& object_store, const Keyring& keys, std::size_t capacity)
        : store(object_store), keyring(keys), cached_bytes(capacity) {}

    std::unique_ptr<FrameDecoder> take_decoder() {
        const std::lock_guard lock(mutex);
        if (decoders.empty()) {
            return std::make_unique<FrameDecoder>();
        }
        auto decoder = std::move(decoders.back());
        decoders.pop_back();
        return decoder;
    }

    void give_back(std::unique_ptr<FrameDecoder> decoder) {
        const std::lock_guard lock(mutex);
        if (decoders.size() < kSpareDecoders) {
            decoders.push_back(std::move(decoder));
        }
    }

    /// The frame, if it is in memory, once no other thread is opening it. Otherwise it is for the
    /// caller to open it, and to say so with opened().
    SharedFrame find_or_claim(const CacheKey& key, std::uint64_t raw_size) {
        std::unique_lock lock(mutex);
        changed.wait(lock, [&] { return !claimed.contains(key); });
        if (const auto found = by_key.find(key);
            found != by_key.end() && found->second->bytes->size() == raw_size) {
            cache.splice(cache.begin(), cache, found->second);
            return found->second->bytes;
        }
        claimed.insert(key);
        return nullptr;
    }

    /// `bytes`: to be kept in memory, or null.
    void opened(const CacheKey& key, const SharedFrame& bytes) {
        {
            const std::lock_guard lock(mutex);
            claimed.erase(key);
            if (bytes) {
                keep(key, bytes);
            }
        }
        changed.notify_all();
    }

    void keep(const CacheKey& key, const SharedFrame& bytes) {
        if (const auto found = by_key.find(key); found != by_key.end()) {
            drop(found->second);
        }
        cache.push_front({key, bytes});
        by_key.emplace(key, cache.begin());
        used += bytes->size();
        while (used > cached_bytes) {
            drop(std::prev(cache.end()));
        }
    }

    void drop(std::list<CachedFrame>::iterator frame) {
        used -= frame->bytes->size();
        by_key.erase(frame->key);
        cache.erase(frame);
    }

    /// `part_key`: the key of the part that the frame is of; otherwise the keyring has it. `keep`:
    /// it is likely to be read again.
    sdk::Result<SharedFrame> frame(const PackInfo& pack, std::uint32_t index,
                                   const AccountKey* part_key, bool keep, std::stop_token stop) {
        const Frame& wanted = frame_of(pack, index);
        OPENARCHIVER_CHECK(check_sizes(pack, index));
        // Asked each time, so that nothing of a forgotten account is served from memory.
        sdk::Result<AccountKey> key = part_key != nullptr ? *part_key : keyring.find(wanted.key);
        if (!key) {
            return in_frame(std::move(key.error()), pack, index);
        }
        const CacheKey cache_key(pack.id, index);
        if (auto cached = find_or_claim(cache_key, wanted.raw_size)) {
            return cached;
        }

        struct Claim {
            State& state;
            const CacheKey& key;
            SharedFrame bytes;

            ~Claim() { state.opened(key, bytes); }
        } claim{*this, cache_key, nullptr};

        sdk::Result<Room> raw = open(pack, index, *key, std::move(stop));
        wipe_key(*key);
        OPENARCHIVER_CHECK(raw);
        auto bytes = std::make_shared<const Room>(*std::move(raw));
        if (keep) {
            claim.bytes = bytes;
        }
        return bytes;
    }

    sdk::Result<Room> open(const PackInfo& pack, std::uint32_t index, const AccountKey& key,
                           std::stop_token stop) {
        const Frame& wanted = frame_of(pack, index);
        Room stored(static_cast<std::size_t>(wanted.stored_size));
        FrameSink sink(stored.span());
        if (sdk::Status got =
                store.get(pack_key(pack.id),
                          sdk::Range{.offset = wanted.offset, .length = wanted.stored_size}, sink,
                          std::move(stop));
            !got) {
            if (got.error().code == sdk::Errc::invalid_argument) {
                return corrupt(pack_name(pack) + " is shorter than its " +
                               std::to_string(pack.size) + " bytes: it was cut off");
            }
            if (got.error().code == sdk::Errc::not_found) {
                got.error().message = pack_name(pack) + " is missing: " + got.error().message;
            }
            return std::move(got.error());
        }
        if (!sink.full()) {
            return in_frame(corrupt("the store gave fewer bytes than were asked for"), pack, index);
        }
        auto decoder = take_decoder();
        sdk::Result<Room> raw = decoder->decode(wanted, index, key, stored.span());
        give_back(std::move(decoder));
        if (!raw) {
            return in_frame(std::move(raw.error()), pack, index);
        }
        return raw;
    }

    sdk::Status read(const PackInfo& pack, const Placement& placement, std::uint64_t size,
                     const AccountKey* part_key, sdk::ByteSink& sink, std::stop_token stop) {
        std::uint64_t left = size;
        std::uint64_t offset = placement.offset;
        for (std::uint32_t index = placement.frame; left > 0; ++index) {
            if (index < pack.first_frame || index - pack.first_frame >= pack.frames.size()) {
                return corrupt(pack_name(pack) + ": a content is said to be in frame " +
                               std::to_string(index) + ", which the log does not describe");
            }
            const std::uint64_t raw_size = frame_of(pack, index).raw_size;
            if (offset > raw_size) {
                return in_frame(corrupt("a content is said to begin behind its end"), pack, index);
            }
            const auto take = static_cast<std::size_t>(std::min(left, raw_size - offset));
            // A frame that is used up has no neighbours to be read next.
            OPENARCHIVER_TRY(const SharedFrame bytes,
                             frame(pack, index, part_key, take < raw_size, stop));
            OPENARCHIVER_CHECK(
                sink.write(bytes->span().subspan(static_cast<std::size_t>(offset), take)));
            left -= take;
            offset = 0;
        }
        return {};
    }

    sdk::Status read(const StoredPart& part, const AccountKey& account, sdk::ByteSink& sink,
                     std::stop_token stop) {
        OPENARCHIVER_TRY(AccountKey key, unwrap_part_key(account, part.key, part.wrapped));
        const sdk::Status read = this->read(part.pack, {.frame = part.frame, .offset = 0},
                                            part.size, &key, sink, std::move(stop));
        wipe_key(key);
        return read;
    }

    sdk::ObjectStore& store;
    const Keyring& keyring;
    const std::size_t cached_bytes;
    std::mutex mutex;  // guards everything below
    std::condition_variable changed;
    std::set<CacheKey> claimed;    // being opened
    std::list<CachedFrame> cache;  // the last used one first
    std::map<CacheKey, std::list<CachedFrame>::iterator> by_key;
    std::size_t used = 0;  // bytes in the cache
    std::vector<std::unique_ptr<FrameDecoder>> decoders;
};

PackReader::PackReader(sdk::ObjectStore& store, const Keyring& keyring, std::size_t cached_bytes)
    : state_(std::make_unique<State>(store, keyring, cached_bytes)) {}

PackReader::~PackReader() = default;

namespace {

class Hashing final : public sdk::ByteSink {
public:
    explicit Hashing(sdk::ByteSink& target) : target_(target) {}

    sdk::Status write(std::span<const std::byte> bytes) override {
        digest_.update(bytes);
        return target_.write(bytes);
    }

    sdk::Status expect(const PackInfo& pack, const Placement& placement, const Digest& content) {
        if (const Digest found = digest_.finish(); found != content) {
            return corrupt(pack_name(pack) + ", frame " + std::to_string(placement.frame) +
                           ": the content read from it has the SHA-256 " + to_hex(found) +
                           " and not " + to_hex(content));
        }
        return {};
    }

private:
    sdk::ByteSink& target_;
    Sha256 digest_;
};

}  // namespace

sdk::Status PackReader::read(const PackInfo& pack, const Placement& placement, std::uint64_t size,
                             const Digest& content, sdk::ByteSink& sink, std::stop_token stop) {
    Hashing hashing(sink);
    OPENARCHIVER_CHECK(state_->read(pack, placement, size, nullptr, hashing, std::move(stop)));
    return hashing.expect(pack, placement, content);
}

sdk::Status PackReader::read(const StoredContent& content, sdk::ByteSink& sink,
                             std::stop_token stop) {
    if (content.composition_size == 0) {
        return read(content.pack, content.placement, content.size, content.id, sink,
                    std::move(stop));
    }
    if (content.pack.frames.empty()) {
        return corrupt(pack_name(content.pack) + " has no frame that the log describes");
    }
    OPENARCHIVER_TRY(AccountKey account, state_->keyring.find(content.pack.frames.front().key));
    Hashing hashing(sink);
    Composer composer(hashing, [&](std::size_t index, std::uint64_t size, sdk::ByteSink& target) {
        if (index >= content.parts.size() || content.parts[index].size != size) {
            return sdk::Status(corrupt(pack_name(content.pack) + ", frame " +
                                       std::to_string(content.placement.frame) +
                                       ": a composition asks for a part that the log does not "
                                       "name"));
        }
        return state_->read(content.parts[index], account, target, stop);
    });
    sdk::Status read = state_->read(content.pack, content.placement, content.composition_size,
                                    nullptr, composer, stop);
    wipe_key(account);
    OPENARCHIVER_CHECK(read);
    OPENARCHIVER_CHECK(composer.finish());
    return hashing.expect(content.pack, content.placement, content.id);
}

sdk::Status PackReader::read_outline(const StoredContent& content,
                                     const std::function<std::string(std::uint32_t part)>& stand_in,
                                     sdk::ByteSink& sink, std::stop_token stop) {
    if (content.composition_size == 0) {
        return read(content.pack, content.placement, content.size, content.id, sink,
                    std::move(stop));
    }
    Composer composer(sink, [&](std::size_t index, std::uint64_t, sdk::ByteSink& target) {
        const std::string text = stand_in(static_cast<std::uint32_t>(index));
        return target.write(std::as_bytes(std::span(text)));
    });
    OPENARCHIVER_CHECK(state_->read(content.pack, content.placement, content.composition_size,
                                    nullptr, composer, std::move(stop)));
    return composer.finish();
}

sdk::Status PackReader::read_part(const StoredContent& content, std::uint32_t part,
                                  sdk::ByteSink& sink, std::stop_token stop) {
    if (part >= content.parts.size() || content.pack.frames.empty()) {
        return corrupt(pack_name(content.pack) + ": a content has no part " + std::to_string(part));
    }
    OPENARCHIVER_TRY(AccountKey account, state_->keyring.find(content.pack.frames.front().key));
    sdk::Status read = state_->read(content.parts[part], account, sink, std::move(stop));
    wipe_key(account);
    return read;
}

sdk::Status PackReader::read(const StoredPart& part, const AccountKey& account, sdk::ByteSink& sink,
                             std::stop_token stop) {
    return state_->read(part, account, sink, std::move(stop));
}

namespace {

// Takes a pack in order, frame by frame, so that it never lies in memory whole.
class PackVerifier final : public sdk::ByteSink {
public:
    using Opened = std::function<void(std::uint32_t index, Room raw)>;

    PackVerifier(const PackInfo& pack, const Keyring& keyring,
                 const std::map<KeyId, AccountKey>& part_keys, Opened opened, FrameDecoder& decoder)
        : pack_(pack),
          keyring_(keyring),
          part_keys_(part_keys),
          opened_(std::move(opened)),
          decoder_(decoder),
          order_(pack.frames.size()) {
        std::iota(order_.begin(), order_.end(), 0U);
        std::sort(order_.begin(), order_.end(), [&](std::uint32_t a, std::uint32_t b) {
            return pack.frames[a].offset < pack.frames[b].offset;
        });
        expect(kPackHeaderSize);
    }

    sdk::Status write(std::span<const std::byte> bytes) override {
        digest_.update(bytes);
        size_ += bytes.size();
        while (!bytes.empty()) {
            const std::size_t take = std::min(bytes.size(), expected_ - filled_);
            if (take == 0) {
                return {};  // behind the last frame: the size and the digest tell
            }
            std::copy_n(bytes.begin(), take, room_.span().subspan(filled_).begin());
            filled_ += take;
            bytes = bytes.subspan(take);
            if (filled_ == expected_) {
                part_complete();
            }
        }
        return {};
    }

    // The digest speaks first: it tells damage of the object from a log that describes it wrongly.
    [[nodiscard]] sdk::Status result() {
        const std::string because = failure_ ? "; " + failure_->message : "";
        if (size_ != pack_.size) {
            return corrupt(pack_name(pack_) + " has " + std::to_string(size_) +
                           " bytes instead of " + std::to_string(pack_.size) + because);
        }
        if (const Digest found = digest_.finish(); found != pack_.id) {
            return corrupt(pack_name(pack_) + " has the SHA-256 " + to_hex(found) +
                           ", which is not its name: it is damaged" + because);
        }
        if (failure_) {
            return *std::move(failure_);
        }
        if (next_ != order_.size() || end_ != size_) {
            return corrupt(pack_name(pack_) +
                           " does not end with the last frame that the log "
                           "gives it");
        }
        return {};
    }

private:
    void expect(std::size_t size) {
        if (room_.size() < size) {
            room_ = Room(size);
        }
        expected_ = size;
        filled_ = 0;
    }

    void part_complete() {
        const auto part = room_.span().first(expected_);
        if (!header_seen_) {
            header_seen_ = true;
            if (sdk::Status header = check_pack_header(part); !header) {
                header.error().message = pack_name(pack_) + ": " + header.error().message;
                fail(std::move(header.error()));
            }
            end_ = kPackHeaderSize;
        } else {
            check_frame(order_[next_], part);
            end_ += part.size();
            ++next_;
        }
        expect(0);
        if (next_ == order_.size()) {
            return;
        }
        const std::uint32_t index = order_[next_];
        if (pack_.frames[index].offset != end_) {
            fail(in_frame(corrupt("it does not begin where the one before it ends"), pack_, index));
        }
        if (sdk::Status sizes = check_sizes(pack_, index); !sizes) {
            fail(std::move(sizes.error()));
        }
        if (!failure_) {
            expect(static_cast<std::size_t>(pack_.frames[index].stored_size));
        }
    }

    void check_frame(std::uint32_t index, std::span<std::byte> stored) {
        const Frame& frame = pack_.frames[index];
        const auto part = part_keys_.find(frame.key);
        sdk::Result<AccountKey> key =
            part != part_keys_.end() ? part->second : keyring_.find(frame.key);
        if (!key) {
            return;  // forgotten: its bytes are what they were, which is all that can be told
        }
        sdk::Result<Room> raw = decoder_.decode(frame, index, *key, stored);
        if (!raw) {
            fail(in_frame(std::move(raw.error()), pack_, index));
        } else {
            opened_(index, *std::move(raw));
        }
        wipe_key(*key);
    }

    void fail(sdk::Error error) {
        if (!failure_) {
            failure_ = std::move(error);
        }
    }

    const PackInfo& pack_;
    const Keyring& keyring_;
    const std::map<KeyId, AccountKey>& part_keys_;
    const Opened opened_;
    FrameDecoder& decoder_;
    std::vector<std::uint32_t> order_;  // the frames' indices by their place in the pack
    std::size_t next_ = 0;
    bool header_seen_ = false;
    Room room_;                 // for the header or frame that is coming in
    std::size_t expected_ = 0;  // bytes of it
    std::size_t filled_ = 0;
    std::uint64_t end_ = 0;  // of what was checked
    std::uint64_t size_ = 0;
    Sha256 digest_;
    std::optional<sdk::Error> failure_;
};

}  // namespace

sdk::Status PackReader::verify(
    const PackInfo& pack, std::stop_token stop, const std::map<KeyId, AccountKey>& part_keys,
    const std::function<void(std::uint32_t index, std::span<const std::byte> raw)>& opened) {
    auto decoder = state_->take_decoder();
    const auto take = [&](std::uint32_t index, Room raw) {
        if (opened) {
            opened(index, raw.span());
        } else {
            state_->opened({pack.id, index}, std::make_shared<const Room>(std::move(raw)));
        }
    };
    PackVerifier verifier(pack, state_->keyring, part_keys, take, *decoder);
    sdk::Status got = state_->store.get(pack_key(pack.id), sdk::Range{}, verifier, std::move(stop));
    sdk::Status result = got ? verifier.result() : std::move(got);
    if (!result && result.error().code == sdk::Errc::not_found) {
        result.error().message = pack_name(pack) + " is missing: " + result.error().message;
    }
    state_->give_back(std::move(decoder));
    return result;
}

}  // namespace openarchiver::archive
