#include "profile/schema.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <utility>

#include "profile/schema_check.hpp"

namespace openarchiver::profile {

namespace {

namespace json = boost::json;
using plugin::PluginKind;

/// What may stand where a plugin declares a secret: a reference, or the value itself.
json::object secret_schema(const json::object& declared) {
    const auto reference = [](std::string_view key, std::string_view what) {
        return json::object{
            {"type", "object"},
            {"required", json::array{key}},
            {"additionalProperties", false},
            {"properties", json::object{{key, json::object{{"type", "string"},
                                                           {"minLength", 1},
                                                           {"description", what}}}}}};
    };
    json::object schema;
    for (const std::string_view key : {"title", "description", "x-order"}) {
        if (const json::value* text = declared.if_contains(key)) {
            schema[key] = *text;
        }
    }
    schema["writeOnly"] = true;
    schema["oneOf"] = json::array{reference("env", "name of an environment variable"),
                                  reference("file", "path of a file that holds the secret"),
                                  json::object{{"type", "string"}, {"minLength", 1}}};
    return schema;
}

json::value adapted(const json::value& schema);

/// A plugin's schema as part of the profile's: secrets become references, and unknown keys are
/// errors also where the plugin does not say so.
json::value adapted_object(const json::object& schema) {
    if (const json::value* mark = schema.if_contains("writeOnly");
        mark && *mark == json::value(true)) {
        return secret_schema(schema);
    }
    json::object result;
    for (const auto& [key, value] : schema) {
        if (key == "$schema" || key == "$id") {
            continue;
        }
        if (key == "properties" && value.is_object()) {
            json::object properties;
            for (const auto& [name, property] : value.get_object()) {
                properties[name] = adapted(property);
            }
            result[key] = std::move(properties);
        } else if (key == "items" || key == "additionalProperties" || key == "then" ||
                   key == "else" || key == "oneOf" || key == "anyOf" || key == "allOf") {
            result[key] = adapted(value);
        } else {
            result[key] = value;
        }
    }
    return result;
}

json::value adapted(const json::value& schema) {
    if (const auto* object = schema.if_object()) {
        return adapted_object(*object);
    }
    if (const auto* array = schema.if_array()) {
        json::array result;
        for (const json::value& element : *array) {
            result.push_back(adapted(element));
        }
        return result;
    }
    return schema;
}

/// Closes the object schemas that are reached by `properties` and `items` alone: inside of a oneOf
/// or then, keys that a sibling declares are not unknown.
void close_objects(json::value& schema) {
    auto* object = schema.if_object();
    if (object == nullptr || object->contains("writeOnly")) {
        return;
    }
    if (json::value* items = object->if_contains("items")) {
        close_objects(*items);
    }
    if (json::value* properties = object->if_contains("properties");
        properties && properties->is_object()) {
        for (auto& property : properties->get_object()) {
            close_objects(property.value());
        }
        if (!object->contains("additionalProperties")) {
            (*object)["additionalProperties"] = false;
        }
    }
}

std::string_view schema_text(const plugin::PluginHost& plugins,
                             const plugin::LoadedPlugin& loaded) {
    if (loaded.kind == PluginKind::provider) {
        const auto provider = plugins.provider(loaded.info.id);
        return provider ? (*provider)->config_schema() : std::string_view();
    }
    const auto backend = plugins.storage_backend(loaded.info.id);
    return backend ? (*backend)->config_schema() : std::string_view();
}

/// `if` the plugin is this one, `then` its configuration is like this.
void merge(json::object& owner, std::string_view key, const plugin::PluginHost& plugins,
           PluginKind kind) {
    json::array branches;
    json::array ids;
    for (const plugin::LoadedPlugin& loaded : plugins.loaded()) {
        if (loaded.kind != kind) {
            continue;
        }
        const std::string& id = loaded.info.id;
        ids.emplace_back(id);
        json::object condition{{"properties", json::object{{key, json::object{{"const", id}}}}},
                               {"required", json::array{key}}};
        branches.push_back(
            json::object{{"if", std::move(condition)},
                         {"then", owner_schema(loaded, schema_text(plugins, loaded))}});
    }
    if (!ids.empty()) {
        owner.at("properties").at(key).as_object()["enum"] = std::move(ids);
        owner["allOf"] = std::move(branches);
    }
}

void indent(std::string& text, std::size_t depth) {
    text.append(depth * 2, ' ');
}

void append_indented(std::string& text, const json::value& value, std::size_t depth) {
    const auto element = [&](bool first) {
        text += first ? "\n" : ",\n";
        indent(text, depth + 1);
    };
    if (const auto* object = value.if_object(); object && !object->empty()) {
        text += '{';
        bool first = true;
        for (const auto& [key, member] : *object) {
            element(std::exchange(first, false));
            text += json::serialize(json::string(key)) + ": ";
            append_indented(text, member, depth + 1);
        }
        text += '\n';
        indent(text, depth);
        text += '}';
    } else if (const auto* array = value.if_array(); array && !array->empty()) {
        text += '[';
        bool first = true;
        for (const json::value& member : *array) {
            element(std::exchange(first, false));
            append_indented(text, member, depth + 1);
        }
        text += '\n';
        indent(text, depth);
        text += ']';
    } else {
        text += json::serialize(value);
    }
}

}  // namespace

json::object owner_schema(const plugin::LoadedPlugin& loaded, std::string_view text) {
    const auto unusable = [&loaded](const std::string& why) {
        return json::object{{"x-unusable", "the configuration schema of the " +
                                               std::string(to_string(loaded.kind)) + " \"" +
                                               loaded.info.id + "\" (" + loaded.file.string() +
                                               ") can't be used: " + why}};
    };
    json::error_code error;
    json::value config = json::parse({text.data(), text.size()}, error);
    if (error || !config.is_object()) {
        return unusable(error ? "not valid JSON: " + error.message() : "it is not a JSON object");
    }
    config = adapted(config);
    close_objects(config);
    if (const auto fault = schema_fault(config)) {
        return unusable(*fault);
    }
    json::object result;
    const json::value* required = config.get_object().if_contains("required");
    if (required != nullptr && required->is_array() && !required->get_array().empty()) {
        result["required"] = json::array{"config"};
    }
    result["properties"] = json::object{{"config", std::move(config)}};
    return result;
}

json::value merged_schema(const plugin::PluginHost* plugins) {
    const std::string_view text = core_schema();
    json::value schema = json::parse({text.data(), text.size()});
    if (plugins != nullptr) {
        json::value& properties = schema.at("properties");
        merge(properties.at("archive").at("properties").at("storage").as_object(), "backend",
              *plugins, PluginKind::storage_backend);
        merge(properties.at("sources").at("items").as_object(), "provider", *plugins,
              PluginKind::provider);
    }
    return schema;
}

std::string profile_schema(const plugin::PluginHost* plugins) {
    std::string text;
    append_indented(text, merged_schema(plugins), 0);
    return text + '\n';
}

}  // namespace openarchiver::profile
