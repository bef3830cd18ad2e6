#include "service/shared_writer.hpp"

#include <utility>

namespace openarchiver::service {

using sdk::Errc;
using sdk::Error;
using sdk::Status;

SharedWriter::SharedWriter(Open open, sdk::Clock& clock, std::shared_ptr<spdlog::logger> log)
    : open_(std::move(open)), clock_(clock), log_(std::move(log)) {}

SharedWriter::~SharedWriter() {
    close();
}

SharedWriter::Use::~Use() {
    if (owner_ != nullptr) {
        const std::lock_guard lock(owner_->mutex_);
        --owner_->users_;
        owner_->changed_.notify_all();
    }
}

bool SharedWriter::in_order() const {
    return committer_ && !committer_->failure() && archive_->lease_held();
}

void SharedWriter::close() {
    vault_.attach(nullptr);
    committer_.reset();
    archive_.reset();
}

/// With opening_ set and nobody using the old one: the lock is free while this blocks.
Status SharedWriter::open_with(const Open& open, std::unique_lock<std::mutex>& lock,
                               std::stop_token stop) {
    opening_ = true;
    lock.unlock();
    close();
    auto opened = open(std::move(stop));
    lock.lock();
    opening_ = false;
    changed_.notify_all();
    OPENARCHIVER_CHECK(opened);
    archive_ = std::move(*opened);
    committer_ = std::make_unique<pipeline::Committer>(*archive_, clock_, log_);
    vault_.attach(&archive_->secrets());
    return {};
}

sdk::Result<SharedWriter::Use> SharedWriter::use(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    const bool ready =
        changed_.wait(lock, stop, [this] { return !opening_ && (in_order() || users_ == 0); });
    if (!ready) {
        return Error{.code = Errc::cancelled, .message = "stopped while waiting for the archive"};
    }
    if (!in_order()) {
        OPENARCHIVER_CHECK(open_with(open_, lock, stop));
    }
    ++users_;
    return Use(*this);
}

Status SharedWriter::reopen(const Open& open, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [this] { return !opening_ && users_ == 0; })) {
        return Error{.code = Errc::cancelled, .message = "stopped while waiting for the archive"};
    }
    return open_with(open, lock, std::move(stop));
}

Status SharedWriter::flush(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    if (opening_ || !committer_) {
        return {};
    }
    ++users_;
    lock.unlock();
    const Use use(*this);
    return committer_->flush(std::move(stop));
}

}  // namespace openarchiver::service
