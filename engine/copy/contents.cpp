#include "copy/contents.hpp"

#include <array>
#include <string_view>
#include <utility>

#include "archive/pack.hpp"
#include "archive/segment.hpp"

namespace openarchiver::copy {

namespace {

/// Signed heads of the log and their timestamps.
constexpr std::array kOtherPrefixes = {std::string_view("heads/")};

template <typename Take>
class Sink final : public sdk::ObjectListSink {
public:
    explicit Sink(Take take) : take_(std::move(take)) {}

    bool object(const sdk::ObjectInfo& info) override {
        take_(info);
        return true;
    }

private:
    Take take_;
};

template <typename Take>
sdk::Status list(sdk::ObjectStore& store, std::string_view prefix, std::stop_token stop,
                 Take take) {
    Sink<Take> sink(std::move(take));
    return store.list(prefix, "", sink, std::move(stop));
}

}  // namespace

sdk::Result<Packs> list_packs(sdk::ObjectStore& store, std::stop_token stop) {
    Packs packs;
    OPENARCHIVER_CHECK(list(store, "packs/", std::move(stop), [&](const sdk::ObjectInfo& info) {
        const auto id = archive::digest_from_hex(info.key.substr(info.key.rfind('/') + 1));
        if (id && archive::pack_key(*id) == info.key) {
            packs.emplace(*id, info.size);
        }
    }));
    return packs;
}

sdk::Result<Logs> list_logs(sdk::ObjectStore& store, std::stop_token stop) {
    Logs logs;
    OPENARCHIVER_CHECK(list(store, "log/", std::move(stop), [&](const sdk::ObjectInfo& info) {
        const auto name = archive::parse_segment_key(info.key);
        if (!name) {
            return;
        }
        auto& last = logs.last[name->writer];
        if (name->sequence == last + 1) {
            last = name->sequence;
        } else if (logs.missing.empty()) {
            logs.missing = archive::segment_key(name->writer, last + 1);
        }
    }));
    return logs;
}

sdk::Result<Others> list_others(sdk::ObjectStore& store, std::stop_token stop) {
    Others others;
    for (const auto prefix : kOtherPrefixes) {
        OPENARCHIVER_CHECK(list(store, prefix, stop, [&](const sdk::ObjectInfo& info) {
            others.emplace(info.key, info.size);
        }));
    }
    return others;
}

}  // namespace openarchiver::copy
