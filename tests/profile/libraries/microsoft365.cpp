#include "plugin.hpp"

namespace {

constexpr std::string_view kSchema = R"json({
  "type": "object",
  "required": ["tenant_id", "client_id"],
  "additionalProperties": false,
  "properties": {
    "tenant_id": { "type": "string", "format": "uuid", "title": "Tenant ID", "x-order": 1,
                   "description": "Directory (tenant) ID of the app registration" },
    "client_id": { "type": "string", "pattern": "^[0-9a-f-]{36}$", "title": "Client ID",
                   "description": "Application (client) ID of the app registration" },
    "client_secret": { "type": "string", "writeOnly": true, "title": "Client secret",
                       "description": "the secret's Value" },
    "certificate": {
      "type": "object", "required": ["file"],
      "properties": {
        "file": { "type": "string", "minLength": 1 },
        "password": { "type": "string", "writeOnly": true }
      }
    },
    "cloud": { "enum": ["global", "usgov", "dod", "china"], "default": "global" },
    "requests_per_account": { "type": "integer", "minimum": 1, "maximum": 4 },
    "accounts": {
      "type": "object",
      "properties": {
        "include": { "type": "array", "items": { "type": "string", "minLength": 1 } }
      }
    },
    "tokens": { "type": "array", "items": { "type": "string", "writeOnly": true } },
    "client_secret_expires": { "type": "string", "format": "date" },
    "graph_url": { "type": "string", "format": "uri" }
  },
  "oneOf": [ { "required": ["client_secret"] }, { "required": ["certificate"] } ]
})json";

class Microsoft365 final : public openarchiver::sdk::Plugin {
public:
    [[nodiscard]] openarchiver::sdk::PluginInfo info() const override {
        return {"microsoft365", "1", "Microsoft 365"};
    }

    [[nodiscard]] openarchiver::sdk::Provider* provider() override { return &provider_; }

private:
    SchemaProvider provider_{kSchema};
};

}  // namespace

OPENARCHIVER_PLUGIN(Microsoft365);
