#include <boost/json.hpp>
#include <filesystem>
#include <openarchiver/sdk/plugin.hpp>

#include "store.hpp"

namespace openarchiver::sqlite {

namespace {

constexpr std::string_view kSchema = R"({
  "type": "object",
  "title": "SQLite file",
  "description": "Keeps the archive in one file on a local disk.",
  "properties": {
    "file": {
      "type": "string",
      "title": "File of the archive",
      "description": "Created where it is missing, with its folder. A relative path is relative to the profile's folder. Not on a network file system: its locks can't be trusted.",
      "x-order": 1
    }
  },
  "required": ["file"],
  "additionalProperties": false
})";

sdk::Result<std::filesystem::path> file_from(std::string_view config_json,
                                             const std::filesystem::path& profile_folder) {
    boost::system::error_code failure;
    const boost::json::value config = boost::json::parse(config_json, failure);
    const boost::json::object* const object = failure ? nullptr : config.if_object();
    const boost::json::value* const value =
        object != nullptr ? object->if_contains("file") : nullptr;
    const boost::json::string* const file = value != nullptr ? value->if_string() : nullptr;
    if (file == nullptr || file->empty() || file->find('\0') != boost::json::string::npos) {
        return sdk::Error{sdk::Errc::invalid_config,
                          "the configuration of the sqlite storage backend has no \"file\"; name "
                          "the file that is to hold the archive"};
    }
    return std::filesystem::absolute(profile_folder / std::string(*file)).lexically_normal();
}

class Backend final : public sdk::StorageBackend {
public:
    [[nodiscard]] std::string_view config_schema() const override { return kSchema; }

    sdk::Result<std::unique_ptr<sdk::ObjectStore>> open(std::string_view config_json,
                                                        const sdk::HostServices& host,
                                                        std::stop_token) override {
        return guarded([&]() -> sdk::Result<std::unique_ptr<sdk::ObjectStore>> {
            OPENARCHIVER_TRY(const auto file, file_from(config_json, host.profile_folder));
            std::error_code code;
            std::filesystem::create_directories(file.parent_path(), code);
            if (code) {
                return sdk::Error{sdk::Errc::permission_denied, "can't create the folder " +
                                                                    file.parent_path().string() +
                                                                    ": " + code.message()};
            }
            OPENARCHIVER_TRY(auto connection, Connection::open(file.string()));
            return std::make_unique<Store>(file.string(), std::move(connection));
        });
    }
};

class SqlitePlugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "sqlite", .version = OPENARCHIVER_SDK_VERSION, .title = "SQLite file"};
    }

    [[nodiscard]] sdk::StorageBackend* storage_backend() override { return &backend_; }

private:
    Backend backend_;
};

}  // namespace

}  // namespace openarchiver::sqlite

OPENARCHIVER_PLUGIN(openarchiver::sqlite::SqlitePlugin);
