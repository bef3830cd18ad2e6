#include <boost/json.hpp>
#include <openarchiver/sdk/plugin.hpp>

#include "file_access.hpp"
#include "session.hpp"

namespace openarchiver::mailfiles {

namespace {

constexpr std::string_view kSchema = R"({
  "type": "object",
  "title": "Mail files",
  "description": "Reads Maildirs and folders of .eml files on this machine or on a mounted file system.",
  "properties": {
    "paths": {
      "type": "array",
      "items": { "type": "string" },
      "title": "Folders and files",
      "description": "Maildirs, folders of Maildirs (one account each), folders of .eml files, single .eml files. A relative path is relative to the profile's folder.",
      "x-order": 1
    },
    "account": {
      "type": "string",
      "title": "Account",
      "description": "Whose mail it is, usually an address. Without it, each folder is an account of its own name.",
      "x-order": 2
    }
  },
  "required": ["paths"],
  "additionalProperties": false
})";

constexpr std::size_t kMaxAccountName = 512;

sdk::Error bad_config(std::string message) {
    return {.code = sdk::Errc::invalid_config, .message = std::move(message)};
}

sdk::Result<std::string> absolute_path(const boost::json::value& value,
                                       const std::filesystem::path& profile_folder) {
    const boost::json::string* const text = value.if_string();
    if (text == nullptr || text->empty() || text->find('\0') != boost::json::string::npos) {
        return bad_config("\"paths\" of the mailfiles provider has an entry that is no path");
    }
    const std::filesystem::path path =
        std::filesystem::absolute(profile_folder / std::filesystem::path(std::string_view(*text)));
    std::string result = path.lexically_normal().string();
    while (result.size() > 1 && result.back() == '/') {
        result.pop_back();
    }
    return result;
}

sdk::Result<Config> parse_config(std::string_view config_json,
                                 const std::filesystem::path& profile_folder) {
    boost::system::error_code failure;
    const boost::json::value json =
        boost::json::parse({config_json.data(), config_json.size()}, failure);
    const boost::json::object* const object = failure ? nullptr : json.if_object();
    if (object == nullptr) {
        return bad_config("the configuration of the mailfiles provider is no JSON object");
    }
    const boost::json::value* const paths = object->if_contains("paths");
    if (paths == nullptr || !paths->is_array() || paths->get_array().empty()) {
        return bad_config(
            "the configuration of the mailfiles provider has no \"paths\"; list folders or files");
    }
    Config config;
    for (const boost::json::value& value : paths->get_array()) {
        OPENARCHIVER_TRY(std::string path, absolute_path(value, profile_folder));
        config.paths.push_back(std::move(path));
    }
    if (const boost::json::value* const account = object->if_contains("account")) {
        const boost::json::string* const text = account->if_string();
        if (text == nullptr || text->empty() || text->size() > kMaxAccountName) {
            return bad_config("\"account\" of the mailfiles provider is no text of 1 to 512 bytes");
        }
        config.account = std::string_view(*text);
    }
    return config;
}

class MailfilesProvider final : public sdk::Provider {
public:
    [[nodiscard]] std::string_view config_schema() const override { return kSchema; }

    sdk::Result<std::unique_ptr<sdk::ProviderSession>> open(
        std::string_view config_json, const sdk::HostServices& host) override {
        return guarded([&]() -> sdk::Result<std::unique_ptr<sdk::ProviderSession>> {
            OPENARCHIVER_TRY(Config config, parse_config(config_json, host.profile_folder));
            return std::make_unique<Session>(std::move(config), host);
        });
    }
};

class MailfilesPlugin final : public sdk::Plugin {
public:
    [[nodiscard]] sdk::PluginInfo info() const override {
        return {.id = "mailfiles", .version = OPENARCHIVER_SDK_VERSION, .title = "Mail files"};
    }

    [[nodiscard]] sdk::Provider* provider() override { return &provider_; }

private:
    MailfilesProvider provider_;
};

}  // namespace

}  // namespace openarchiver::mailfiles

OPENARCHIVER_PLUGIN(openarchiver::mailfiles::MailfilesPlugin);
