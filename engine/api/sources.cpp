#include "api/sources.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <utility>

#include "api/body.hpp"
#include "api/problem.hpp"
#include "service/source_check.hpp"

namespace openarchiver::api {

namespace json = boost::json;
using plugin::SecretReference;
using sdk::Errc;
using sdk::Error;
using sdk::Result;

namespace {

constexpr std::size_t kLongestId = 64;

Response document(const json::value& value, int status = 200) {
    return {.status = status, .body = json::serialize(value)};
}

std::string by(const Credential& caller) {
    return "api:" + caller.name;
}

/// As profiles write it.
std::string duration_text(std::chrono::seconds time) {
    const auto seconds = time.count();
    for (const auto& [unit, name] :
         {std::pair(86400, "d"), std::pair(3600, "h"), std::pair(60, "m")}) {
        if (seconds % unit == 0) {
            return std::to_string(seconds / unit) + name;
        }
    }
    return std::to_string(seconds) + "s";
}

json::object definition_of(const profile::Source& source) {
    json::array secrets;
    for (const auto& [pointer, reference] : source.secrets) {
        secrets.push_back(json::value(pointer));
    }
    return {{"id", source.id},
            {"name", source.name},
            {"provider", source.provider},
            {"config", json::parse(source.config_json)},
            {"secrets", std::move(secrets)},
            {"schedule",
             {{"every", duration_text(source.every)},
              {"reconcile_every", duration_text(source.reconcile_every)}}},
            {"origin", source.from_api ? "api" : "profile"}};
}

json::array problem_list(const std::vector<profile::Problem>& problems) {
    json::array list;
    for (const profile::Problem& problem : problems) {
        list.push_back(
            {{"pointer", problem.pointer},
             {"message", problem.message},
             {"suggestion", problem.suggestion},
             {"severity", problem.severity == profile::Severity::error ? "error" : "warning"}});
    }
    return list;
}

/// What is wrong with a source, by place.
Response invalid(const std::vector<profile::Problem>& problems) {
    std::string detail;
    for (const profile::Problem& problem : problems) {
        if (problem.severity == profile::Severity::error) {
            detail += (detail.empty() ? "" : "; ") + problem.pointer + ": " + problem.message;
        }
    }
    return problem(422, detail, {{"problems", problem_list(problems)}});
}

const profile::Source* find(const profile::Profile& profile, std::string_view id) {
    const auto found = std::ranges::find(profile.sources, id, &profile::Source::id);
    return found == profile.sources.end() ? nullptr : &*found;
}

Response unknown(const std::string& id) {
    return problem(404, "there is no source \"" + id + "\"");
}

/// An id for a new source of this name that neither a source nor the archive has.
Result<std::string> new_id(const access::Context& context, std::string_view name) {
    std::string base;
    for (const char c : name) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (plain) {
            base += c;
        } else if (c >= 'A' && c <= 'Z') {
            base += static_cast<char>(c - 'A' + 'a');
        } else if (!base.empty() && base.back() != '-') {
            base += '-';
        }
    }
    base.resize(std::min(base.size(), kLongestId - 8));
    while (base.ends_with('-')) {
        base.pop_back();
    }
    if (base.empty()) {
        base = "source";
    }
    OPENARCHIVER_TRY(const auto catalog,
                     catalog::CatalogReader::open(context.profile.archive.catalog_path));
    OPENARCHIVER_TRY(const auto archived, catalog->sources());
    std::string id = base;
    for (int number = 2;
         find(context.profile, id) != nullptr ||
         std::ranges::find(archived, id, &catalog::SourceRecord::id) != archived.end();
         ++number) {
        id = base + "-" + std::to_string(number);
    }
    return id;
}

/// Gives each secret that is to stay, {"keep":true}, a value to pass the schema with; their
/// pointers.
void fill_kept(json::value& value, const std::string& pointer, std::vector<std::string>& kept) {
    auto* const object = value.if_object();
    if (object == nullptr) {
        return;
    }
    if (object->size() == 1 && object->contains("keep") &&
        object->at("keep") == json::value(true)) {
        value = "kept";
        kept.push_back(pointer);
        return;
    }
    for (auto& member : *object) {
        fill_kept(member.value(), pointer + "/" + std::string(member.key()), kept);
    }
}

struct Wanted {
    profile::Source source;
    std::vector<profile::Problem> warnings;
};

/// The source that a request describes, or the answer that says why it is none. `known` may be
/// null.
std::variant<Wanted, Response> read(const access::Context& context, const Request& request,
                                    const std::string& id, const profile::Source* known) {
    auto body = Body::parse(request.body);
    if (!body) {
        return problem(400, body.error().message);
    }
    auto& members = body->members();
    members["id"] = id;
    std::vector<std::string> kept;
    if (json::value* const config = members.if_contains("config"); config != nullptr) {
        fill_kept(*config, "", kept);
    }
    profile::SourceResult read =
        profile::read_source(json::serialize(members), context.profile.file, context.plugins);
    if (!read.source) {
        return invalid(read.problems);
    }
    for (const std::string& pointer : kept) {
        const auto given = read.source->secrets.find(pointer);
        const auto there = known == nullptr                   ? SecretReference()
                           : known->secrets.contains(pointer) ? known->secrets.find(pointer)->second
                                                              : SecretReference();
        if (given == read.source->secrets.end() || there.kind != SecretReference::Kind::sealed) {
            return invalid({{"/config" + pointer, "there is no secret here that could be kept",
                             "give the secret", profile::Severity::error}});
        }
        given->second = there;
    }
    return Wanted{std::move(*read.source), std::move(read.problems)};
}

}  // namespace

