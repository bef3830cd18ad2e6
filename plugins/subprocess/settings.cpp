#include "settings.hpp"

#include <boost/json.hpp>

#include "failure.hpp"

namespace openarchiver::subprocess {

namespace {

namespace json = boost::json;

constexpr std::string_view kSchema = R"json({
  "type": "object",
  "title": "Program",
  "description": "A program of your own that reads a service and speaks JSON lines (docs/subprocess-provider.md).",
  "additionalProperties": false,
  "required": ["command"],
  "properties": {
    "command": {
      "type": "array",
      "items": { "type": "string", "pattern": "." },
      "title": "Command",
      "description": "The program and its arguments; it runs in the profile's folder. No shell is involved.",
      "x-order": 1
    },
    "config": {
      "type": "object",
      "title": "Configuration",
      "description": "What the program wants to know, as it documents it.",
      "x-order": 2
    },
    "secrets": {
      "type": "array",
      "items": {
        "type": "object",
        "additionalProperties": false,
        "required": ["name", "value"],
        "properties": {
          "name": {
            "type": "string",
            "pattern": ".",
            "title": "Name",
            "description": "What the program knows it by.",
            "x-order": 1
          },
          "value": {
            "type": "string",
            "title": "Value",
            "description": "The secret itself.",
            "writeOnly": true,
            "x-order": 2
          }
        }
      },
      "title": "Secrets",
      "description": "Given to the program on its standard input.",
      "x-order": 3
    },
    "memory_mib": {
      "type": "integer",
      "minimum": 0,
      "maximum": 1048576,
      "default": 1024,
      "title": "Memory",
      "description": "How much address space each process may have, in MiB; 0: no limit, for interpreters that reserve much and use little.",
      "x-order": 4
    },
    "answer_seconds": {
      "type": "integer",
      "minimum": 1,
      "maximum": 3600,
      "default": 60,
      "title": "Time for an Answer",
      "description": "How long an answer, or the next piece of a content, may take.",
      "x-order": 5
    },
    "cpu_seconds": {
      "type": "integer",
      "minimum": 1,
      "maximum": 3600,
      "default": 120,
      "title": "Processor Time",
      "description": "How much processor time an answer or a content may take.",
      "x-order": 6
    },
    "accounts_in_parallel": {
      "type": "integer",
      "minimum": 1,
      "maximum": 16,
      "default": 1,
      "title": "Accounts in Parallel",
      "description": "How many accounts are asked about at the same time.",
      "x-order": 7
    },
    "readers_per_account": {
      "type": "integer",
      "minimum": 1,
      "maximum": 8,
      "default": 2,
      "title": "Contents at a Time",
      "description": "Of one account. Each takes a process of its own.",
      "x-order": 8
    }
  }
})json";

sdk::Error bad(std::string message) {
    return failure(sdk::Errc::invalid_config, std::move(message));
}

sdk::Result<std::uint32_t> number(const json::object& object, std::string_view name,
                                  std::int64_t lowest, std::int64_t highest,
                                  std::uint32_t otherwise) {
    const json::value* const value = object.if_contains(name);
    if (value == nullptr) {
        return otherwise;
    }
    const std::int64_t* const found = value->if_int64();
    if (found == nullptr || *found < lowest || *found > highest) {
        return bad(std::string(name) + " must be a whole number from " + std::to_string(lowest) +
                   " to " + std::to_string(highest));
    }
    return static_cast<std::uint32_t>(*found);
}

/// A text that can be an argument: not empty, and no NUL within.
bool is_plain_text(const json::value& value) {
    const json::string* const text = value.if_string();
    return text != nullptr && !text->empty() && text->find('\0') == json::string::npos;
}

sdk::Status parse_command(const json::object& object, Settings& settings) {
    const json::value* const value = object.if_contains("command");
    const json::array* const words = value == nullptr ? nullptr : value->if_array();
    if (words == nullptr || words->empty()) {
        return bad("command must be a list: the program, and its arguments");
    }
    for (const json::value& word : *words) {
        if (!is_plain_text(word)) {
            return bad("command must be a list of texts");
        }
        settings.command.emplace_back(word.get_string());
    }
    return {};
}

sdk::Status parse_secrets(const json::object& object, Settings& settings) {
    const json::value* const value = object.if_contains("secrets");
    if (value == nullptr) {
        return {};
    }
    const json::array* const secrets = value->if_array();
    if (secrets == nullptr) {
        return bad("secrets must be a list");
    }
    for (const json::value& secret : *secrets) {
        const json::object* const named = secret.if_object();
        const json::value* const name = named == nullptr ? nullptr : named->if_contains("name");
        if (name == nullptr || !is_plain_text(*name)) {
            return bad("each of secrets must have a name");
        }
        settings.secrets.emplace_back(name->get_string());
    }
    return {};
}

}  // namespace

std::string_view config_schema() {
    return kSchema;
}

std::string secret_pointer(std::size_t index) {
    return "/secrets/" + std::to_string(index) + "/value";
}

sdk::Result<Settings> parse_settings(std::string_view text) {
    boost::system::error_code error;
    const json::value document = json::parse({text.data(), text.size()}, error);
    const json::object* const object = error ? nullptr : document.if_object();
    if (object == nullptr) {
        return bad("the configuration of the subprocess provider is no JSON object");
    }
    Settings settings;
    OPENARCHIVER_CHECK(parse_command(*object, settings));
    OPENARCHIVER_CHECK(parse_secrets(*object, settings));
    if (const json::value* const config = object->if_contains("config")) {
        if (!config->is_object()) {
            return bad("config must be an object");
        }
        settings.config_json = json::serialize(*config);
    }
    OPENARCHIVER_TRY(const std::uint32_t memory, number(*object, "memory_mib", 0, 1U << 20U, 1024));
    settings.memory_bytes = std::uint64_t{memory} << 20U;
    OPENARCHIVER_TRY(const std::uint32_t answer, number(*object, "answer_seconds", 1, 3600, 60));
    settings.answer_time = std::chrono::seconds(answer);
    OPENARCHIVER_TRY(const std::uint32_t cpu, number(*object, "cpu_seconds", 1, 3600, 120));
    settings.cpu_time = std::chrono::seconds(cpu);
    OPENARCHIVER_TRY(settings.accounts_in_parallel,
                     number(*object, "accounts_in_parallel", 1, 16, 1));
    OPENARCHIVER_TRY(settings.readers_per_account, number(*object, "readers_per_account", 1, 8, 2));
    return settings;
}

}  // namespace openarchiver::subprocess
