#include "evidence/object_keys.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace openarchiver::evidence {

namespace {

constexpr std::string_view kPrefix = "heads/";
constexpr std::string_view kTimestamp = ".tsr";
constexpr std::size_t kDigits = 20;

/// Of the head, or of the head that a timestamp belongs to; 0: neither.
std::uint64_t number_of(std::string_view key) {
    if (!key.starts_with(kPrefix)) {
        return 0;
    }
    const auto digits = key.substr(kPrefix.size(), kDigits);
    std::uint64_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
}

class NumberSink final : public sdk::ObjectListSink {
public:
    bool object(const sdk::ObjectInfo& info) override {
        if (const auto number = number_of(info.key); number != 0) {
            if (head_key(number) == info.key) {
                heads.push_back(number);
            } else if (timestamp_key(number) == info.key) {
                timestamps.push_back(number);
            }
        }
        return true;
    }

    std::vector<std::uint64_t> heads;
    std::vector<std::uint64_t> timestamps;
};

}  // namespace

std::string head_key(std::uint64_t number) {
    const std::string digits = std::to_string(number);
    return std::string(kPrefix) + std::string(kDigits - digits.size(), '0') + digits;
}

std::string timestamp_key(std::uint64_t number) {
    return head_key(number) + std::string(kTimestamp);
}

bool is_evidence(std::string_view key) {
    const auto number = number_of(key);
    return number != 0 && (key == head_key(number) || key == timestamp_key(number));
}

sdk::Result<std::vector<std::uint64_t>> list_heads(sdk::ObjectStore& store, std::uint64_t beyond,
                                                   std::stop_token stop) {
    NumberSink sink;
    OPENARCHIVER_CHECK(
        store.list(kPrefix, beyond == 0 ? std::string() : head_key(beyond), sink, std::move(stop)));
    return std::move(sink.heads);
}

sdk::Result<std::vector<std::uint64_t>> list_timestamps(sdk::ObjectStore& store,
                                                        std::stop_token stop) {
    NumberSink sink;
    OPENARCHIVER_CHECK(store.list(kPrefix, "", sink, std::move(stop)));
    std::ranges::reverse(sink.timestamps);
    return std::move(sink.timestamps);
}

}  // namespace openarchiver::evidence
