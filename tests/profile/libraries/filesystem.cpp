#include "plugin.hpp"

namespace {

constexpr std::string_view kSchema = R"json({
  "type": "object",
  "required": ["root"],
  "properties": {
    "root": { "type": "string", "minLength": 1, "title": "Folder",
              "description": "the folder of the archive" },
    "access_key": { "type": "string", "writeOnly": true }
  }
})json";

class Filesystem final : public openarchiver::sdk::Plugin {
public:
    [[nodiscard]] openarchiver::sdk::PluginInfo info() const override {
        return {"filesystem", "1", "Filesystem"};
    }

    [[nodiscard]] openarchiver::sdk::StorageBackend* storage_backend() override {
        return &backend_;
    }

private:
    SchemaBackend backend_{kSchema};
};

}  // namespace

OPENARCHIVER_PLUGIN(Filesystem);