Response list_providers(const plugin::PluginHost& plugins) {
    json::array providers;
    for (const plugin::LoadedPlugin& loaded : plugins.loaded()) {
        if (loaded.kind != plugin::PluginKind::provider) {
            continue;
        }
        const auto provider = plugins.provider(loaded.info.id);
        json::error_code broken;
        json::value schema =
            provider ? json::parse(std::string((*provider)->config_schema()), broken) : nullptr;
        if (broken || !schema.is_object()) {
            continue;  // the log has said why it can't be used
        }
        providers.push_back({{"id", loaded.info.id},
                             {"title", loaded.info.title},
                             {"version", loaded.info.version},
                             {"schema", std::move(schema)}});
    }
    return document(json::object{{"providers", std::move(providers)}});
}

Response show_definition(service::Service& service, const std::string& id) {
    const access::Context context = service.context();
    const auto* const source = find(context.profile, id);
    return source != nullptr ? document(definition_of(*source)) : unknown(id);
}

Response define_source(service::Service& service, const Credential& caller, const std::string& id,
                       const Request& request) {
    const access::Context context = service.context();
    const auto* const known = find(context.profile, id);
    if (!id.empty() && known == nullptr) {
        return unknown(id);
    }
    std::string wanted_id = id;
    if (id.empty()) {
        const auto body = Body::parse(request.body);
        if (!body) {
            return problem(400, body.error().message);
        }
        wanted_id = body->text("id");
        if (wanted_id.empty()) {
            auto made = new_id(context, body->text("name"));
            if (!made) {
                return problem(made.error());
            }
            wanted_id = std::move(*made);
        } else if (find(context.profile, wanted_id) != nullptr) {
            return problem(409, "there is a source \"" + wanted_id + "\" already");
        }
    }
    auto read_in = read(context, request, wanted_id, known);
    if (auto* const refused = std::get_if<Response>(&read_in)) {
        return std::move(*refused);
    }
    auto& [source, warnings] = std::get<Wanted>(read_in);
    if (known != nullptr && known->provider != source.provider) {
        return problem(409, "the provider of a source never changes: make another source");
    }
    if (const auto defined = service.define_source(source, by(caller)); !defined) {
        return problem(defined.error());
    }
    source.from_api = true;
    json::object answer = definition_of(source);
    answer["warnings"] = problem_list(warnings);
    return document(std::move(answer), id.empty() ? 201 : 200);
}

Response check_source(service::Service& service, const Request& request, std::stop_token stop) {
    const access::Context context = service.context();
    const auto body = Body::parse(request.body);
    if (!body) {
        return problem(400, body.error().message);
    }
    const std::string id = body->text("id");
    const auto* const known = find(context.profile, id);
    auto read_in = read(context, request, id.empty() ? "new-source" : id, known);
    if (auto* const refused = std::get_if<Response>(&read_in)) {
        return std::move(*refused);
    }
    auto& [source, warnings] = std::get<Wanted>(read_in);
    const auto checks = service.check_source(source, std::move(stop));
    if (!checks) {
        return problem(checks.error());
    }
    json::value answer = service::check_document(id, *checks);
    answer.as_object()["warnings"] = problem_list(warnings);
    return document(answer);
}

Response check_known_source(service::Service& service, const std::string& id,
                            std::stop_token stop) {
    const access::Context context = service.context();
    const auto* const source = find(context.profile, id);
    if (source == nullptr) {
        return unknown(id);
    }
    const auto checks = service.check_source(*source, std::move(stop));
    if (!checks) {
        return problem(checks.error());
    }
    json::value answer = service::check_document(id, *checks);
    answer.as_object()["warnings"] = json::array();
    return document(answer);
}

Response pause_source(service::Service& service, const Credential& caller, const std::string& id,
                      bool paused) {
    const auto done = service.pause_source(id, paused, by(caller));
    return done ? document(json::object{{"id", id}, {"paused", paused}}) : problem(done.error());
}

Response remove_source(service::Service& service, const Credential& caller, const std::string& id,
                       const Request& request) {
    if (request.value("confirm") != id) {
        return problem(422, "to remove the source, repeat its id: ?confirm=" + id +
                                ". What was archived of it stays");
    }
    const auto removed = service.remove_source(id, by(caller));
    return removed ? document(json::object{{"removed", id}}) : problem(removed.error());
}

}  // namespace openarchiver::api
