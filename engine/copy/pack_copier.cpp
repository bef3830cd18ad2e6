#include "copy/pack_copier.hpp"

#include <algorithm>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "archive/pack.hpp"
#include "archive/spool.hpp"

namespace openarchiver::copy {

namespace {

using sdk::Errc;
using sdk::Error;
using sdk::Status;

constexpr std::uint64_t kInMemory = 1U << 20;
constexpr unsigned kThreads = 4;

class DigestingSpool final : public sdk::ByteSink {
public:
    explicit DigestingSpool(const std::filesystem::path& folder) : spool_(folder, kInMemory) {}

    Status write(std::span<const std::byte> bytes) override {
        digest_.update(bytes);
        return spool_.write(bytes);
    }

    [[nodiscard]] archive::Spool& spool() { return spool_; }

    [[nodiscard]] archive::Digest digest() { return digest_.finish(); }

private:
    archive::Spool spool_;
    archive::Sha256 digest_;
};

class Copier {
public:
    Copier(sdk::ObjectStore& source, sdk::ObjectStore& target, const Packs& target_has,
           std::filesystem::path spool_folder,
           const std::function<void(const CopiedPacks&)>& progress, const std::stop_token& stop)
        : source_(source),
          target_(target),
          target_has_(target_has),
          spool_folder_(std::move(spool_folder)),
          progress_(progress),
          forward_(stop, [this] { stop_.request_stop(); }) {}

    sdk::Result<CopiedPacks> run(const Packs& packs) {
        next_ = packs.begin();
        end_ = packs.end();
        {
            const auto count = std::clamp(
                std::min(source_.capabilities().parallelism, target_.capabilities().parallelism),
                1U, kThreads);
            std::vector<std::jthread> threads;
            for (unsigned i = 0; i < count; ++i) {
                threads.emplace_back([this] { work(); });
            }
        }
        if (failure_) {
            return std::move(*failure_);
        }
        return std::move(copied_);
    }

private:
    std::optional<Packs::value_type> take() {
        const std::lock_guard lock(mutex_);
        while (next_ != end_) {
            const auto pack = *next_++;
            const auto there = target_has_.find(pack.first);
            if (there == target_has_.end() || there->second != pack.second) {
                return pack;
            }
        }
        return std::nullopt;
    }

    void work() {
        while (const auto pack = take()) {
            const Status done = copy(pack->first, pack->second);
            const std::lock_guard lock(mutex_);
            if (!done) {
                if (!failure_) {
                    failure_ = done.error();
                }
                stop_.request_stop();
                return;
            }
            progress_(copied_);
        }
    }

    Status copy(const archive::Digest& id, std::uint64_t size) {
        const std::string key = archive::pack_key(id);
        DigestingSpool spool(spool_folder_);
        const Status read = source_.get(key, {}, spool, stop_.get_token());
        if (!read && read.error().code == Errc::not_found) {
            const std::lock_guard lock(mutex_);
            ++copied_.vanished;
            return {};
        }
        OPENARCHIVER_CHECK(read);
        if (spool.digest() != id) {
            const std::lock_guard lock(mutex_);
            copied_.damage.push_back(key + ": its bytes are not those that its name promises");
            return {};
        }
        OPENARCHIVER_CHECK(store(key, id, spool.spool()));
        const std::lock_guard lock(mutex_);
        ++copied_.packs;
        copied_.bytes += size;
        return {};
    }

    /// One of another size is damaged; what comes in its place was checked.
    Status store(const std::string& key, const archive::Digest& id, archive::Spool& spool) {
        const auto mode =
            target_has_.contains(id) ? sdk::PutMode::replace : sdk::PutMode::if_absent;
        OPENARCHIVER_CHECK(spool.rewind());
        const Status put = target_.put(key, spool, mode, stop_.get_token());
        if (put || put.error().code != Errc::already_exists) {
            return put;
        }
        // An earlier attempt whose answer was lost.
        OPENARCHIVER_TRY(const auto info, target_.stat(key, stop_.get_token()));
        return info.size == spool.size() ? Status() : put;
    }

    sdk::ObjectStore& source_;
    sdk::ObjectStore& target_;
    const Packs& target_has_;
    const std::filesystem::path spool_folder_;
    const std::function<void(const CopiedPacks&)>& progress_;
    std::stop_source stop_;
    std::stop_callback<std::function<void()>> forward_;

    std::mutex mutex_;  // guards everything below
    Packs::const_iterator next_;
    Packs::const_iterator end_;
    CopiedPacks copied_;
    std::optional<Error> failure_;
};

}  // namespace

sdk::Result<CopiedPacks> copy_packs(sdk::ObjectStore& source, sdk::ObjectStore& target,
                                    const Packs& packs, const Packs& target_has,
                                    const std::filesystem::path& spool_folder,
                                    const std::function<void(const CopiedPacks&)>& progress,
                                    const std::stop_token& stop) {
    return Copier(source, target, target_has, spool_folder, progress, stop).run(packs);
}

}  // namespace openarchiver::copy
