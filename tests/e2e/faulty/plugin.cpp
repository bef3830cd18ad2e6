#include <boost/json.hpp>
#include <chrono>
#include <fstream>
#include <map>
#include <mutex>
#include <openarchiver/sdk/exceptions.hpp>
#include <openarchiver/sdk/plugin.hpp>
#include <string>
#include <vector>

#include "plugin_library.hpp"

/// The filesystem backend, with faults that a file asks for, a line each:
///
///     fail put 3 1 unavailable       the third put is not made, and says so
///     report put 3 9 timed_out       the third put and the eight after it are made, and are
///                                    reported as failed
///     hide 2000                      a listing does not show objects of the last two seconds
///
/// Each fault that was met adds a line to the file's namesake that ends with ".met".
namespace openarchiver::faulty {

namespace {

using sdk::Errc;
using sdk::Error;
using sdk::Status;

constexpr std::string_view kSchema = R"({
  "type": "object",
  "properties": {
    "root": { "type": "string", "title": "Of the filesystem backend" },
    "script": { "type": "string", "title": "The file with the faults" }
  },
  "required": ["root", "script"],
  "additionalProperties": false
})";

struct Fault {
    bool is_done = false;  // what was asked for is
    std::string call;
    unsigned first = 0;
    unsigned times = 0;
    Errc code = Errc::internal;
};

struct Script {
    std::string file;
    std::vector<Fault> faults;
    std::chrono::milliseconds hidden{0};
};

Errc code_named(const std::string& name) {
    for (int code = 0; code < static_cast<int>(Errc::internal); ++code) {
        if (to_string(static_cast<Errc>(code)) == name) {
            return static_cast<Errc>(code);
        }
    }
    return Errc::internal;
}

Script read_script(const std::string& file) {
    Script script{.file = file, .faults = {}};
    std::ifstream stream(file);
    std::string kind;
    while (stream >> kind) {
        if (kind == "hide") {
            std::int64_t milliseconds = 0;
            stream >> milliseconds;
            script.hidden = std::chrono::milliseconds(milliseconds);
            continue;
        }
        Fault fault{.is_done = kind == "report", .call = {}};
        std::string code;
        stream >> fault.call >> fault.first >> fault.times >> code;
        fault.code = code_named(code);
        script.faults.push_back(std::move(fault));
    }
    return script;
}

class OldObjects final : public sdk::ObjectListSink {
public:
    OldObjects(sdk::ObjectListSink& inner, std::chrono::milliseconds hidden)
        : inner_(inner), newest_(std::chrono::system_clock::now() - hidden) {}

    bool object(const sdk::ObjectInfo& info) override {
        return info.modified_at > newest_ || inner_.object(info);
    }

private:
    sdk::ObjectListSink& inner_;
    std::chrono::system_clock::time_point newest_;
};

class Store final : public sdk::ObjectStore {
public:
    Store(std::unique_ptr<sdk::ObjectStore> inner, Script script)
        : inner_(std::move(inner)), script_(std::move(script)) {}

    [[nodiscard]] sdk::StorageCapabilities capabilities() const override {
        return inner_->capabilities();
    }

    Status put(std::string_view key, sdk::ByteSource& source, sdk::PutMode mode,
               std::stop_token stop) override {
        return run("put", key, [&] { return inner_->put(key, source, mode, stop); });
    }

    Status get(std::string_view key, const sdk::Range& range, sdk::ByteSink& sink,
               std::stop_token stop) override {
        return run("get", key, [&] { return inner_->get(key, range, sink, stop); });
    }

    sdk::Result<sdk::ObjectInfo> stat(std::string_view key, std::stop_token stop) override {
        return run("stat", key, [&] { return inner_->stat(key, stop); });
    }

    Status list(std::string_view prefix, std::string_view start_after, sdk::ObjectListSink& sink,
                std::stop_token stop) override {
        OldObjects old(sink, script_.hidden);
        return run("list", prefix, [&] { return inner_->list(prefix, start_after, old, stop); });
    }

    Status remove(std::string_view key, std::stop_token stop) override {
        return run("remove", key, [&] { return inner_->remove(key, stop); });
    }

    sdk::Result<sdk::Capacity> capacity(std::stop_token stop) override {
        return inner_->capacity(std::move(stop));
    }

private:
    template <typename Action>
    auto run(const std::string& call, std::string_view key, const Action& action)
        -> decltype(action()) {
        const Fault* met = nullptr;
        {
            const std::lock_guard lock(mutex_);
            const unsigned number = ++calls_[call];
            for (const Fault& fault : script_.faults) {
                if (fault.call == call && number >= fault.first &&
                    number - fault.first < fault.times) {
                    met = &fault;
                    std::ofstream(script_.file + ".met", std::ios::app)
                        << call << " " << number << " " << key << "\n";
                }
            }
        }
        if (met == nullptr) {
            return action();
        }
        if (met->is_done) {
            static_cast<void>(action());
        }
        return Error{met->code, "a fault of the test at the object " + std::string(key)};
    }

    std::unique_ptr<sdk::ObjectStore> inner_;
    const Script script_;
    std::mutex mutex_;  // guards calls_
    std::map<std::string, unsigned> calls_;
};

class Backend final : public sdk::StorageBackend {
public:
    [[nodiscard]] std::string_view config_schema() const override { return kSchema; }

    sdk::Result<std::unique_ptr<sdk::ObjectStore>> open(std::string_view config_json,
                                                        const sdk::HostServices& host,
                                                        std::stop_token stop) override {
        return sdk::without_exceptions(
            "the faulty storage backend", [&]() -> sdk::Result<std::unique_ptr<sdk::ObjectStore>> {
                auto config = boost::json::parse(config_json).as_object();
                const std::string script(config.at("script").as_string());
                config.erase("script");
                OPENARCHIVER_TRY(auto inner,
                                 tests::built_plugin("filesystem")
                                     .storage_backend()
                                     ->open(boost::json::serialize(config), host, stop));
                return std::make_unique<Store>(std::move(inner), read_script(script));
            });
    }
};

class FaultyPlugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "faulty", .version = "1", .title = "Faulty storage"};
    }

    [[nodiscard]] sdk::StorageBackend* storage_backend() override { return &backend_; }

private:
    Backend backend_;
};

}  // namespace

}  // namespace openarchiver::faulty

OPENARCHIVER_PLUGIN(openarchiver::faulty::FaultyPlugin);
