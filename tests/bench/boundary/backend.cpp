// A storage backend that reads packs to their end and keeps none; the rest is in memory.
#include <map>
#include <mutex>
#include <openarchiver/sdk/plugin.hpp>
#include <openarchiver/testkit/memory_object_store.hpp>
#include <vector>

namespace openarchiver::bench {

namespace {

class Store final : public sdk::ObjectStore {
public:
    [[nodiscard]] sdk::StorageCapabilities capabilities() const override {
        auto capabilities = inner_.capabilities();
        capabilities.lock = capabilities.hold = false;  // what is not kept can't be locked
        return capabilities;
    }

    sdk::Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
                    std::stop_token stop) override {
        if (!key.starts_with("packs/")) {
            return inner_.put(key, source, mode, stop);
        }
        std::vector<std::byte> buffer(256U << 10U);
        while (true) {
            OPENARCHIVER_TRY(const std::size_t count, source.read(buffer));
            if (count == 0) {
                return {};
            }
        }
    }

    sdk::Status get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
                    std::stop_token stop) override {
        return inner_.get(key, range, sink, stop);
    }

    sdk::Result<sdk::ObjectInfo> stat(std::string_view key, std::stop_token stop) override {
        return inner_.stat(key, stop);
    }

    sdk::Status list(std::string_view prefix, std::string_view start_after,
                     sdk::ObjectListSink& sink, std::stop_token stop) override {
        return inner_.list(prefix, start_after, sink, stop);
    }

    sdk::Status remove(std::string_view key, std::stop_token stop) override {
        return inner_.remove(key, stop);
    }

    sdk::Result<sdk::Capacity> capacity(std::stop_token stop) override {
        return inner_.capacity(stop);
    }

private:
    testkit::MemoryObjectStore inner_;
};

class Backend final : public sdk::StorageBackend {
public:
    [[nodiscard]] std::string_view config_schema() const override {
        return R"({"type": "object", "properties": {}})";
    }

    sdk::Result<std::unique_ptr<sdk::ObjectStore>> open(std::string_view, const sdk::HostServices&,
                                                        std::stop_token) override {
        return std::make_unique<Store>();
    }
};

class Plugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "counter", .version = "1", .title = "Counts only"};
    }

    [[nodiscard]] sdk::StorageBackend* storage_backend() override { return &backend_; }

private:
    Backend backend_;
};

}  // namespace

}  // namespace openarchiver::bench

OPENARCHIVER_PLUGIN(openarchiver::bench::Plugin);
