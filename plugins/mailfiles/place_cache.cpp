#include "place_cache.hpp"

namespace openarchiver::mailfiles {

namespace {

constexpr std::size_t kMaxPlaces = 65536;

std::string key_of(const std::string& account_id, const std::string& item_id) {
    return account_id + '\0' + item_id;
}

}  // namespace

void PlaceCache::remember(const std::string& account_id, const std::string& item_id, Place place) {
    std::string key = key_of(account_id, item_id);
    const std::lock_guard lock(mutex_);
    if (!places_.insert_or_assign(key, std::move(place)).second) {
        return;
    }
    order_.push_back(std::move(key));
    if (order_.size() > kMaxPlaces) {
        places_.erase(order_.front());
        order_.pop_front();
    }
}

std::optional<PlaceCache::Place> PlaceCache::find(const std::string& account_id,
                                                  const std::string& item_id) const {
    const std::lock_guard lock(mutex_);
    const auto found = places_.find(key_of(account_id, item_id));
    return found == places_.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace openarchiver::mailfiles
