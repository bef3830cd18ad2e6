#include <boost/json.hpp>
#include <openarchiver/sdk/plugin.hpp>

#include "durable_folders.hpp"
#include "posix.hpp"
#include "store.hpp"
#include "temporary_file.hpp"

namespace openarchiver::filesystem {

namespace {

constexpr std::string_view kSchema = R"({
  "type": "object",
  "title": "Folder",
  "description": "Keeps the archive in a folder of this machine or of a mounted file system.",
  "properties": {
    "root": {
      "type": "string",
      "title": "Folder of the archive",
      "description": "Created where it is missing. A relative path is relative to the profile's folder. The file system has to support hard links.",
      "x-order": 1
    }
  },
  "required": ["root"],
  "additionalProperties": false
})";

sdk::Error bad_config(std::string message) {
    return sdk::Error{.code = sdk::Errc::invalid_config, .message = std::move(message)};
}

/// The absolute path of the root, without a '/' at its end.
sdk::Result<std::string> root_from(std::string_view config_json,
                                   const std::filesystem::path& profile_folder) {
    boost::system::error_code failure;
    const boost::json::value config =
        boost::json::parse({config_json.data(), config_json.size()}, failure);
    const boost::json::object* const object = failure ? nullptr : config.if_object();
    const boost::json::value* const value = object ? object->if_contains("root") : nullptr;
    const boost::json::string* const root = value ? value->if_string() : nullptr;
    if (root == nullptr || root->empty()) {
        return bad_config(
            "the configuration of the filesystem storage backend has no \"root\"; name the folder "
            "that is to hold the archive");
    }
    const std::filesystem::path path =
        std::filesystem::absolute(profile_folder / std::filesystem::path(std::string_view(*root)));
    std::string text = path.lexically_normal().string();
    while (text.size() > 1 && text.back() == '/') {
        text.pop_back();
    }
    if (text.find('\0') != std::string::npos) {
        return bad_config("the \"root\" of the filesystem storage backend has a NUL character");
    }
    return text;
}

class Backend final : public sdk::StorageBackend {
public:
    [[nodiscard]] std::string_view config_schema() const override { return kSchema; }

    sdk::Result<std::unique_ptr<sdk::ObjectStore>> open(std::string_view config_json,
                                                        const sdk::HostServices& host,
                                                        std::stop_token) override {
        return guarded([&]() -> sdk::Result<std::unique_ptr<sdk::ObjectStore>> {
            OPENARCHIVER_TRY(std::string root, root_from(config_json, host.profile_folder));
            OPENARCHIVER_CHECK(create_root(root));
            remove_leftovers(root, host.clock.now());
            return std::make_unique<Store>(std::move(root));
        });
    }
};

class FilesystemPlugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "filesystem", .version = OPENARCHIVER_SDK_VERSION, .title = "Folder"};
    }

    [[nodiscard]] sdk::StorageBackend* storage_backend() override { return &backend_; }

private:
    Backend backend_;
};

}  // namespace

}  // namespace openarchiver::filesystem

OPENARCHIVER_PLUGIN(openarchiver::filesystem::FilesystemPlugin);
